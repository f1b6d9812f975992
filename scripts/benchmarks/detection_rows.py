"""The rows of detectors, beside GluonCV's on the same input, with the same maps, anchors and classes.

``gluoncv`` is what runs without this package: GluonCV's detector on gluoncv2's CBAM-ResNet-50. With ``fused``,
GluonCV's reads the maps of our backbone with its fused operators, so that only the rest differs. See
:mod:`gluon_cbam.benchmarks.gluoncv_maps`.
"""

from __future__ import annotations

from typing import Dict, NamedTuple

from gluon_cbam.benchmarks.context import BenchmarkContext

from .ratios import Row, at_least, on_records, ratio

_CONTEXT = BenchmarkContext('predict', classes=20, options={'backbone': 'cbam_resnet50'}, task='detection')
_DETECTORS = {
    **{f'ssd-{size}': _CONTEXT.replace(network=f'ssd_{size}', image_size=size) for size in (300, 512)},
    'faster-rcnn-fpn': _CONTEXT.replace(network='faster_rcnn_fpn', image_size=320),
}
_SSDS = ('ssd-300', 'ssd-512')


class _Side(NamedTuple):
    """An engine to compare with.

    Attributes:
        name: its name in the titles.
        engine: a key of :data:`gluon_cbam.benchmarks.engines.ENGINES`.
        bounds: mode -> least ratio.
    """

    name: str
    engine: str
    bounds: Dict[str, float]


_SIDES = {
    'gluoncv': _Side("GluonCV's detector on gluoncv2's backbone", 'gluoncv', {'predict': 1.3, 'train': 1.2}),
    'fused': _Side("GluonCV's detector on our fused backbone", 'gluoncv fused', {'predict': 1.0, 'train': 1.0}),
    'onnxruntime': _Side('ONNX Runtime, the exported network', 'onnxruntime', {'predict': 1.0}),
}
_MODES = {'predict': 'inference', 'train': 'training step'}
_MEASURED = (
    *((detector, 'gluoncv', 'predict', batch) for detector in _SSDS for batch in (1, 8)),
    *((detector, 'gluoncv', 'train', 4) for detector in _SSDS),
    *((detector, 'fused', 'predict', 8) for detector in _SSDS),
    *((detector, 'fused', 'train', 4) for detector in _SSDS),
    *((detector, 'onnxruntime', 'predict', 1) for detector in _SSDS),
    ('ssd-300', 'onnxruntime', 'predict', 8),
    *(('faster-rcnn-fpn', side, mode, 1) for side in ('gluoncv', 'fused') for mode in _MODES),  # theirs infers on one
)
"""Detector, side, mode and batch of each row."""


def _row(detector: str, side: _Side, mode: str, batch: int) -> Row:
    context = _DETECTORS[detector].replace(mode=mode, batch=batch)
    title = (
        f'{side.name} / ours, {context.network} on {context.options["backbone"]}, {_MODES[mode]}, batch {batch}, '
        f'{context.image_size} x {context.image_size}'
    )
    part = 1 if batch == 1 and mode == 'predict' else 0.4
    return Row(
        title, at_least(side.bounds[mode]), ratio(context.replace(engine=side.engine), context, warm_up=1, part=part)
    )


_LOADER = BenchmarkContext('loader', batch=50, classes=10, image_size=300, label='classification')

DETECTION_ROWS: Dict[str, Row] = {
    **{
        f'{detector}-{side}-{_MODES[mode].split()[0]}-{batch}': _row(detector, _SIDES[side], mode, batch)
        for detector, side, mode, batch in _MEASURED
    },
    'detection-loader': Row(
        'training loader of images / of pictures with boxes (augmentation ssd), 500 x 375 pixels to 300 x 300, same '
        'threads',
        at_least(0.8),
        on_records(_LOADER, _LOADER.replace(task='detection', label='detection'), 1000, boxes=True),
    ),
}
"""Key -> row, in the order of the table."""

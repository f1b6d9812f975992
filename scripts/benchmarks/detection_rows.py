"""The rows of detectors, beside GluonCV's on the same input, with the same maps, anchors and classes.

The first rows of each detector are beside what runs without this package: GluonCV's detector on gluoncv2's
CBAM-ResNet-50. In the others, GluonCV's reads the maps of our backbone with its fused operators, so that only the rest
differs. See :mod:`gluon_cbam.benchmarks.gluoncv_workloads`.
"""

from __future__ import annotations

from typing import Dict, NamedTuple

from gluon_cbam.benchmarks.context import BenchmarkContext

from .ratios import Row, at_least, on_records, ratio

_CONTEXT = BenchmarkContext('predict', classes=20, options={'backbone': 'cbam_resnet50'}, task='detection')
_SSDS = {f'ssd-{size}': _CONTEXT.replace(network=f'ssd_{size}', image_size=size) for size in (300, 512)}


class _Side(NamedTuple):
    """An engine to compare with.

    Attributes:
        name: its name in the titles.
        engine: a key of :data:`gluon_cbam.benchmarks.engines.ENGINES`.
        inference: bound of the rows of inference.
        training: bound of the rows of training.
    """

    name: str
    engine: str
    inference: float
    training: float


_SIDES = {
    'gluoncv': _Side("GluonCV's detector on gluoncv2's backbone", 'gluoncv', 1.3, 1.2),
    'fused': _Side("GluonCV's detector on our fused backbone", 'gluoncv fused', 1.0, 1.0),
}


def _row(context: BenchmarkContext, side: _Side, what: str, part: float) -> Row:
    title = (
        f'{side.name} / ours, {context.network} on {context.options["backbone"]}, {what}, batch {context.batch}, '
        f'{context.image_size} x {context.image_size}'
    )
    bound = side.training if context.mode == 'train' else side.inference
    return Row(title, at_least(bound), ratio(context.replace(engine=side.engine), context, warm_up=1, part=part))


def _inference(context: BenchmarkContext, side: _Side, batch: int) -> Row:
    return _row(context.replace(batch=batch), side, 'inference', 0.5 if batch > 1 else 1)


def _training(context: BenchmarkContext, side: _Side) -> Row:
    return _row(context.replace(batch=4, mode='train'), side, 'training step', 0.4)


_LOADER = BenchmarkContext('loader', batch=50, classes=10, image_size=300, label='classification')

DETECTION_ROWS: Dict[str, Row] = {
    **{
        f'{key}-gluoncv-inference-{batch}': _inference(context, _SIDES['gluoncv'], batch)
        for key, context in _SSDS.items()
        for batch in (1, 8)
    },
    **{f'{key}-gluoncv-training-4': _training(context, _SIDES['gluoncv']) for key, context in _SSDS.items()},
    **{f'{key}-fused-inference-8': _inference(context, _SIDES['fused'], 8) for key, context in _SSDS.items()},
    **{f'{key}-fused-training-4': _training(context, _SIDES['fused']) for key, context in _SSDS.items()},
    'detection-loader': Row(
        'training loader of images / of pictures with boxes (augmentation ssd), 500 x 375 pixels to 300 x 300, same '
        'threads',
        at_least(0.8),
        on_records(_LOADER, _LOADER.replace(task='detection', label='detection'), 1000, boxes=True),
    ),
}
"""Key -> row, in the order of the table."""

"""The rows of the benchmark table: the contexts that are compared, and the target of the ratio."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Dict

from gluon_cbam.benchmarks.context import BenchmarkContext

from . import IMPORTABLE
from .detection_rows import DETECTION_ROWS
from .engine_rows import ENGINE_ROWS
from .ratios import (
    Row,
    at_least,
    at_most,
    on_records,
    ratio,
    ratio_of_commands,
    spread_of_processes,
    spread_of_repetitions,
)


def _plain(context: BenchmarkContext) -> BenchmarkContext:
    """The same network with MXNet's plain operators."""
    environment = {**context.environment, 'CBAM_KERNELS': 'plain'}
    return context.replace(environment=environment, label=f'{context.network}, plain operators')


def _bare_loop(context: BenchmarkContext) -> BenchmarkContext:
    """A training step of the same network in a plain Gluon loop."""
    environment = {**context.environment, **IMPORTABLE}
    return context.replace(mode='train', workload='benchmarks.bare_loops:train', environment=environment)


_CBAM = BenchmarkContext('predict', network='cbam_resnet50')
_STEP = _CBAM.replace(mode='train')
_THEIRS, _THEIR_STEP = _CBAM.replace(engine='gluoncv2'), _STEP.replace(engine='gluoncv2')
_FACES = BenchmarkContext('predict', network='modified_cbamnet50', image_size=112)
_FACE_STEP = _FACES.replace(mode='train', task='faces', classes=10_000)
_BASE = BenchmarkContext('predict', network='cbamnet_base', image_size=32, batch=8)
_LOADER = BenchmarkContext('loader', batch=50, classes=10, label='training loader')
_BARE = _LOADER.replace(engine='cv2.imdecode', label='bare cv2.imdecode')
# a step takes hundreds of times as long as decoding its images of 32 x 32 pixels
_EPOCH = BenchmarkContext(
    'train', network='cifar_cbam_resnet18', batch=16, image_size=32, classes=10, label='cbam train',
    workload='benchmarks.epoch:on_records', environment=IMPORTABLE,
)  # fmt: skip

ROWS: Dict[str, Row] = {
    'inference-8': Row(
        'CBAM-ResNet-50 / ResNet-50, inference, batch 8', at_most(1.20), ratio(_CBAM, _CBAM.replace(network='resnet50'))
    ),
    'inference-1': Row(
        'CBAM-ResNet-50 / ResNet-50, inference, batch 1',
        at_most(1.30),
        ratio(_CBAM.replace(batch=1), _CBAM.replace(network='resnet50', batch=1), part=3),
    ),
    'training-8': Row(
        'CBAM-ResNet-50 / ResNet-50, training step, batch 8',
        at_most(1.35),
        ratio(_STEP, _STEP.replace(network='resnet50'), warm_up=1, part=0.5),
    ),
    'gluoncv2-inference-8': Row(
        "gluoncv2's CBAM-ResNet-50 / ours, inference, batch 8", at_least(3), ratio(_THEIRS, _CBAM, part=0.5)
    ),
    'gluoncv2-training-8': Row(
        "gluoncv2's CBAM-ResNet-50 / ours, training step, batch 8",
        at_least(3),
        ratio(_THEIR_STEP, _STEP, warm_up=1, part=0.3),
    ),
    'modified-inference-8': Row(
        'modified_cbamnet50, plain operators / ours, inference, batch 8, 112 x 112',
        at_least(2),
        ratio(_plain(_FACES), _FACES),
    ),
    'modified-training-8': Row(
        'modified_cbamnet50, plain operators / ours, training step of a bare loop, batch 8, 112 x 112',
        at_least(2),
        ratio(_bare_loop(_plain(_FACES)), _bare_loop(_FACES), warm_up=1, part=0.5),
    ),
    **{
        f'faces-{engine}-{batch}': Row(
            f'{name}, the exported network / ours, modified_cbamnet50, embedding, batch {batch}, 112 x 112',
            at_least(1.0),
            ratio(_FACES.replace(engine=engine, batch=batch), _FACES.replace(batch=batch), part=8 / batch),
        )
        for engine, name in (('onnxruntime', 'ONNX Runtime'), ('openvino', 'OpenVINO'))
        for batch in (1, 8)
    },
    **{
        f'faces-training-{key}-8': Row(
            f'PyTorch{how} / ours, modified_cbamnet50, training step with ArcFace at 10,000 identities, batch 8, '
            '112 x 112',
            at_least(1.0),
            ratio(_FACE_STEP.replace(engine=engine), _FACE_STEP, part=0.5),
        )
        for key, engine, how in (
            ('torch', 'torch', ''),
            ('channels-last', 'torch channels_last', ', channels_last'),
            ('compiled', 'torch compiled', ', channels_last, torch.compile'),
        )
    },
    'base-inference-8': Row(
        'cbamnet_base, plain operators / ours, inference, batch 8, 32 x 32',
        at_least(2),
        ratio(_plain(_BASE), _BASE, part=2),
    ),
    'base-training-8': Row(
        'cbamnet_base, plain operators / ours, training step, batch 8, 32 x 32',
        at_least(2),
        ratio(_plain(_BASE).replace(mode='train'), _BASE.replace(mode='train')),
    ),
    'training-memory-8': Row(
        'CBAM-ResNet-50 / ResNet-50, peak memory of a training step, batch 8',
        at_most(1.15),
        ratio(_STEP, _STEP.replace(network='resnet50'), 'memory', warm_up=0, part=0),
    ),
    'latency-spread-1': Row(
        'CBAM-ResNet-50, inference, batch 1, ten processes: 95th percentile / median',
        at_most(1.15),
        spread_of_repetitions(_CBAM.replace(batch=1), part=3),
    ),
    'latency-processes-1': Row(
        "CBAM-ResNet-50, inference, batch 1, ten processes: slowest process's median / fastest's",
        at_most(1.15),
        spread_of_processes(_CBAM.replace(batch=1), part=3),
    ),
    **ENGINE_ROWS,
    'loader': Row(
        'bare JPEG decoding / training loader, 500 x 375 pixels, same threads',
        at_least(1.2),
        on_records(_BARE, _LOADER, 2000),
    ),
    **{
        f'loader-fast{key}': Row(
            f'bare full JPEG decoding / training loader with --decode fast, {size}, same threads',
            at_least(bound),
            on_records(_BARE, _LOADER.replace(decode='fast', label='training loader, fast'), images, jpeg_size),
        )
        for key, size, jpeg_size, images, bound in (
            ('', '500 x 375 pixels', None, 2000, 1.8),
            ('-1600', '1600 x 1200 pixels', (1200, 1600), 200, 3),
        )
    },
    **DETECTION_ROWS,
    'epoch': Row(
        'epoch of 64 steps: cbam train on RecordIO / bare Gluon loop on data in memory',
        at_most(1.05),
        on_records(
            _EPOCH,
            _EPOCH.replace(workload='benchmarks.bare_loops:epoch_in_memory', label='bare loop'),
            16 * 64,
            (32, 32),
            part=0.3,
        ),
    ),
    'help': Row(
        'cbam --help / python -c "import click"',
        at_most(2),
        ratio_of_commands(
            ('cbam --help', [str(Path(sys.executable).parent / 'cbam'), '--help']),
            ('import click', [sys.executable, '-c', 'import click']),
        ),
    ),
}
"""Key -> row, in the order of the table."""

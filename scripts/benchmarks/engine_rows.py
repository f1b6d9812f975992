"""The rows that compare classification networks with other engines and files, and with AVX2 alone."""

from __future__ import annotations

from typing import Dict, List

from gluon_cbam.benchmarks.context import BenchmarkContext

from . import IMPORTABLE
from .instructions import AVX2
from .int8 import CALIBRATION_IMAGES
from .ratios import Row, at_least, at_most, ratio, ratio_to_fastest

_CBAM = BenchmarkContext('predict', network='cbam_resnet50', label='ours')
_PLAIN = _CBAM.replace(network='resnet50')
_FACES = _CBAM.replace(network='modified_cbamnet50', image_size=112)
_ENGINES = {'onnxruntime': 'ONNX Runtime', 'openvino': 'OpenVINO'}


def _own(context: BenchmarkContext, workload: str, engine: str, label: str) -> BenchmarkContext:
    """A context with a workload of this folder."""
    environment = {**context.environment, **IMPORTABLE}
    return context.replace(workload=f'benchmarks.{workload}', engine=engine, label=label, environment=environment)


def _official(context: BenchmarkContext, engine: str) -> BenchmarkContext:
    """The network as PyTorch exports it."""
    return _own(context, 'official:predict', engine, f'{engine}, the official network')


def _of_openvino(context: BenchmarkContext) -> List[BenchmarkContext]:
    """The official network in OpenVINO with each of its hints; a single image has nothing to gain from throughput."""
    engines = ('openvino',) if context.batch == 1 else ('openvino', 'openvino throughput')
    return [_official(context, engine) for engine in engines]


def _in_avx2(context: BenchmarkContext) -> BenchmarkContext:
    return context.replace(environment={**context.environment, **AVX2})


def _in_mxnet(context: BenchmarkContext, name: str, export: str, bound: float, batch: int) -> Row:
    """Ours in MXNet beside OpenVINO."""
    context = context.replace(batch=batch)
    title = f"ours in MXNet / OpenVINO on PyTorch's export of {export}, {name}inference, batch {batch}"
    return Row(title, at_most(bound), ratio_to_fastest(context, _of_openvino(context), part=8 / batch))


def _native_int8(batch: int) -> BenchmarkContext:
    return _own(_CBAM.replace(batch=batch), 'int8:native', 'gluon_cbam', 'native INT8')


def _other_int8(batch: int) -> List[BenchmarkContext]:
    """Our file and the official network, quantized by the tool of each engine, in both engines."""
    context = _CBAM.replace(batch=batch)
    sides = [
        ('our_onnx', 'onnxruntime', 'ONNX Runtime, our INT8 file'),
        ('our_onnx', 'openvino', 'OpenVINO, our INT8 file'),
        ('official_onnxruntime', 'onnxruntime', 'ONNX Runtime, its quantization'),
        ('official_openvino', 'openvino', 'OpenVINO, quantization by NNCF'),
    ]
    if batch > 1:
        sides.append(('official_openvino', 'openvino throughput', 'OpenVINO throughput, quantization by NNCF'))
    return [_own(context, f'int8:{workload}', engine, label) for workload, engine, label in sides]


_OURS_AVX2, _PLAIN_AVX2 = _in_avx2(_CBAM.replace(label='')), _in_avx2(_PLAIN.replace(label=''))
_THEIRS_AVX2 = _OURS_AVX2.replace(engine='gluoncv2')
_MODES = {'inference': ('inference', 'predict', 0.5), 'training': ('training step', 'train', 0.3)}

ENGINE_ROWS: Dict[str, Row] = {
    **{
        f'mxnet-{key}-{batch}': _in_mxnet(context, name, export, bound if batch == 8 else 1.0, batch)
        for key, context, name, export, bound in (
            ('openvino', _CBAM, '', 'the official CBAM-ResNet-50', 0.9),
            ('openvino-plain', _PLAIN, '', 'ResNet-50', 1.0),
            ('openvino-faces', _FACES, '', 'modified_cbamnet50, 112 x 112', 1.0),
        )
        for batch in (8, 1)
    },
    'training-torch-compiled-8': Row(
        'ours, training step / PyTorch, channels_last, torch.compile, CBAM-ResNet-50, batch 8',
        at_most(0.6),
        ratio(_CBAM.replace(mode='train'), _CBAM.replace(mode='train', engine='torch compiled', label=''), part=0.5),
    ),
    **{
        f'{engine}-{batch}': Row(
            f'official ONNX / our ONNX, {title}, batch {batch}',
            at_least(1.2),
            ratio(
                _official(_CBAM.replace(batch=batch), engine),
                _CBAM.replace(batch=batch, engine=engine, label=f'{engine}, our file'),
                part=8 / batch,
            ),
        )
        for engine, title in _ENGINES.items()
        for batch in (1, 8)
    },
    **{
        f'onnxruntime-int8-{batch}': Row(
            f'official ONNX / our INT8 ONNX, ONNX Runtime, batch {batch}',
            at_least(2.5),
            ratio(_official(_CBAM.replace(batch=batch), 'onnxruntime'), _other_int8(batch)[0], part=8 / batch),
        )
        for batch in (1, 8)
    },
    **{
        f'int8-{batch}': Row(
            f'CBAM-ResNet-50 float32 / native INT8, inference, batch {batch}',
            at_least(3),
            ratio(_CBAM.replace(batch=batch, label='float32'), _native_int8(batch), part=8 / batch),
        )
        for batch in (1, 8)
    },
    **{
        f'int8-fastest-{batch}': Row(
            f'native INT8 / the fastest INT8 of ONNX Runtime and OpenVINO, CBAM-ResNet-50, inference, batch {batch}, '
            f'{CALIBRATION_IMAGES} calibration images',
            at_most(1.0),
            ratio_to_fastest(_native_int8(batch), _other_int8(batch), part=8 / batch),
        )
        for batch in (1, 8)
    },
    **{
        f'avx2-gluoncv2-{key}-8': Row(
            f"AVX2 only: gluoncv2's CBAM-ResNet-50 / ours, {title}, batch 8",
            at_least(3),
            ratio(_THEIRS_AVX2.replace(mode=mode), _OURS_AVX2.replace(mode=mode), warm_up=1, part=part),
        )
        for key, (title, mode, part) in _MODES.items()
    },
    **{
        f'avx2-{key}-8': Row(
            f'AVX2 only: CBAM-ResNet-50 / ResNet-50, {title}, batch 8',
            at_most(1.15),
            ratio(_OURS_AVX2.replace(mode=mode), _PLAIN_AVX2.replace(mode=mode), warm_up=1, part=part),
        )
        for key, (title, mode, part) in _MODES.items()
    },
    'inference-memory-8': Row(
        "ours / ONNX Runtime's process, peak memory of inference, imports included, CBAM-ResNet-50, batch 8",
        at_most(1.0),
        ratio(_CBAM, _CBAM.replace(engine='onnxruntime', label=''), 'process memory', part=0),
    ),
}
"""Key -> row, in the order of the table."""

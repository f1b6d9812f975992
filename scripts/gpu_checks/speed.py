"""Images per second of CBAM-ResNet-50 and ResNet-50, beside what others published for ResNet-50 on MXNet."""

from typing import NamedTuple

import gluon_cbam  # noqa: F401 (prepares the import of mxnet)

# isort: split
import mxnet as mx

from gluon_cbam.benchmarks import cbam_workloads
from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.benchmarks.workload import repetition

from .recorder import Recorder, Skipped
from .setting import Setting

_NETWORKS = 'resnet50', 'cbam_resnet50'
_WORKLOADS = {'training': cbam_workloads.train, 'inference': cbam_workloads.predict}
_ENOUGH = 10e9  # bytes of a GPU for training with 64 images


class Published(NamedTuple):
    """Images per second that others published.

    Attributes:
        gpu: the GPU.
        dtype: ``float32`` (TF32 there) or ``float16`` (mixed precision).
        images: images per second of training ResNet-50 on one such GPU.
    """

    gpu: str
    dtype: str
    images: int


PUBLISHED = Published('A100', 'float32', 1056), Published('A100', 'float16', 3411)
SOURCE = (
    'NVIDIA DeepLearningExamples, ResNet-50 v1.5 on MXNet, a newer build with channels last and decoding on the GPU: a '
    'ceiling for the plain network'
)


def float32(setting: Setting, record: Recorder) -> None:
    """Measure in float32."""
    _measure(setting, record, 'float32')


def float16(setting: Setting, record: Recorder) -> None:
    """Measure in float16: mixed precision in training, all of the network in inference."""
    if setting.gpus is None:
        raise Skipped('MXNet has no float16 on CPUs')
    _measure(setting, record, 'float16')


def _measure(setting: Setting, record: Recorder, dtype: str) -> None:
    """A figure for each network and workload on one device; inference first, since training changes MXNet's types."""
    batch, size, calls = _amount(setting)
    record.note(f'{batch} images of {size} x {size} in memory, on one device')
    for mode in ('inference', 'training'):
        speeds = []
        for network in _NETWORKS:
            with record.part(f'{mode}, {network}'):
                context = BenchmarkContext('train', network=network, batch=batch, image_size=size, dtype=dtype,
                                           **setting.training())  # fmt: skip
                with _WORKLOADS[mode](context) as workload:
                    repetition(workload, 3)  # the search for algorithms
                    speeds.append(workload.images / repetition(workload, calls))
                record.figure(f'{mode}, {network}', speeds[-1], unit='images/s')
        if len(speeds) == len(_NETWORKS):
            record.figure(f'{mode}, time of cbam_resnet50 over that of resnet50', speeds[0] / speeds[1])
    for row in PUBLISHED:
        if row.dtype == dtype:
            record.note(f'published: {row.images} images/s for training ResNet-50 on one {row.gpu}; {SOURCE}')


def _amount(setting: Setting) -> tuple:
    """Images in a batch, their size, and calls."""
    if setting.gpus is None:
        return 2, 32, 1
    total = mx.context.gpu_memory_info(setting.numbers()[0])[1]
    return 64 if total >= _ENOUGH else 16, 224, 5 if setting.quick else 30

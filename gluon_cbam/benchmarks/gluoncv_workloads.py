"""Workloads of GluonCV's detectors, built from its own classes with the maps, anchors and classes of ours.

Both engines of :mod:`.gluoncv_maps` run hybridized with static memory. GluonCV makes its targets in the processes of
its data loader, on the CPU; here they are part of the step, as ours are. Its images are normalized beforehand.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, NamedTuple

import mxnet as mx
from mxnet.gluon import HybridBlock

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.ops.tracing import use_fused_ops
from gluon_cbam.tasks.detection.examples import noise_batch as noise_with_boxes

from . import gluoncv_rcnn, gluoncv_ssd
from .cbam_workloads import noise_batch
from .context import BenchmarkContext
from .gluoncv2_workloads import single_device
from .gluoncv_maps import FUSED
from .workload import Workload


class _Detector(NamedTuple):
    """A detector of GluonCV.

    Attributes:
        network: from a context to the network, not initialized.
        loss: from the network, images and boxes to a function that computes the loss with gradients recorded.
    """

    network: Callable[[BenchmarkContext], HybridBlock]
    loss: Callable[[HybridBlock, mx.nd.NDArray, mx.nd.NDArray], Callable[[], Any]]


_SSD = _Detector(gluoncv_ssd.network, gluoncv_ssd.loss)
_DETECTORS: Dict[str, _Detector] = {
    'ssd_300': _SSD,
    'ssd_512': _SSD,
    'faster_rcnn_fpn': _Detector(gluoncv_rcnn.network, gluoncv_rcnn.loss),
}
"""Name of our network -> theirs."""


def network(context: BenchmarkContext) -> HybridBlock:
    """GluonCV's detector like one of ours.

    Args:
        context: description of the measurement.

    Returns:
        The network, initialized and hybridized.

    Raises:
        UsageError: GluonCV has no such detector, or gluoncv2 has no such backbone.
    """
    net = _detector(context).network(context)
    if context.engine == FUSED:
        use_fused_ops(net)
    net.initialize(ctx=single_device(context))
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def _detector(context: BenchmarkContext) -> _Detector:
    name = context.network
    if name not in _DETECTORS:
        raise UsageError(f'GluonCV has no detector like {name} here: {closest(name, _DETECTORS)}')
    return _DETECTORS[name]


@contextmanager
def predict(context: BenchmarkContext) -> Iterator[Workload]:
    """Detections in a batch of noise.

    Args:
        context: description of the measurement.

    Yields:
        The workload.
    """
    ctx = single_device(context)
    net, batch = network(context), noise_batch(context, ctx)
    yield Workload(context.batch, lambda: net(batch), mx.nd.waitall, str(ctx))


@contextmanager
def train(context: BenchmarkContext) -> Iterator[Workload]:
    """Targets, forward, backward and update by SGD with momentum, on a batch of noise.

    Args:
        context: description of the measurement.

    Yields:
        The workload.
    """
    ctx = single_device(context)
    net, batch = network(context), noise_batch(context, ctx)
    boxes = noise_with_boxes(context.batch, context.image_size, context.classes).boxes.as_in_context(ctx)
    loss = _detector(context).loss(net, batch, boxes)
    trainer = mx.gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 1e-3, 'momentum': 0.9, 'wd': 5e-4})

    def step() -> None:
        mx.autograd.backward(loss())
        trainer.step(1)  # both losses are divided already

    yield Workload(context.batch, step, mx.nd.waitall, str(ctx))

"""Workloads of GluonCV's detectors, built from its own classes with the maps, anchors and classes of ours.

There are two engines, which differ in the maps that the detector reads:

* ``gluoncv``: those of gluoncv2's CBAM-ResNet, which is what runs without this package, on MXNet's operators;
* ``gluoncv fused``: those of our backbone, on the operators that are compiled for it, so that the rest of the detector
  is compared.

The layers after the backbone are ours in both: they are GluonCV's, layer for layer. Both run hybridized with static
memory. GluonCV makes its targets in the processes of its data loader, on the CPU; here they are part of the step, as
ours are. Its images are normalized beforehand.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator, List, Sequence

import mxnet as mx
from mxnet.gluon import HybridBlock

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection.anchor_detector import AnchorDetector
from gluon_cbam.models.detection_variants import SSDS, SSDVariant
from gluon_cbam.models.registry import build
from gluon_cbam.ops.tracing import use_fused_ops
from gluon_cbam.tasks.detection.examples import noise_batch as noise_with_boxes

from .cbam_workloads import noise_batch
from .context import BenchmarkContext
from .gluoncv2_workloads import gluoncv2_name, single_device
from .workload import Workload

FUSED = 'gluoncv fused'
"""The engine whose backbone is ours."""
_FIRST_STRIDE = 4  # of the first stage of gluoncv2's networks


class _Stages(HybridBlock):
    """The maps of gluoncv2's CBAM-ResNet at some strides, in the place of our backbone.

    Args:
        network: the network.
        strides: the strides.
    """

    def __init__(self, network: HybridBlock, strides: Sequence[int]) -> None:
        super().__init__()
        self.stem, *stages = network.features._children.values()
        self._numbers = [(stride // _FIRST_STRIDE).bit_length() - 1 for stride in strides]
        self._stages = stages[: max(self._numbers) + 1]
        for number, stage in enumerate(self._stages):
            self.register_child(stage, str(number))

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> List[Tensor]:
        maps, x = [], self.stem(x)
        for stage in self._stages:
            x = stage(x)
            maps.append(x)
        return [maps[number] for number in self._numbers]


class _Maps(HybridBlock):
    """The maps of one of our detectors.

    Args:
        detector: the detector.
    """

    def __init__(self, detector: AnchorDetector) -> None:
        super().__init__()
        self._maps = detector.maps
        for name in ('backbone', 'extras'):
            self.register_child(getattr(detector, name), name)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> List[Tensor]:
        return self._maps(F, x)


def network(context: BenchmarkContext) -> HybridBlock:
    """GluonCV's SSD with the maps and anchors of one of ours.

    Args:
        context: description of the measurement.

    Returns:
        The network, not initialized.

    Raises:
        UsageError: GluonCV has no such detector, or gluoncv2 has no such backbone.
    """
    from gluoncv.model_zoo import SSD

    row = _row(context.network)
    ours = build(row.name, classes=context.classes, **context.options)
    if context.engine != FUSED:
        from gluoncv2.model_provider import get_model

        theirs = get_model(gluoncv2_name(context.options.get('backbone', row.backbone)))
        object.__setattr__(ours, 'backbone', _Stages(theirs, ours.backbone.strides))  # of another type of block
    maps, size, cells = _Maps(ours), row.image_size, ours.map_sizes(row.image_size, row.image_size)
    steps = [step or size / columns for step, (_, columns) in zip(row.steps, cells)]
    names = [str(number) for number in range(context.classes)]
    net = SSD(None, size, lambda **_: maps, None, row.sizes, [list(ratios) for ratios in row.ratios], steps, names)
    if context.engine == FUSED:
        use_fused_ops(net)
    return net


def _row(name: str) -> SSDVariant:
    rows = {row.name: row for row in SSDS if row.head_kernel == 3}
    if name not in rows:
        raise UsageError(f'GluonCV has no detector like {name} here: {closest(name, rows)}')
    return rows[name]


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
    net.initialize(ctx=ctx)
    net.hybridize(static_alloc=True, static_shape=True)
    yield Workload(context.batch, lambda: net(batch), mx.nd.waitall, str(ctx))


@contextmanager
def train(context: BenchmarkContext) -> Iterator[Workload]:
    """Targets, forward, backward and update by SGD with momentum, as GluonCV's ``train_ssd.py``, on a batch of noise.

    Args:
        context: description of the measurement.

    Yields:
        The workload.
    """
    ctx = single_device(context)
    step = _ssd_step(context, ctx)
    yield Workload(context.batch, step, mx.nd.waitall, str(ctx))


def _ssd_step(context: BenchmarkContext, ctx: mx.Context) -> Callable[[], Any]:
    from gluoncv.loss import SSDMultiBoxLoss
    from gluoncv.model_zoo.ssd.target import SSDTargetGenerator

    net, batch = network(context), noise_batch(context, ctx)
    net.initialize(ctx=ctx)
    net.hybridize(static_alloc=True, static_shape=True)
    with mx.autograd.train_mode():
        anchors = net(batch)[2]
    loss, generator = SSDMultiBoxLoss(), SSDTargetGenerator(negative_mining_ratio=-1)
    trainer = mx.gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 1e-3, 'momentum': 0.9, 'wd': 5e-4})
    rows = noise_with_boxes(context.batch, context.image_size, context.classes).boxes.as_in_context(ctx)
    classes, corners = rows[:, :, :1], rows[:, :, 1:]

    def step() -> None:
        found = [generator(anchors, None, corners[i : i + 1], classes[i : i + 1]) for i in range(context.batch)]
        labels, offsets = (mx.nd.concat(*parts, dim=0) for parts in list(zip(*found))[:2])
        with mx.autograd.record():
            logits, boxes, _ = net(batch)
            losses, _, _ = loss(logits, boxes, labels, offsets)
        mx.autograd.backward(losses)
        trainer.step(1)

    return step

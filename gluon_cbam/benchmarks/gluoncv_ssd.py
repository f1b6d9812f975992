"""GluonCV's SSD with the maps, anchors and classes of one of ours; see :mod:`.gluoncv_maps`."""

from __future__ import annotations

from typing import Any, Callable

import mxnet as mx
from mxnet.gluon import HybridBlock

from gluon_cbam.models.detection_variants import SSDS

from .context import BenchmarkContext
from .gluoncv_maps import Maps, detector_on


def network(context: BenchmarkContext) -> HybridBlock:
    """Build the network.

    Args:
        context: description of the measurement.

    Returns:
        The network, not initialized.
    """
    from gluoncv.model_zoo import SSD

    row = next(row for row in SSDS if row.name == context.network)
    ours = detector_on(context, row.backbone)
    maps, size, cells = Maps(ours), row.image_size, ours.map_sizes(row.image_size, row.image_size)
    steps = [step or size / columns for step, (_, columns) in zip(row.steps, cells)]
    names = [str(number) for number in range(context.classes)]
    return SSD(None, size, lambda **_: maps, None, row.sizes, [list(ratios) for ratios in row.ratios], steps, names)


def loss(net: HybridBlock, images: mx.nd.NDArray, boxes: mx.nd.NDArray) -> Callable[[], Any]:
    """The loss of GluonCV's ``train_ssd.py``, with its targets, which its data loader makes of one image at a time.

    Args:
        net: the network, initialized.
        images: (N, 3, H, W).
        boxes: (N, M, 5): class, xmin, ymin, xmax and ymax.

    Returns:
        A function that computes the loss with gradients recorded.
    """
    from gluoncv.loss import SSDMultiBoxLoss
    from gluoncv.model_zoo.ssd.target import SSDTargetGenerator

    with mx.autograd.train_mode():
        anchors = net(images)[2]
    criterion, generator = SSDMultiBoxLoss(), SSDTargetGenerator(negative_mining_ratio=-1)
    classes, corners = boxes[:, :, :1], boxes[:, :, 1:]

    def compute() -> Any:
        found = [generator(anchors, None, corners[i : i + 1], classes[i : i + 1]) for i in range(len(images))]
        labels, offsets = (mx.nd.concat(*parts, dim=0) for parts in list(zip(*found))[:2])
        with mx.autograd.record():
            logits, of_boxes, _ = net(images)
            return criterion(logits, of_boxes, labels, offsets)[0]

    return compute

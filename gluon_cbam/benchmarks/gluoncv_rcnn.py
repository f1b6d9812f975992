"""GluonCV's Faster R-CNN on the pyramid of ours, with its anchors, numbers and classes; see :mod:`.gluoncv_maps`.

A fault of GluonCV is mended, without which it has not the same outputs twice: its RoIs of other levels are left as the
memory was by the operator of MXNet on the CPU. Here every RoI is pooled from every map, and the one of its level is
taken.
"""

from __future__ import annotations

from typing import Any, Callable, List, Sequence, Tuple

import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock, nn

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection_variants import FASTER_RCNNS

from .context import BenchmarkContext
from .gluoncv_maps import Maps, detector_on

_STAGES = (2, 6)  # the levels of the pyramid, of strides 4 to 64
_CANONICAL, _AT = 224.0, 4  # a RoI of this size is pooled from this level


def network(context: BenchmarkContext) -> HybridBlock:
    """Build the network, for batches of the context.

    Args:
        context: description of the measurement.

    Returns:
        The network, not initialized.
    """
    from gluoncv.model_zoo.rcnn.faster_rcnn import FasterRCNN

    class Mended(FasterRCNN):
        def _pyramid_roi_feats(
            self, F: OpNamespace, features: Sequence[Tensor], rpn_rois: Tensor, *sizes: Any, **kwargs: Any
        ) -> Tensor:
            return _pooled(F, features, rpn_rois, self._roi_size, self._strides)

    row = next(row for row in FASTER_RCNNS if row.name == context.network)
    head = nn.HybridSequential()
    for _ in range(2):
        head.add(nn.Dense(1024), nn.Activation('relu'))
    names, scales = [str(number) for number in range(context.classes)], tuple(size / 16 for size in row.anchor_sizes)
    return Mended(
        Maps(detector_on(context, row.backbone, frozen=True)), None, names, head,
        min_stage=_STAGES[0], max_stage=_STAGES[1], nms_thresh=row.nms_threshold, nms_topk=-1, post_nms=-1,
        roi_size=(row.roi_size,) * 2, strides=row.strides, rpn_channel=row.region_channels, base_size=16,
        scales=scales, ratios=row.ratios, alloc_size=(256, 256), rpn_train_pre_nms=row.training_candidates,
        rpn_train_post_nms=row.training_proposals, rpn_test_pre_nms=row.test_candidates,
        rpn_test_post_nms=row.proposals, rpn_min_size=row.smallest_proposal, per_device_batch_size=context.batch,
        num_sample=row.samples,
    )  # fmt: skip


def _pooled(
    F: OpNamespace, features: Sequence[Tensor], rois: Tensor, size: Tuple[int, int], strides: Sequence[int]
) -> Tensor:
    """Each RoI (R, 5) pooled from the map of its level, of strides 4 to 32."""
    _, left, top, right, bottom = F.split(rois, axis=-1, num_outputs=5)
    side = F.sqrt((right - left + 1) * (bottom - top + 1))
    level = F.squeeze(F.clip(F.floor(_AT + F.log2(side / _CANONICAL + 1e-6)), _STAGES[0], _STAGES[1] - 1))
    parts: List[Tensor] = []
    for number, (each, stride) in enumerate(zip(features[:4], strides), _STAGES[0]):
        pooled = F.contrib.ROIAlign(each, rois, size, 1.0 / stride, sample_ratio=2)
        parts.append(F.where(level == number, pooled, F.zeros_like(pooled)))
    return F.add_n(*parts)


def loss(net: HybridBlock, images: mx.nd.NDArray, boxes: mx.nd.NDArray) -> Callable[[], Any]:
    """The loss of GluonCV's ``train_faster_rcnn.py``, with the targets of its anchors, which its data loader makes.

    Args:
        net: the network, initialized.
        images: (N, 3, H, W).
        boxes: (N, M, 5): class, xmin, ymin, xmax and ymax.

    Returns:
        A function that computes the loss with gradients recorded.
    """
    from gluoncv.model_zoo.rcnn.rpn.rpn_target import RPNTargetGenerator

    of_anchors, of_rois = mx.gluon.loss.SigmoidBCELoss(), mx.gluon.loss.SoftmaxCrossEntropyLoss()
    huber, roi_huber = mx.gluon.loss.HuberLoss(1 / 9), mx.gluon.loss.HuberLoss(1)
    corners, classes, generator = boxes[:, :, 1:], boxes[:, :, :1], RPNTargetGenerator()
    net.target_generator  # noqa: B018 (made before the trainer, with its parameters)
    with mx.autograd.train_mode():
        anchors = mx.nd.concat(*net(images, corners, classes)[7], dim=1)[0]
    height, width = images.shape[2:]

    def compute() -> Any:
        found = [generator(each, anchors, width, height) for each in corners]
        labels, offsets, masks = (mx.nd.array(np.stack([_numpy(x) for x in each])) for each in zip(*found))
        with mx.autograd.record():
            logits, of_boxes, _, _, _, scores, shifts, _, targets, wanted, chosen, _ = net(images, corners, classes)
            count, rois = (labels >= 0).sum(), (targets >= 0).sum()
            terms = [
                of_anchors(scores.squeeze(axis=-1), labels, labels >= 0) * labels.size / count,
                huber(shifts, offsets, masks) * shifts.size / count,
                of_rois(logits, targets, targets.expand_dims(-1) >= 0) * targets.size / rois,
                roi_huber(of_boxes, wanted, chosen) * of_boxes.size / rois,
            ]
            return mx.nd.add_n(*(term.sum() for term in terms))

    return compute


def _numpy(values: Any) -> np.ndarray:
    return values.asnumpy() if isinstance(values, mx.nd.NDArray) else np.asarray(values)

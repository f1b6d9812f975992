"""The loss of CenterNet (Zhou et al., arXiv 1904.07850, equations 1 to 4)."""

from __future__ import annotations

from typing import Sequence, Tuple

import mxnet as mx

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection.centernet import STRIDE, CenterNet
from gluon_cbam.models.detection.picking import of_each
from gluon_cbam.tasks.detection.targets.centernet import CenterNetTargets, PointTargets
from gluon_cbam.tasks.protocols import Settings

from .criterion import Criterion, Place

SIZE_WEIGHT = 0.1
"""The factor of the term of the sizes (section 3 of the paper)."""


class CenterNetLoss(mx.gluon.HybridBlock):
    """Focal loss of the heat map, and L1 loss of sizes and offsets in the cells of the centers.

    The exponents of the focal loss are those of the paper, 2 and 4. It is computed from logits, so that a logit of any
    size has a gradient; GluonCV limits probabilities to 0.0001 ... 0.9999. As in GluonCV and in the code of the paper,
    the L1 losses are means over both coordinates. The sums are not divided: a training loop divides them by the objects
    of the whole batch.

    Inputs:
        The outputs of a network, see :class:`gluon_cbam.models.detection.centernet.CenterNet`, and the parts of
        :class:`gluon_cbam.tasks.detection.targets.centernet.PointTargets`.

    Outputs:
        Focal loss (N,), L1 loss of the sizes (N,) and of the offsets (N,), summed over the cells of an image.
    """

    def hybrid_forward(
        self,
        F: OpNamespace,
        logits: Tensor,
        sizes: Tensor,
        offsets: Tensor,
        heatmap: Tensor,
        cells: Tensor,
        true_sizes: Tensor,
        true_offsets: Tensor,
        objects: Tensor,
    ) -> Tuple[Tensor, Tensor, Tensor]:
        """See :class:`CenterNetLoss`."""
        score = F.sigmoid(logits)
        center, other = heatmap == 1, (heatmap >= 0) * (heatmap < 1)
        of_centers = F.Activation(-logits, act_type='softrelu') * F.square(1 - score)  # -log(score), and its factor
        of_others = F.Activation(logits, act_type='softrelu') * F.square(score)  # -log(1 - score)
        focal = of_centers * center + of_others * F.square(F.square(1 - heatmap)) * other
        distances = []
        for found, wanted in ((sizes, true_sizes), (offsets, true_offsets)):
            values = F.transpose(found, axes=(0, 2, 3, 1)).reshape((0, -1, 2))
            distances.append(F.sum(F.mean(F.abs(of_each(F, values, cells) - wanted), axis=2) * objects, axis=1))
        return (F.sum(focal, axis=0, exclude=True), *distances)


class CenterNetCriterion(Criterion):
    """Trains CenterNet by :class:`CenterNetLoss`, divided by the objects.

    Args:
        net: a network like the one that is trained, for the size of its maps; not initialized.
        settings: the settings of the run.
        crowds: whether there may be crowd regions.
    """

    def __init__(self, net: CenterNet, settings: Settings, crowds: bool) -> None:
        self._net = net
        self._targets = CenterNetTargets(net.classes, STRIDE, crowds)
        self._loss = CenterNetLoss()
        self._loss.hybridize(static_alloc=True, static_shape=True)
        weight = settings['box_weight']
        self._weights = 1.0, SIZE_WEIGHT * weight, weight

    def targets(self, boxes: mx.nd.NDArray, height: int, width: int, place: Place) -> PointTargets:
        """The targets of :class:`gluon_cbam.tasks.detection.targets.centernet.CenterNetTargets`."""
        return self._targets(boxes, *self._net.map_size(height, width))

    def divisors(self, targets: Sequence[mx.nd.NDArray]) -> mx.nd.NDArray:
        """The objects."""
        return PointTargets(*targets).objects.sum(axis=1)

    def __call__(
        self, net: mx.gluon.HybridBlock, images: mx.nd.NDArray, targets: Sequence[mx.nd.NDArray]
    ) -> Tuple[Sequence[mx.nd.NDArray], mx.nd.NDArray]:
        """The terms of the heat map, of the sizes and of the offsets."""
        terms = self._loss(*net(images), *targets)
        return [term * weight for term, weight in zip(terms, self._weights)], self.divisors(targets)

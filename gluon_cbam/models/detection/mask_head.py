"""The head that computes masks of RoIs, and its targets (He et al., ICCV 2017, section 3 and figure 4)."""

from __future__ import annotations

from typing import Any, Tuple

from mxnet import init
from mxnet.gluon import nn

from gluon_cbam.attention.base import apply_attention
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.tracing import FusedBlock

from .boxes import halves
from .picking import of_each
from .region_heads import AttentionFactory

MASK_SIDE, UNKNOWN = 112, 255
"""Pixels of an object's mask along each side of its box, and the value of every pixel for an object without a mask."""
_CONVOLUTIONS = 4
_SAMPLES = 4  # of a cell of a target along each side
_SMALLEST = 1e-3  # pixels


class MaskHead(FusedBlock):
    """Four convolutions 3 x 3 with ReLU, after attention, if any; a deconvolution 2 x 2 with ReLU; a convolution 1 x 1.

    Args:
        channels: C.
        width: channels of each convolution.
        classes: classes without the background.
        attention: makes the module before the convolutions.

    Inputs:
        (R, C, S, S), pooled RoIs.

    Outputs:
        (R, classes, 2 S, 2 S), a logit for each pixel of the mask of each class.
    """

    def __init__(
        self, channels: int, width: int, classes: int, attention: AttentionFactory = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        weights = init.Xavier(rnd_type='gaussian', factor_type='out', magnitude=2)
        with self.name_scope():
            self.attention = attention(channels) if attention else None
            self.convs = nn.HybridSequential()
            for number in range(_CONVOLUTIONS):
                before = width if number else channels
                self.convs.add(
                    nn.Conv2D(width, 3, 1, 1, activation='relu', in_channels=before, weight_initializer=weights)
                )
            self.deconv = nn.Conv2DTranspose(
                width, 2, 2, activation='relu', in_channels=width, weight_initializer=weights
            )  # fmt: skip
            self.predictor = nn.Conv2D(classes, 1, in_channels=width, weight_initializer=weights)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """See :class:`MaskHead`."""
        if self.attention is not None:
            x = apply_attention(F, self.attention, x)
        return self.predictor(self.deconv(self.convs(x)))


def of_class(F: OpNamespace, masks: Tensor, classes: Tensor, count: int, size: int) -> Tensor:
    """The mask of one class of each RoI.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        masks: (N count, classes, size, size).
        classes: (N, count), from 0.
        count: RoIs of an image.
        size: pixels of a mask along each side.

    Returns:
        (N, count, size, size) float32.
    """
    flat = F.cast(masks, dtype='float32').reshape((0, 0, -1))
    return of_each(F, flat, classes.reshape((-1, 1))).reshape((-1, count, size, size))


def mask_targets(
    F: OpNamespace, masks: Tensor, objects: Tensor, rois: Tensor, numbers: Tensor, count: int, size: int
) -> Tuple[Tensor, Tensor]:
    """Compute the masks that RoIs should have: the part of each object's mask that a RoI shows.

    Masks are sampled bilinearly, at 4 x 4 places of a pixel of the target, as GluonCV's and torchvision's are by
    RoIAlign, so that pixels at the outline have values between 0 and 1.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        masks: (N, M, S, S) with S = :data:`MASK_SIDE`, the pixels of each object within its box, 0 or 1;
            :data:`UNKNOWN` for one without a mask.
        objects: (N, M, 5): class, xmin, ymin, xmax and ymax of each box.
        rois: (N, P, 4), xmin, ymin, xmax and ymax.
        numbers: (N, P), the number of the object that each RoI is of.
        count: P.
        size: pixels of a target along each side.

    Returns:
        (N, P, size, size), 0 to 1, and whether the mask of the object is known, (N, P); without gradients.
    """
    chosen = F.cast(of_each(F, masks.reshape((0, 0, -1)), numbers), dtype='float32')  # (N, P, S S)
    known = F.slice_axis(chosen, axis=2, begin=0, end=1).reshape((0, -1)) < UNKNOWN
    low, high = halves(F, F.slice_axis(of_each(F, objects, numbers), axis=2, begin=1, end=5))
    begin, end = (F.broadcast_div(each - low, F.maximum(high - low, _SMALLEST)) for each in halves(F, rois))
    frames = (F.concat(begin, end, dim=2) * MASK_SIDE).reshape((-1, 4))
    rows = F.concat(F.contrib.arange_like(frames, axis=0).reshape((-1, 1)), frames, dim=1)
    pictures = chosen.reshape((-1, 1, MASK_SIDE, MASK_SIDE))
    targets = F.contrib.ROIAlign(
        pictures, rows, pooled_size=(size, size), spatial_scale=1.0, sample_ratio=_SAMPLES, aligned=True
    )
    return F.BlockGrad(targets.reshape((-1, count, size, size))), F.BlockGrad(known)

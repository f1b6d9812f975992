"""The heads of single shot detectors: for each map, what its anchors are, and where the boxes are."""

from __future__ import annotations

from typing import Any, Callable, Optional, Tuple

from mxnet import init
from mxnet.gluon import HybridBlock, nn

from gluon_cbam.attention.base import apply_attention
from gluon_cbam.attention.blocks import boolean
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.convolution import convolve_together
from gluon_cbam.ops.tracing import FusedBlock


class LevelHead(FusedBlock):
    """Two convolutions of a map: class logits and box offsets; attention before them is optional.

    The CBAM paper (section 5.5) puts attention "right before every classifier", and leaves open whether the boxes are
    computed from the refined map, too.

    Args:
        channels: channels of the map.
        anchors: anchors of each cell.
        outputs: logits of each anchor.
        attention: None, or a function from the number of channels to the attention module.
        attend_boxes: whether the boxes are computed from the refined map.
        kernel: size of the kernels of both convolutions.

    Inputs:
        (N, channels, H, W).

    Outputs:
        Logits (N, H W anchors outputs) and offsets (N, H W anchors 4), cells row by row, then the anchors of a cell.
    """

    def __init__(
        self,
        channels: int,
        anchors: int,
        outputs: int,
        attention: Optional[Callable[[int], HybridBlock]] = None,
        attend_boxes: bool = False,
        kernel: int = 3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._attend_boxes = boolean('attend_boxes', attend_boxes)
        with self.name_scope():
            self.attention = attention(channels) if attention else None
            self.class_predictor = _predictor(anchors * outputs, channels, kernel)
            self.box_predictor = _predictor(anchors * 4, channels, kernel)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tuple[Tensor, Tensor]:
        """See :class:`LevelHead`."""
        refined = x if self.attention is None else apply_attention(F, self.attention, x)
        if self._attend_boxes or self.attention is None:
            maps = convolve_together(F, refined, [self.class_predictor, self.box_predictor])
        else:
            maps = [
                *convolve_together(F, refined, [self.class_predictor]),
                *convolve_together(F, x, [self.box_predictor]),
            ]
        return tuple(F.flatten(F.transpose(each, axes=(0, 2, 3, 1))) for each in maps)


def _predictor(outputs: int, channels: int, kernel: int) -> nn.Conv2D:
    weights = init.Xavier(magnitude=2)
    return nn.Conv2D(outputs, kernel, padding=kernel // 2, in_channels=channels, weight_initializer=weights)

"""Faster R-CNN with a feature pyramid (Lin et al., CVPR 2017, arXiv 1612.03144), as GluonCV's ``faster_rcnn_fpn``.

The proposal network reads every map of the pyramid; RoIs are pooled from the map of their size, 7 x 7, before two dense
layers.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Tuple

from mxnet.gluon import HybridBlock

from gluon_cbam.attention.blocks import positive_int
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection_variants import FasterRCNNVariant
from gluon_cbam.models.features import Features
from gluon_cbam.models.options import option_names

from .backbone import chosen_backbone, known_options
from .faster_rcnn import FasterRCNN
from .fpn import FeaturePyramid
from .region_heads import AttentionFactory, DenseHead
from .roi_pooling import pool_levels

_POOLED = 4  # maps that RoIs are pooled from: strides 4 to 32


class FasterRCNNFPN(FasterRCNN):
    """See the docstring of the module.

    Args:
        variant: see :class:`.faster_rcnn.FasterRCNN`.
        pyramid_channels: channels of the maps of the pyramid.
        head_channels: outputs of each dense layer.
        **options: see :class:`.faster_rcnn.FasterRCNN`. The backbone has a stage with stride 4; maps with strides that
            it does not have are made as the coarsest one.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(
        self, variant: FasterRCNNVariant, pyramid_channels: int = 256, head_channels: int = 1024, **options: Any
    ) -> None:
        self._channels = positive_int('pyramid_channels', pyramid_channels)
        self._width = positive_int('head_channels', head_channels)
        super().__init__(variant, **options)

    def _add_maps(self, network: HybridBlock, attention: AttentionFactory) -> Tuple[int, int]:
        strides = self._variant.strides
        stages = _stages(network.stage_strides, strides[:_POOLED])
        self.backbone = Features(network, stages)
        self.pyramid = FeaturePyramid(self.backbone.channels, len(strides) - len(stages), self._channels)
        self.head = DenseHead(self._channels, self._variant.roi_size, self._width, attention)
        return self._channels, self._width

    def maps(self, F: OpNamespace, x: Tensor) -> List[Tensor]:
        """See :meth:`.faster_rcnn.FasterRCNN.maps`."""
        return list(self.pyramid(*self.backbone(x)))

    def vectors(self, F: OpNamespace, maps: Sequence[Tensor], rois: Tensor) -> Tensor:
        """See :meth:`.faster_rcnn.FasterRCNN.vectors`."""
        return self.head(self.pooled(F, maps, rois, self._variant.roi_size))

    def pooled(self, F: OpNamespace, maps: Sequence[Tensor], rois: Tensor, size: int) -> Tensor:
        """Pool RoIs (R, 5) from the maps of their sizes: (R, channels, size, size)."""
        return pool_levels(F, maps[:_POOLED], rois, self._variant.strides[:_POOLED], self._channels, size)


def _stages(found: Sequence[int], wanted: Sequence[int]) -> List[int]:
    """The last stage of each stride, as long as there is one."""
    last = {stride: number for number, stride in enumerate(found)}
    if wanted[0] not in last:
        raise ValueError(f'a feature pyramid needs a stage with a stride of {wanted[0]}, got strides {tuple(found)}')
    missing = [number for number, stride in enumerate(wanted) if stride not in last]
    return [last[stride] for stride in wanted[: missing[0] if missing else None]]


def build(variant: FasterRCNNVariant, **options: Any) -> FasterRCNNFPN:
    """Build the network of a row of :data:`gluon_cbam.models.detection_variants.two_stage.FASTER_RCNNS`.

    Args:
        variant: the row.
        **options: see :func:`options`.

    Returns:
        The network, not initialized.

    Raises:
        ValueError: the value of an option does not fit.
    """
    return FasterRCNNFPN(variant, **options)


def backbone_of(variant: FasterRCNNVariant, options: Mapping[str, Any]) -> Tuple[str, Dict[str, Any]]:
    """The name of the backbone that a network with these options has, and the options of the backbone."""
    return chosen_backbone(FasterRCNN, variant.backbone, options)


def options(variant: FasterRCNNVariant) -> List[str]:
    """List the options that :func:`build` takes for a row: also those of any backbone and of any attention."""
    return list(dict.fromkeys([*option_names(FasterRCNN, FasterRCNNFPN), *known_options()]))

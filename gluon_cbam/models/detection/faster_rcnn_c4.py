"""Faster R-CNN on the map of the third stage (He et al., CVPR 2016, appendix A), GluonCV's ``faster_rcnn_resnet``.

The proposal network reads that map, with stride 16; RoIs are pooled from it, 14 x 14, and the fourth stage of the
backbone follows on each of them, so that the backbone is a ResNet.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from mxnet.gluon import HybridBlock

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.detection_variants import FasterRCNNVariant
from gluon_cbam.models.features import Features
from gluon_cbam.models.options import option_names

from .backbone import chosen_backbone, known_options
from .faster_rcnn import FasterRCNN
from .region_heads import AttentionFactory, PooledHead
from .roi_pooling import pool

_MAP, _TOP = 2, 3  # the stages before and after the pooling


class FasterRCNNC4(FasterRCNN):
    """See the docstring of the module.

    Args:
        variant: see :class:`.faster_rcnn.FasterRCNN`.
        **options: see :class:`.faster_rcnn.FasterRCNN`.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def _add_maps(self, network: HybridBlock, attention: AttentionFactory) -> Tuple[int, int]:
        stride = self._variant.strides[0]
        if not hasattr(network, 'layer4') or network.stage_strides[_MAP] != stride:
            raise ValueError(f'faster_rcnn_c4 needs a ResNet whose third stage has a stride of {stride}, '
                             f'got {type(network).__name__} with strides {tuple(network.stage_strides)}')  # fmt: skip
        self.backbone = Features(network, (_MAP, _TOP))  # for the parameters: the stages are called one by one
        self.head = PooledHead(network.stage_channels[_TOP], attention)
        return network.stage_channels[_MAP], network.stage_channels[_TOP]

    def maps(self, F: OpNamespace, x: Tensor) -> List[Tensor]:
        """See :meth:`.faster_rcnn.FasterRCNN.maps`."""
        return list(islice(self.backbone.network.stage_outputs(F, x), _MAP, _MAP + 1))

    def vectors(self, F: OpNamespace, maps: Sequence[Tensor], rois: Tensor) -> Tensor:
        """See :meth:`.faster_rcnn.FasterRCNN.vectors`."""
        pooled = pool(F, maps[0], rois, self._variant.strides[0], self._variant.roi_size)
        return self.head(self.backbone.network.layer4(pooled))


def build(variant: FasterRCNNVariant, **options: Any) -> FasterRCNNC4:
    """Build the network of a row of :data:`gluon_cbam.models.detection_variants.two_stage.FASTER_RCNNS`.

    Args:
        variant: the row.
        **options: see :func:`options`.

    Returns:
        The network, not initialized.

    Raises:
        ValueError: the value of an option does not fit.
    """
    return FasterRCNNC4(variant, **options)


def backbone_of(variant: FasterRCNNVariant, options: Mapping[str, Any]) -> Tuple[str, Dict[str, Any]]:
    """The name of the backbone that a network with these options has, and the options of the backbone."""
    return chosen_backbone(FasterRCNNC4, variant.backbone, options)


def options(variant: FasterRCNNVariant) -> List[str]:
    """List the options that :func:`build` takes for a row: also those of any backbone and of any attention."""
    return list(dict.fromkeys([*option_names(FasterRCNNC4), *known_options()]))

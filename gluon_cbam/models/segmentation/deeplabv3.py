"""DeepLabV3: atrous spatial pyramid pooling on a dilated backbone (Chen et al., arXiv 1706.05587).

The network is GluonCV's: the last map of a backbone with a stride of 8 is read by a 1 x 1 convolution, by three 3 x 3
convolutions of different dilations and by global pooling; what they give is joined, classified cell by cell, and
resized to the input. Attention, if any, is in the backbone, before the classifier, or both.

The variants are rows of :data:`gluon_cbam.models.segmentation_variants.SEGMENTERS`.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, Tuple

from mxnet.gluon import HybridBlock, nn

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.segmentation_variants import DeepLabV3Variant, FCNVariant
from gluon_cbam.ops.tracing import FusedBlock

from .heads import ConvNorm, PixelClassifier
from .segmenter import Segmenter, backbone_of, options

__all__ = ['DeepLabV3', 'backbone_of', 'build', 'options']

_CHANNELS = 256  # of each branch, of what they are joined to, and before the classifier
_DROPOUT = 0.5


class PyramidPooling(FusedBlock):
    """Atrous spatial pyramid pooling: five branches of 256 channels, joined to 256.

    Args:
        in_channels: channels of the map.
        rates: dilations of the 3 x 3 convolutions.

    Inputs:
        (N, in_channels, H, W).

    Outputs:
        (N, 256, H, W).
    """

    def __init__(self, in_channels: int, rates: Tuple[int, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.branches = nn.HybridSequential(prefix='branches_')
            with self.branches.name_scope():
                self.branches.add(ConvNorm(_CHANNELS, 1, in_channels))
                self.branches.add(*(ConvNorm(_CHANNELS, 3, in_channels, rate) for rate in rates))
            self.pooled = ConvNorm(_CHANNELS, 1, in_channels)
            self.project = ConvNorm(_CHANNELS, 1, (2 + len(rates)) * _CHANNELS)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """See :class:`PyramidPooling`."""
        mean = self.pooled(F.Pooling(x, global_pool=True, pool_type='avg'))  # (N, 256, 1, 1)
        maps = [*(branch(x) for branch in self.branches), F.broadcast_like(mean, x, lhs_axes=(2, 3), rhs_axes=(2, 3))]
        return F.Dropout(self.project(F.concat(*maps, dim=1)), p=_DROPOUT)


class DeepLabV3(Segmenter):
    """A DeepLabV3; see :class:`.segmenter.Segmenter` for its arguments."""

    def add_head(self, variant: FCNVariant, channels: int, attention: Optional[Callable[[int], HybridBlock]]) -> None:
        """See :meth:`.segmenter.Segmenter.add_head`."""
        assert isinstance(variant, DeepLabV3Variant), 'build is called with its rows'
        self.pyramid = PyramidPooling(channels, variant.rates)
        self.head = PixelClassifier(_CHANNELS, _CHANNELS, self.classes, attention)

    def logits_of(self, F: OpNamespace, last: Tensor) -> Tensor:
        """See :meth:`.segmenter.Segmenter.logits_of`."""
        return self.head(self.pyramid(last))


def build(variant: DeepLabV3Variant, **options: Any) -> DeepLabV3:
    """Build the network of a row.

    Args:
        variant: the row.
        **options: see :func:`.segmenter.options`.

    Returns:
        The network, not initialized.

    Raises:
        ValueError: the value of an option does not fit.
    """
    return DeepLabV3(variant, **options)

"""FCN: fully convolutional networks (Long, Shelhamer and Darrell, CVPR 2015, arXiv 1411.4038), on a dilated backbone.

The network is GluonCV's: the last map of a backbone with a stride of 8 is classified cell by cell and resized to the
input, without the skip connections of the paper. Attention, if any, is in the backbone, before the classifier, or both.

The variants are rows of :data:`gluon_cbam.models.segmentation_variants.SEGMENTERS`.
"""

from __future__ import annotations

from typing import Any

from gluon_cbam.models.segmentation_variants import FCNVariant

from .segmenter import Segmenter, backbone_of, options

__all__ = ['FCN', 'backbone_of', 'build', 'options']


class FCN(Segmenter):
    """A fully convolutional network; see :class:`.segmenter.Segmenter` for its arguments."""


def build(variant: FCNVariant, **options: Any) -> FCN:
    """Build the network of a row.

    Args:
        variant: the row.
        **options: see :func:`.segmenter.options`.

    Returns:
        The network, not initialized.

    Raises:
        ValueError: the value of an option does not fit.
    """
    return FCN(variant, **options)

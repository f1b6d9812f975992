"""Predicted masks as files: with a palette, or over their pictures; see :mod:`gluon_cbam.detection.drawn_pictures`."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from gluon_cbam.data.class_masks.palette import encode_with_palette
from gluon_cbam.detection.drawn_pictures import Encode, encoded
from gluon_cbam.tasks.segmentation.prediction import MaskPrediction

from .drawing import draw_mask

_LEAST_SIDE = 400  # pixels, for the legend


def palette_mask(prediction: MaskPrediction, pixels: np.ndarray) -> bytes:
    """The mask of a prediction as a PNG whose values are the classes, in the colors of Pascal VOC."""
    assert prediction.mask is not None, 'the picture was read'
    return encode_with_palette(prediction.mask)


def drawn_masks(classes: Sequence[str]) -> Encode:
    """Draws the mask of a prediction over its picture, at the size of the picture, enlarged if it is small.

    Args:
        classes: names of the classes.
    """

    def draw(prediction: MaskPrediction, pixels: np.ndarray) -> bytes:
        assert prediction.mask is not None, 'the picture was read'
        return encoded(draw_mask(pixels, prediction.mask, classes, max(_LEAST_SIDE, *pixels.shape[:2])))

    return draw

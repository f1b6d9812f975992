"""Augmentation of pictures together with their masks: from decoded pixels to an image of the network's input size.

The rows of :data:`MASK_AUGMENTATIONS` are what ``--augment`` names for segmentation. Pictures are resized bilinearly,
masks to the nearest pixel, so that no classes are mixed; what is beside the picture is ignored.
"""

from __future__ import annotations

from typing import Callable, Dict, NamedTuple

import cv2
import numpy as np

from gluon_cbam.data.class_masks.values import IGNORED
from gluon_cbam.data.resizing import short_side_shape

from .box_color import distortion
from .draws import happens, uniform, up_to
from .preprocessing import Preprocessing

_SCALES = (0.5, 2.0)  # of the short side, over the base size
_BLUR = 1.0  # largest standard deviation in pixels
BASE = 520 / 480
"""The default base size over the short side of the picture that covers the result; see
:func:`gluon_cbam.data.resizing.cover_shape`."""


class MaskedImage(NamedTuple):
    """A picture and its mask.

    Attributes:
        pixels: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8.
    """

    pixels: np.ndarray
    mask: np.ndarray


def fit_mask(mask: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Resize a mask as :meth:`.preprocessing.Preprocessing.crop` does its picture.

    Args:
        mask: (H, W) uint8.
        preprocessing: the preprocessing of the picture.

    Returns:
        (height, width) uint8, of the shape of the preprocessing.
    """
    height, width = mask.shape
    centers = np.arange(max(preprocessing.shape)) + 0.5
    places = np.floor(preprocessing.to_image(np.stack([centers, centers], axis=1), height, width)).astype(np.int64)
    rows, columns = places[: preprocessing.shape[0], 1], places[: preprocessing.shape[1], 0]
    result = np.full((len(rows), len(columns)), IGNORED, np.uint8)
    down, across = (
        np.flatnonzero((each >= 0) & (each < length)) for each, length in ((rows, height), (columns, width))
    )
    result[np.ix_(down, across)] = mask[np.ix_(rows[down], columns[across])]
    return result


def resize(image: MaskedImage, preprocessing: Preprocessing, base: float, rng: np.random.Generator) -> MaskedImage:
    """Resize to the size of the result, as in validation."""
    return MaskedImage(preprocessing.crop(image.pixels), fit_mask(image.mask, preprocessing))


def flip(image: MaskedImage, preprocessing: Preprocessing, base: float, rng: np.random.Generator) -> MaskedImage:
    """:func:`resize`, and the mirror image in half of the cases."""
    return _half_flipped(resize(image, preprocessing, base, rng), rng)


def segmentation(
    image: MaskedImage, preprocessing: Preprocessing, base: float, rng: np.random.Generator
) -> MaskedImage:
    """The augmentation of GluonCV's training of segmentation: scale, crop, flip and blur.

    The short side is resized to 0.5 to 2 times the base size; a part of the size of the result is cropped at random,
    mirrored in half of the cases, and blurred in half of them with a standard deviation of up to a pixel. What a
    smaller picture leaves free has the mean color and is ignored; GluonCV fills it with black, as background.
    """
    cropped = _half_flipped(_scaled_crop(image, preprocessing, base, rng), rng)
    if not happens(rng):
        return cropped
    deviation = uniform(rng, 0, _BLUR)
    return cropped._replace(pixels=cv2.GaussianBlur(cropped.pixels, (0, 0), max(deviation, 1e-3)))


def segmentation_color(
    image: MaskedImage, preprocessing: Preprocessing, base: float, rng: np.random.Generator
) -> MaskedImage:
    """:func:`segmentation` with SSD's distortion of colors, :func:`.box_color.distortion`, instead of the blur."""
    recolor = distortion(rng)
    if recolor is not None:
        image = image._replace(pixels=recolor(image.pixels))
    cropped = _scaled_crop(image, preprocessing, base, rng)
    return _half_flipped(cropped, rng)


def _scaled_crop(
    image: MaskedImage, preprocessing: Preprocessing, base: float, rng: np.random.Generator
) -> MaskedImage:
    """A random part of the picture with a random short side."""
    sizes = preprocessing.shape
    short = max(1, round(base * uniform(rng, *_SCALES)))
    shape = short_side_shape(image.mask.shape[0], image.mask.shape[1], short)
    height, width = (max(1, length) for length in shape)
    pixels = cv2.resize(image.pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    mask = cv2.resize(image.mask, (width, height), interpolation=cv2.INTER_NEAREST)
    top, left = (up_to(rng, max(length - size, 0)) for length, size in zip((height, width), sizes))
    pixels, mask = (each[top : top + sizes[0], left : left + sizes[1]] for each in (pixels, mask))
    below, right = (size - length for length, size in zip(mask.shape, sizes))
    if below or right:
        border = (0, below, 0, right, cv2.BORDER_CONSTANT)
        pixels = cv2.copyMakeBorder(pixels, *border, value=preprocessing.ground)
        mask = cv2.copyMakeBorder(mask, *border, value=IGNORED)
    return MaskedImage(pixels, mask)


def _half_flipped(image: MaskedImage, rng: np.random.Generator) -> MaskedImage:
    return MaskedImage(*(cv2.flip(each, 1) for each in image)) if happens(rng) else image


_Augment = Callable[[MaskedImage, Preprocessing, float, np.random.Generator], MaskedImage]
MASK_AUGMENTATIONS: Dict[str, _Augment] = {
    'segmentation': segmentation,
    'segmentation_color': segmentation_color,
    'flip': flip,
    'none': resize,
}
"""Name -> the function, which takes and returns a picture with its mask; the base size is the short side in pixels that
random scales are relative to."""

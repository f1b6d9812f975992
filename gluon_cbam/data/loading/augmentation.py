"""Augmentation: from the decoded pixels of a training image to an image of the input size of the network.

All resizing is bilinear, as in validation. Area averaging for downscaling was measured and not adopted: it takes
six times as long as a bilinear resize, and half as long as decoding a JPEG of 500 x 375 pixels.
"""

from __future__ import annotations

import math
from typing import Dict, Sequence, Tuple

import cv2
import numpy as np

from gluon_cbam.data.resizing import Region, cover_shape, resize_and_crop

from .color_lighting import color_lighting
from .draws import uniform, up_to
from .policies.enhancement import LUMA
from .policies.step import Step
from .preprocessing import Preprocessing

_AREA = (0.08, 1.0)  # range of the area of a random crop, relative to the image
_LOG_ASPECT = (math.log(3 / 4), math.log(4 / 3))
_TRIES = 10
_FACE_JITTER = 0.125  # of insightface: 0.875 .. 1.125
_FACE_QUALITY = (2, 20)  # of JPEG


def random_crop_box(height: int, width: int, rng: np.random.Generator) -> Tuple[int, int, int, int]:
    """A random box with 8 to 100 % of the area of an image and an aspect ratio of 3/4 to 4/3, log-uniform.

    As in torchvision's RandomResizedCrop, ten boxes are drawn; if none fits into the image, the result is the largest
    centered box with an aspect ratio in this range.

    Args:
        height: height of the image, in pixels.
        width: width of the image, in pixels.
        rng: the random number generator.

    Returns:
        Top, left, height and width of the box, in pixels.
    """
    for _ in range(_TRIES):
        area = height * width * uniform(rng, *_AREA)
        aspect = math.exp(uniform(rng, *_LOG_ASPECT))
        h, w = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < h <= height and 0 < w <= width:
            return up_to(rng, height - h), up_to(rng, width - w), h, w
    narrowest, widest = (math.exp(bound) for bound in _LOG_ASPECT)
    h, w = min(height, round(width / narrowest)), min(width, round(height * widest))
    return (height - h) // 2, (width - w) // 2, h, w


def _random_resized_crop(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    top, left, height, width = random_crop_box(pixels.shape[0], pixels.shape[1], rng)
    size = preprocessing.shape[::-1]
    return cv2.resize(pixels[top : top + height, left : left + width], size, interpolation=cv2.INTER_LINEAR)


def _shift(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    """Resize to cover the size, pad each side by an eighth of it with black, and crop at random."""
    sizes = preprocessing.shape
    shape = cover_shape(pixels.shape[0], pixels.shape[1], *sizes)
    begins = [up_to(rng, length + 2 * (size // 8) - size) - size // 8 for length, size in zip(shape, sizes)]
    inside = [(max(0, begin), min(length, begin + size)) for begin, length, size in zip(begins, shape, sizes)]
    (top, bottom), (left, right) = inside
    pixels = resize_and_crop(pixels, shape, Region(top, left, bottom - top, right - left))
    (above, below), (before, behind) = (
        (low - begin, begin + size - high) for begin, (low, high), size in zip(begins, inside, sizes)
    )
    return cv2.copyMakeBorder(pixels, above, below, before, behind, cv2.BORDER_CONSTANT, value=(0, 0, 0))


def _center_crop(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    return preprocessing.crop(pixels)


def _flip(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    return cv2.flip(pixels, 1) if rng.random() < 0.5 else pixels


def _color(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    """Random brightness, contrast, saturation and PCA lighting."""
    return color_lighting(rng)(pixels)


def _face_color(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    """Brightness, contrast and saturation in random order, as ``mx.image.ColorJitterAug``, but limited to 0..255."""
    matrix, offset = np.eye(3), np.zeros(3)
    mean = np.array(cv2.mean(pixels)[:3])
    for kind in rng.permutation(3):
        factor = uniform(rng, 1 - _FACE_JITTER, 1 + _FACE_JITTER)
        if kind == 2:
            gray = factor * np.eye(3) + (1 - factor) * np.tile(LUMA, (3, 1))
            matrix, offset = gray @ matrix, gray @ offset
        else:
            added = (1 - factor) * LUMA @ (matrix @ mean + offset) if kind == 1 else 0
            matrix, offset = factor * matrix, factor * offset + added
    return cv2.transform(pixels, np.column_stack([matrix, offset]))


def _face_jpeg(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    """With a probability of a half, the artifacts of JPEG at a random low quality."""
    if rng.random() >= 0.5:
        return pixels
    lowest, highest = _FACE_QUALITY
    quality = lowest + up_to(rng, highest - lowest)
    # the order of the channels matters: JPEG stores brightness and two differences of colors
    turned = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode('.jpg', turned, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB))


AUGMENTATIONS: Dict[str, Tuple[Step, ...]] = {
    # random resized crop and horizontal flip
    'imagenet': (_random_resized_crop, _flip),
    # the same with color jitter and PCA lighting, as in GluonCV's train_imagenet
    'imagenet_color': (_random_resized_crop, _flip, _color),
    # random shift by up to an eighth of the size, and horizontal flip
    'cifar': (_shift, _flip),
    # random shift alone: for characters and other images that must not be flipped
    'shift': (_shift,),
    # faces, which are aligned: horizontal flip alone, and insightface's `color` 1 and 2
    'face': (_center_crop, _flip),
    'face_color': (_center_crop, _flip, _face_color),
    'face_color_jpeg': (_center_crop, _flip, _face_jpeg, _face_color),
    # center crop, as in validation
    'none': (_center_crop,),
}
"""Name -> its steps, in order; each takes and returns (H, W, 3) uint8 RGB."""


def augment(
    name: str,
    pixels: np.ndarray,
    preprocessing: Preprocessing,
    rng: np.random.Generator,
    further: Sequence[Step] = (),
) -> np.ndarray:
    """Augment an image.

    Args:
        name: a key of :data:`AUGMENTATIONS`.
        pixels: (H, W, 3) uint8 RGB.
        preprocessing: preprocessing of the validation images; gives the image size of the result.
        rng: the random number generator; the same state gives the same image.
        further: steps that follow, of :mod:`.policies`.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    for step in (*AUGMENTATIONS[name], *further):
        pixels = step(pixels, preprocessing, rng)
    return pixels

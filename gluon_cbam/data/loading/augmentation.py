"""Random changes of training images: decoded pixels in, an image of the training's size out.

All resizing is bilinear, as in validation. Area averaging of images that shrink was measured and not adopted: it takes
six times as long as a bilinear resize, and half as long as decoding a JPEG of 500 x 375 pixels.
"""

from __future__ import annotations

import math
from typing import Callable, Dict, Tuple

import cv2
import numpy as np

from gluon_cbam.data.resizing import resize_short_side

from .preprocessing import Preprocessing

_AREA = (0.08, 1.0)  # of a random crop, as a share of the image's
_LOG_ASPECT = (math.log(3 / 4), math.log(4 / 3))
_TRIES = 10
_JITTER = 0.4  # brightness, contrast and saturation are multiplied by 0.6 .. 1.4
_LIGHTING = 0.1  # standard deviation of the weights of the principal components
_LUMA = np.array([0.299, 0.587, 0.114])
# principal components of ImageNet's colors, in 0..255 (Krizhevsky et al. 2012, section 4.1): a column each
_COMPONENTS = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
_COMPONENTS_STD = np.array([55.46, 4.794, 1.148])


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return low + (high - low) * rng.random()


def _offset(rng: np.random.Generator, largest: int) -> int:
    """An integer in 0 .. ``largest``."""
    return int(rng.random() * (largest + 1))


def random_crop_box(height: int, width: int, rng: np.random.Generator) -> Tuple[int, int, int, int]:
    """A random box with 8 to 100 % of the area of an image and an aspect ratio of 3/4 to 4/3, log-uniform.

    After ten tries that do not fit into the image, it is the largest centered box with such a ratio (torchvision's
    RandomResizedCrop).

    Args:
        height: of the image, in pixels.
        width: of the image, in pixels.
        rng: source of the randomness.

    Returns:
        Top, left, height and width of the box, in pixels.
    """
    for _ in range(_TRIES):
        area = height * width * _uniform(rng, *_AREA)
        aspect = math.exp(_uniform(rng, *_LOG_ASPECT))
        h, w = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < h <= height and 0 < w <= width:
            return _offset(rng, height - h), _offset(rng, width - w), h, w
    narrowest, widest = (math.exp(bound) for bound in _LOG_ASPECT)
    h, w = min(height, round(width / narrowest)), min(width, round(height * widest))
    return (height - h) // 2, (width - w) // 2, h, w


def _random_resized_crop(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    top, left, height, width = random_crop_box(pixels.shape[0], pixels.shape[1], rng)
    size = (preprocessing.image_size, preprocessing.image_size)
    return cv2.resize(pixels[top : top + height, left : left + width], size, interpolation=cv2.INTER_LINEAR)


def _shift(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    """The short side resized, black borders of an eighth, and a random crop."""
    size = preprocessing.image_size
    border = size // 8
    pixels = resize_short_side(pixels, size)
    pixels = cv2.copyMakeBorder(pixels, border, border, border, border, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    top, left = (_offset(rng, length - size) for length in pixels.shape[:2])
    return pixels[top : top + size, left : left + size]


def _center_crop(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    return preprocessing.crop(pixels)


def _flip(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    return cv2.flip(pixels, 1) if rng.random() < 0.5 else pixels


def _color(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, saturation and lighting, which together are one affine map of the colors."""
    brightness, contrast, saturation = (_uniform(rng, 1 - _JITTER, 1 + _JITTER) for _ in range(3))
    lighting = _COMPONENTS @ (rng.normal(0, _LIGHTING, 3) * _COMPONENTS_STD)
    mean = brightness * _LUMA @ cv2.mean(pixels)[:3]
    gray = np.tile(_LUMA, (3, 1))
    matrix = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * gray)
    return cv2.transform(pixels, np.column_stack([matrix, (1 - contrast) * mean + lighting]))


_Step = Callable[[np.ndarray, Preprocessing, np.random.Generator], np.ndarray]
AUGMENTATIONS: Dict[str, Tuple[_Step, ...]] = {
    # random resized crop, horizontal flip
    'imagenet': (_random_resized_crop, _flip),
    # and color jitter, as in GluonCV's train_imagenet
    'imagenet_color': (_random_resized_crop, _flip, _color),
    # shifted by up to an eighth, horizontal flip
    'cifar': (_shift, _flip),
    # shifted by up to an eighth: for characters and other images whose meaning a flip changes
    'shift': (_shift,),
    # as in validation
    'none': (_center_crop,),
}


def augment(name: str, pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    """Apply the random changes of an augmentation to an image.

    Args:
        name: a key of :data:`AUGMENTATIONS`.
        pixels: (H, W, 3) uint8 RGB.
        preprocessing: of validation; its image size is that of the result.
        rng: source of the randomness; the same state gives the same image.

    Returns:
        (image_size, image_size, 3) uint8 RGB.
    """
    for step in AUGMENTATIONS[name]:
        pixels = step(pixels, preprocessing, rng)
    return pixels

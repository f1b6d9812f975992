"""What training does to an image, by chance: decoded pixels in, an image of the training's size out.

All resizing is bilinear, as validation's is. Area averaging where an image shrinks was measured and left: it takes six
times the time of a bilinear resize, half of that of decoding a JPEG of 500 x 375.
"""

from __future__ import annotations

import math
from typing import Callable, Dict, Tuple

import cv2
import numpy as np

from .preprocessing import Preprocessing, resize_short_side

_AREA = (0.08, 1.0)  # of a random part, of that of the image
_LOG_ASPECT = (math.log(3 / 4), math.log(4 / 3))
_TRIES = 10
_JITTER = 0.4  # brightness, contrast and saturation are multiplied by 1 - this .. 1 + this
_LIGHTING = 0.1  # deviation of the weights of the principal components
_LUMA = np.array([0.299, 0.587, 0.114])
# principal components of ImageNet's colours, in 0..255 (Krizhevsky et al. 2012, section 4.1): a column each
_COMPONENTS = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
_COMPONENTS_STD = np.array([55.46, 4.794, 1.148])


def _uniform(rng: np.random.Generator, least: float, most: float) -> float:
    return least + (most - least) * rng.random()


def _offset(rng: np.random.Generator, room: int) -> int:
    """A whole number in 0 .. ``room``."""
    return int(rng.random() * (room + 1))


def random_part(height: int, width: int, rng: np.random.Generator) -> Tuple[int, int, int, int]:
    """A part of an image with 8 to 100 % of its area and a side ratio of 3/4 to 4/3, log-uniform.

    After ten tries that do not fit into the image, the largest centred part with such a ratio (torchvision's
    RandomResizedCrop).

    Returns:
        Top, left, height and width.
    """
    for _ in range(_TRIES):
        area = height * width * _uniform(rng, *_AREA)
        aspect = math.exp(_uniform(rng, *_LOG_ASPECT))
        h, w = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < h <= height and 0 < w <= width:
            return _offset(rng, height - h), _offset(rng, width - w), h, w
    least, most = (math.exp(bound) for bound in _LOG_ASPECT)
    h, w = min(height, round(width / least)), min(width, round(height * most))
    return (height - h) // 2, (width - w) // 2, h, w


def _random_resized_crop(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    top, left, height, width = random_part(*pixels.shape[:2], rng)
    size = (preprocessing.image_size, preprocessing.image_size)
    return cv2.resize(pixels[top : top + height, left : left + width], size, interpolation=cv2.INTER_LINEAR)


def _shift(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    """The short side resized, black borders of an eighth, and a random part of that."""
    size = preprocessing.image_size
    border = size // 8
    pixels = resize_short_side(pixels, size)
    pixels = cv2.copyMakeBorder(pixels, border, border, border, border, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    top, left = (_offset(rng, length - size) for length in pixels.shape[:2])
    return pixels[top : top + size, left : left + size]


def _centre_crop(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    return preprocessing.crop(pixels)


def _mirror(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    return cv2.flip(pixels, 1) if rng.random() < 0.5 else pixels


def _color(pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, saturation and lighting, which together are one affine map of the colours."""
    brightness, contrast, saturation = (_uniform(rng, 1 - _JITTER, 1 + _JITTER) for _ in range(3))
    lighting = _COMPONENTS @ (rng.normal(0, _LIGHTING, 3) * _COMPONENTS_STD)
    mean = brightness * _LUMA @ cv2.mean(pixels)[:3]
    grey = np.tile(_LUMA, (3, 1))
    matrix = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * grey)
    return cv2.transform(pixels, np.column_stack([matrix, (1 - contrast) * mean + lighting]))


_Step = Callable[[np.ndarray, Preprocessing, np.random.Generator], np.ndarray]
AUGMENTATIONS: Dict[str, Tuple[_Step, ...]] = {
    # a random part of the image, and its mirror image
    'imagenet': (_random_resized_crop, _mirror),
    # its colours too, as GluonCV's train_imagenet does
    'imagenet_color': (_random_resized_crop, _mirror, _color),
    # shifted by up to an eighth, and its mirror image
    'cifar': (_shift, _mirror),
    # shifted by up to an eighth: for characters and others that a mirror changes
    'shift': (_shift,),
    # what validation sees
    'none': (_centre_crop,),
}


def augment(name: str, pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    """Make a training image.

    Args:
        name: a key of :data:`AUGMENTATIONS`.
        pixels: (H, W, 3) uint8 RGB.
        preprocessing: of validation; its size is the result's.
        rng: gives the chance; the same state gives the same image.

    Returns:
        (image_size, image_size, 3) uint8 RGB.
    """
    for step in AUGMENTATIONS[name]:
        pixels = step(pixels, preprocessing, rng)
    return pixels

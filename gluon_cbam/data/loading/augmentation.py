"""Augmentation: from the decoded pixels of a training image to an image of the input size of the network.

All resizing is bilinear, as in validation. Area averaging for downscaling was measured and not adopted: it takes
six times as long as a bilinear resize, and half as long as decoding a JPEG of 500 x 375 pixels.
"""

from __future__ import annotations

from typing import Callable, Dict, NamedTuple, Sequence, Tuple, Union

import cv2
import numpy as np

from gluon_cbam.compat.renamed import renamed_attributes

from .color_lighting import color_lighting
from .draws import uniform, up_to
from .framing import Center, Crop, Framing, Shift, Source, Whole, framed
from .policies.enhancement import LUMA
from .policies.step import Step
from .preprocessing import Preprocessing

_FACE_JITTER = 0.125  # of insightface: 0.875 .. 1.125
_FACE_QUALITY = (2, 20)  # of JPEG


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


class Augmentation(NamedTuple):
    """An augmentation.

    Attributes:
        framing: draws what is seen of an image, from its height and width.
        steps: what follows, in order; each takes and returns (H, W, 3) uint8 RGB.
    """

    framing: Callable[[Tuple[int, int], Preprocessing, np.random.Generator], Framing]
    steps: Tuple[Step, ...] = ()


AUGMENTATIONS: Dict[str, Augmentation] = {
    # random resized crop and horizontal flip
    'imagenet': Augmentation(Crop.random, (_flip,)),
    # the same with color jitter and PCA lighting, as in GluonCV's train_imagenet
    'imagenet_color': Augmentation(Crop.random, (_flip, _color)),
    # random shift by up to an eighth of the size, and horizontal flip
    'cifar': Augmentation(Shift.random, (_flip,)),
    # random shift alone: for characters and other images that must not be flipped
    'shift': Augmentation(Shift.random),
    # faces, which are aligned: horizontal flip alone, and insightface's `color` 1 and 2
    'face': Augmentation(Center.of, (_flip,)),
    'face_color': Augmentation(Center.of, (_flip, _face_color)),
    'face_color_jpeg': Augmentation(Center.of, (_flip, _face_jpeg, _face_color)),
    # center crop, as in validation
    'none': Augmentation(Center.of),
}
"""Name -> the augmentation."""


def augment(
    name: str,
    image: Union[np.ndarray, Source],
    preprocessing: Preprocessing,
    rng: np.random.Generator,
    further: Sequence[Step] = (),
    decode: str = 'exact',
) -> np.ndarray:
    """Augment an image.

    Args:
        name: a key of :data:`AUGMENTATIONS`.
        image: (H, W, 3) uint8 RGB; or what decodes it, as far as it is seen.
        preprocessing: preprocessing of the validation images; gives the image size of the result.
        rng: the random number generator; the same state gives the same image.
        further: steps that follow, of :mod:`.policies`.
        decode: one of :data:`.framing.DECODES`, for what is not decoded yet.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    source = Whole(image) if isinstance(image, np.ndarray) else image
    framing, steps = AUGMENTATIONS[name]
    pixels = framed(source, framing(source.size, preprocessing, rng), preprocessing.shape, decode)
    for step in (*steps, *further):
        pixels = step(pixels, preprocessing, rng)
    return pixels


__getattr__ = renamed_attributes(__name__, {'random_crop_box': 'data.loading.framing.random_crop_box'})

"""Augmentation of pictures together with their boxes: from decoded pixels to an image of the network's input size.

The rows of :data:`BOX_AUGMENTATIONS` are what ``--augment`` names for detection. Boxes follow the pixels, see
:mod:`.box_placement`; boxes whose center is not seen any more are left out, and the others are clipped. What is resized
to the size of the result keeps its aspect ratio or not as ``resize`` of the preprocessing says, as in validation.
"""

from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple, Sequence, Tuple

import cv2
import numpy as np

from gluon_cbam.data.resizing import Frame, Region

from .box_color import distort
from .box_crops import Canvas, random_crop
from .box_placement import LabeledImage, Placement, flipped, joined, place
from .draws import happens, uniform, up_to
from .preprocessing import Preprocessing

_MAX_EXPANSION = 4.0  # of each side
# without Lanczos and area averaging, which take five to fifteen times as long: a tenth of the loader's time, or more
_INTERPOLATIONS = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
_MOSAIC_CENTER = (0.25, 0.75)  # of the sides
_MOSAIC_SCALES = (0.5, 1.5)  # of a picture, where 1 is the size of the result


def resize(images: Sequence[LabeledImage], preprocessing: Preprocessing, rng: np.random.Generator) -> LabeledImage:
    """Resize to the size of the result, as in validation."""
    (image,), size = images, preprocessing.image_size
    height, width = image.pixels.shape[:2]
    placement = place(height, width, preprocessing.frame(height, width), Region(0, 0, size, size))
    assert placement is not None, 'a resized picture has pixels in the result'
    return LabeledImage(_put([(placement.resized(image.pixels), placement)], preprocessing), *joined(image, placement))


def resize_and_flip(
    images: Sequence[LabeledImage], preprocessing: Preprocessing, rng: np.random.Generator
) -> LabeledImage:
    """:func:`resize`, and the mirror image in half of the cases."""
    frame = preprocessing.frame(*images[0].pixels.shape[:2])
    return _half_flipped(resize(images, preprocessing, rng), frame, rng)


def ssd(images: Sequence[LabeledImage], preprocessing: Preprocessing, rng: np.random.Generator) -> LabeledImage:
    """The augmentation of SSD (Liu et al., ECCV 2016, section 2.2, and the data augmentation of its Caffe code).

    The picture is put on a ground of the mean color of 1 to 4 times its sides, in half of the cases; a part is cropped
    (:func:`.box_crops.random_crop`), resized with a random interpolation, distorted in color
    (:func:`.box_color.distort`), and mirrored in half of the cases. The ground is never computed in its size: only what
    is seen of the picture is resized. The color of the ground is not distorted.

    As in the Caffe code and in torchvision, one object that overlaps enough admits a crop; GluonCV asks for all. Of its
    five interpolations, Lanczos and area averaging are left out.
    """
    (image,) = images
    height, width = image.pixels.shape[:2]
    canvas = _expansion(height, width, rng) if happens(rng) else Canvas(height, width, 0, 0)
    crop = random_crop(canvas, Region(canvas.top, canvas.left, height, width), image.corners[image.classes >= 0], rng)
    target = preprocessing.frame(crop.height, crop.width)
    placement = _seen(image.pixels, canvas, crop, target, preprocessing.image_size)
    interpolation = _INTERPOLATIONS[up_to(rng, len(_INTERPOLATIONS) - 1)]
    part = placement.resized(image.pixels, interpolation, lambda part: distort(part, rng))
    result = _put([(part, placement)], preprocessing)
    return _half_flipped(LabeledImage(result, *joined(image, placement)), target, rng)


def _seen(pixels: np.ndarray, canvas: Canvas, crop: Region, target: Frame, size: int) -> Placement:
    """What is seen of a picture, where a crop of its canvas is resized to a place in the result."""
    height, width = pixels.shape[:2]
    across, down = (target.right - target.left) / crop.width, (target.bottom - target.top) / crop.height
    left, top = canvas.left - crop.left, canvas.top - crop.top
    frame = Frame(
        target.left + left * across, target.top + top * down,
        target.left + (left + width) * across, target.top + (top + height) * down,
    )  # fmt: skip
    window = target.inside(size)
    placement = place(height, width, frame, window)
    return placement or Placement(Region(0, 0, height, width), window)  # less than half a pixel is seen


def mosaic(images: Sequence[LabeledImage], preprocessing: Preprocessing, rng: np.random.Generator) -> LabeledImage:
    """Four pictures around a random point, on the mean color (Bochkovskiy et al., arXiv 2004.10934, section 3.3).

    The point is in the middle half of both sides. Each picture, resized to 0.5 to 1.5 times the size of the result,
    touches it with one of its corners, and is cut off at the borders of its quarter. Colors are distorted as those of
    :func:`ssd`, each picture's for itself, and half of the results are mirrored.
    """
    size = preprocessing.image_size
    x, y = (round(size * uniform(rng, *_MOSAIC_CENTER)) for _ in range(2))
    parts: List[Tuple[np.ndarray, Placement]] = []
    corners, classes = [np.zeros((0, 4))], [np.zeros(0, np.int64)]
    for number, image in enumerate(images):
        right, below = number % 2, number // 2
        height, width = image.pixels.shape[:2]
        whole, scale = preprocessing.frame(height, width), uniform(rng, *_MOSAIC_SCALES)
        wide, tall = (whole.right - whole.left) * scale, (whole.bottom - whole.top) * scale
        left, top = x - (0 if right else wide), y - (0 if below else tall)
        window = Region(y if below else 0, x if right else 0, size - y if below else y, size - x if right else x)
        placement = place(height, width, Frame(left, top, left + wide, top + tall), window)
        if placement is None:  # a quarter without a pixel, of tiny results
            continue
        parts.append((placement.resized(image.pixels, recolor=lambda part: distort(part, rng)), placement))
        seen, kinds = joined(image, placement)
        corners.append(seen)
        classes.append(kinds)
    found = LabeledImage(_put(parts, preprocessing), np.concatenate(corners), np.concatenate(classes))
    return _half_flipped(found, Frame(0, 0, size, size), rng)


def _expansion(height: int, width: int, rng: np.random.Generator) -> Canvas:
    """A canvas of 1 to 4 times the sides of a picture, with the picture at a random place."""
    factor = uniform(rng, 1, _MAX_EXPANSION)
    tall, wide = int(height * factor), int(width * factor)
    return Canvas(tall, wide, up_to(rng, tall - height), up_to(rng, wide - width))


def _put(parts: List[Tuple[np.ndarray, Placement]], preprocessing: Preprocessing) -> np.ndarray:
    """The resized parts at their places; the mean color elsewhere."""
    size, ground = preprocessing.image_size, preprocessing.ground
    if not parts:
        return np.full((size, size, 3), ground, np.uint8)
    (first, place_of_first), *others = parts
    if first.shape[:2] == (size, size):
        return first
    # several times as fast as an array that is filled by numpy
    top, left, height, width = place_of_first.target
    result = cv2.copyMakeBorder(
        first, top, size - top - height, left, size - left - width, cv2.BORDER_CONSTANT, value=ground
    )
    for pixels, placement in others:
        placement.target.of(result)[:] = pixels
    return np.asarray(result)


def _half_flipped(image: LabeledImage, frame: Frame, rng: np.random.Generator) -> LabeledImage:
    """In half of the cases the mirror image; a picture that does not fill the result keeps its place."""
    return flipped(image, min(int(frame.right), image.pixels.shape[1])) if happens(rng) else image


class BoxAugmentation(NamedTuple):
    """A row of :data:`BOX_AUGMENTATIONS`.

    Attributes:
        augment: from pictures to the image of the size of the result, with the boxes that are seen.
        pictures: how many pictures it takes: the one of the place in the epoch's order, and others at random.
    """

    augment: Callable[[Sequence[LabeledImage], Preprocessing, np.random.Generator], LabeledImage]
    pictures: int = 1


BOX_AUGMENTATIONS: Dict[str, BoxAugmentation] = {
    'ssd': BoxAugmentation(ssd),
    'mosaic': BoxAugmentation(mosaic, 4),
    'flip': BoxAugmentation(resize_and_flip),
    'none': BoxAugmentation(resize),
}
"""Name -> augmentation of pictures with boxes."""

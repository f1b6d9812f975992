"""Augmentation of pictures together with their boxes: from the pictures' sizes and boxes to what is made of them.

The rows of :data:`BOX_AUGMENTATIONS` are what ``--augment`` names for detection. All of an augmentation is drawn before
pixels are decoded, and described by one :class:`.box_composition.Composition`, which makes the image and moves the
boxes; boxes whose center is not seen any more are left out, unless an augmentation says otherwise, and the others are
clipped. What is resized to the size of the result keeps its aspect ratio or not as ``resize`` of the preprocessing
says, as in validation.
"""

from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

import cv2
import numpy as np

from gluon_cbam.data.resizing import Frame, Region

from .box_color import distortion
from .box_composition import Composition, Part, Picture
from .box_crops import Canvas, random_crop
from .box_placement import Placement, place
from .color_lighting import color_lighting
from .draws import happens, uniform, up_to
from .preprocessing import Preprocessing

_MAX_EXPANSION = 4.0  # of each side
# without Lanczos and area averaging, which take five to fifteen times as long: a tenth of the loader's time, or more
_INTERPOLATIONS = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
_MOSAIC_CENTER = (0.25, 0.75)  # of the sides
_MOSAIC_SCALES = (0.5, 1.5)  # of a picture, where 1 is the size of the result
_CENTERNET_SCALES = tuple(tenths / 10 for tenths in range(6, 14))  # of the part that is seen
_CENTERNET_BORDER = 128  # pixels of the picture that the center of the result keeps from its edges


def resize(pictures: Sequence[Picture], preprocessing: Preprocessing, rng: np.random.Generator) -> Composition:
    """Resize to the size of the result, as in validation."""
    (picture,) = pictures
    frame = preprocessing.frame(picture.height, picture.width)
    placement = place(picture.height, picture.width, frame, Region(0, 0, *preprocessing.shape))
    assert placement is not None, 'a resized picture has pixels in the result'
    return Composition.of(preprocessing, Part(placement))


def resize_and_flip(pictures: Sequence[Picture], preprocessing: Preprocessing, rng: np.random.Generator) -> Composition:
    """:func:`resize`, and the mirror image in half of the cases."""
    frame = preprocessing.frame(pictures[0].height, pictures[0].width)
    return _half_flipped(resize(pictures, preprocessing, rng), frame, rng)


def ssd(pictures: Sequence[Picture], preprocessing: Preprocessing, rng: np.random.Generator) -> Composition:
    """The augmentation of SSD (Liu et al., ECCV 2016, section 2.2, and the data augmentation of its Caffe code).

    The picture is put on a ground of the mean color of 1 to 4 times its sides, in half of the cases; a part is cropped
    (:func:`.box_crops.random_crop`), resized with a random interpolation, distorted in color
    (:func:`.box_color.distortion`), and mirrored in half of the cases. The ground is never computed in its size: only
    what is seen of the picture is resized. The color of the ground is not distorted.

    As in the Caffe code and in torchvision, one object that overlaps enough admits a crop; GluonCV asks for all. Of its
    five interpolations, Lanczos and area averaging are left out.
    """
    ((height, width, corners, classes),) = pictures
    canvas = _expansion(height, width, rng) if happens(rng) else Canvas(height, width, 0, 0)
    crop = random_crop(canvas, Region(canvas.top, canvas.left, height, width), corners[classes >= 0], rng)
    target = preprocessing.frame(crop.height, crop.width)
    placement = _seen(height, width, canvas, crop, target, preprocessing)
    interpolation = _INTERPOLATIONS[up_to(rng, len(_INTERPOLATIONS) - 1)]
    part = Part(placement, interpolation, distortion(rng))
    return _half_flipped(Composition.of(preprocessing, part), target, rng)


def _seen(
    height: int, width: int, canvas: Canvas, crop: Region, target: Frame, preprocessing: Preprocessing
) -> Placement:
    """What is seen of a picture, where a crop of its canvas is resized to a place in the result."""
    across, down = (target.right - target.left) / crop.width, (target.bottom - target.top) / crop.height
    left, top = canvas.left - crop.left, canvas.top - crop.top
    frame = Frame(
        target.left + left * across, target.top + top * down,
        target.left + (left + width) * across, target.top + (top + height) * down,
    )  # fmt: skip
    window = target.inside(*preprocessing.shape)
    placement = place(height, width, frame, window)
    return placement or Placement(Region(0, 0, height, width), window)  # less than half a pixel is seen


def mosaic(pictures: Sequence[Picture], preprocessing: Preprocessing, rng: np.random.Generator) -> Composition:
    """Four pictures around a random point, on the mean color (Bochkovskiy et al., arXiv 2004.10934, section 3.3).

    The point is in the middle half of both sides. Each picture, resized to 0.5 to 1.5 times the size of the result,
    touches it with one of its corners, and is cut off at the borders of its quarter. Colors are distorted as those of
    :func:`ssd`, each picture's for itself, and half of the results are mirrored.
    """
    rows, columns = preprocessing.shape
    x, y = (round(length * uniform(rng, *_MOSAIC_CENTER)) for length in (columns, rows))
    parts: List[Optional[Part]] = []
    for number, (height, width, _, _) in enumerate(pictures):
        right, below = number % 2, number // 2
        whole, scale = preprocessing.frame(height, width), uniform(rng, *_MOSAIC_SCALES)
        wide, tall = (whole.right - whole.left) * scale, (whole.bottom - whole.top) * scale
        left, top = x - (0 if right else wide), y - (0 if below else tall)
        window = Region(y if below else 0, x if right else 0, rows - y if below else y, columns - x if right else x)
        placement = place(height, width, Frame(left, top, left + wide, top + tall), window)
        # a quarter of a tiny result may have no pixel
        parts.append(None if placement is None else Part(placement, recolor=distortion(rng)))
    return _half_flipped(Composition.of(preprocessing, *parts), Frame(0, 0, columns, rows), rng)


def centernet(pictures: Sequence[Picture], preprocessing: Preprocessing, rng: np.random.Generator) -> Composition:
    """The augmentation of CenterNet (Zhou et al., arXiv 1904.07850, section 5.1, and its code): scale and shift.

    A window of 0.6, 0.7, ... or 1.3 times what :func:`resize` shows becomes the result. Its center is at random in the
    picture, 128 pixels from the edges, or half as many, a quarter ..., where the picture is too small. What is beside
    the picture has the mean color, where the sources have black. Brightness, contrast, saturation and PCA lighting are
    those of :func:`.color_lighting.color_lighting`, with ImageNet's principal components instead of COCO's, and half of
    the results are mirrored. A box stays where a pixel of both of its sides is seen, wherever its center is.

    GluonCV draws the scale from a normal distribution around 1, limited to 0.6 .. 1.4, as the source does where
    its crops are switched off.
    """
    ((height, width, _, _),), (rows, columns) = pictures, preprocessing.shape
    scale = _CENTERNET_SCALES[up_to(rng, len(_CENTERNET_SCALES) - 1)]
    x, y = (
        uniform(rng, border, length - border) for length, border in ((width, _border(width)), (height, _border(height)))
    )
    whole = preprocessing.frame(height, width)
    across, down = (whole.right - whole.left) / width / scale, (whole.bottom - whole.top) / height / scale
    left, top = columns / 2 - x * across, rows / 2 - y * down
    frame = Frame(left, top, left + width * across, top + height * down)
    placement, recolor = place(height, width, frame, Region(0, 0, rows, columns)), color_lighting(rng)
    part = None if placement is None else Part(placement, recolor=recolor, keeps_cut=True)  # None: less than a pixel
    return _half_flipped(Composition.of(preprocessing, part), Frame(0, 0, columns, rows), rng)


def _border(length: int) -> int:
    """How far from the edges of a side the center of CenterNet's window stays, in pixels."""
    border = _CENTERNET_BORDER
    while 2 * border >= length:
        border //= 2
    return border


def _expansion(height: int, width: int, rng: np.random.Generator) -> Canvas:
    """A canvas of 1 to 4 times the sides of a picture, with the picture at a random place."""
    factor = uniform(rng, 1, _MAX_EXPANSION)
    tall, wide = int(height * factor), int(width * factor)
    return Canvas(tall, wide, up_to(rng, tall - height), up_to(rng, wide - width))


def _half_flipped(composition: Composition, frame: Frame, rng: np.random.Generator) -> Composition:
    """In half of the cases the mirror image; a picture that does not fill the result keeps its place."""
    return composition.flipped(frame) if happens(rng) else composition


class BoxAugmentation(NamedTuple):
    """A row of :data:`BOX_AUGMENTATIONS`.

    Attributes:
        plan: from pictures to what is made of them.
        pictures: how many pictures it takes: the one of the place in the epoch's order, and others at random.
    """

    plan: Callable[[Sequence[Picture], Preprocessing, np.random.Generator], Composition]
    pictures: int = 1


BOX_AUGMENTATIONS: Dict[str, BoxAugmentation] = {
    'ssd': BoxAugmentation(ssd),
    'mosaic': BoxAugmentation(mosaic, 4),
    'centernet': BoxAugmentation(centernet),
    'flip': BoxAugmentation(resize_and_flip),
    'none': BoxAugmentation(resize),
}
"""Name -> augmentation of pictures with boxes."""

"""What part of an image becomes the input of a network; it is drawn from its size, before it is decoded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Optional, Protocol, Tuple

import cv2
import numpy as np

from gluon_cbam.data.resizing import Frame, Region, cover_shape, resize_and_crop

from .draws import uniform, up_to
from .preprocessing import Preprocessing

if TYPE_CHECKING:
    from gluon_cbam.data.decoding import Reduced

_AREA = (0.08, 1.0)  # range of the area of a random crop, relative to the image
_LOG_ASPECT = (math.log(3 / 4), math.log(4 / 3))
_TRIES = 10
DECODES = ('exact', 'fast')
"""How images are decoded for training: to the pixels of validation; or JPEGs in less time, at the smallest scale at
which nothing is enlarged, and with coarser colors."""


class Source(Protocol):
    """An image that is not decoded yet."""

    @property
    def size(self) -> Tuple[int, int]:
        """Height and width of the pixels."""

    def pixels(self, rows: Optional[int] = None, fast: bool = False) -> np.ndarray:
        """Decode it, or at least a number of rows from the top, perhaps to other pixels: (H, W, 3) uint8 RGB."""

    def reduced(self, height: float, width: float, rows: int) -> Optional[Reduced]:
        """Decode it to a size of at least ``height`` x ``width``, see :meth:`gluon_cbam.data.decoding.EncodedImage`."""


class Whole(NamedTuple):
    """Pixels that are decoded already, as a :class:`Source`."""

    decoded: np.ndarray

    @property
    def size(self) -> Tuple[int, int]:
        """Height and width of the pixels."""
        return self.decoded.shape[0], self.decoded.shape[1]

    def pixels(self, rows: Optional[int] = None, fast: bool = False) -> np.ndarray:
        """The pixels."""
        return self.decoded

    def reduced(self, height: float, width: float, rows: int) -> Optional[Reduced]:
        """None: there is nothing to save."""
        return None


class Framing(Protocol):
    """A part of an image that fills the input of a network, or is surrounded by a ground."""

    @property
    def rows(self) -> int:
        """The number of rows, from the top, that are seen of the image."""

    @property
    def place(self) -> Frame:
        """The place of the whole image in the input, in its pixels; what is outside the input is not seen."""

    @property
    def ground(self) -> Tuple[int, int, int]:
        """The color around the image; the edges of the image are at whole pixels then."""

    def resized(self, pixels: np.ndarray) -> np.ndarray:
        """Resize the part.

        Args:
            pixels: (H, W, 3) uint8 RGB; at least :attr:`rows` rows of the image.

        Returns:
            (height, width, 3) uint8.
        """


def framed(source: Source, framing: Framing, shape: Tuple[int, int], decode: str) -> np.ndarray:
    """Decode an image as far as it is seen, and resize what is seen.

    Args:
        source: the image.
        framing: what is seen of it.
        shape: height and width of the result.
        decode: one of :data:`DECODES`.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    if decode == 'fast':
        place = framing.place
        reduced = source.reduced(place.bottom - place.top, place.right - place.left, framing.rows)
        if reduced is not None:
            return _resampled(reduced, source.size, place, shape, framing.ground)
    return framing.resized(source.pixels(framing.rows, decode == 'fast'))


def _resampled(
    reduced: Reduced, size: Tuple[int, int], place: Frame, shape: Tuple[int, int], ground: Tuple[int, int, int]
) -> np.ndarray:
    """A reduced image at its place. The edges of a crop are between its pixels, so that ``cv2.resize`` cannot do it."""
    across = (place.right - place.left) / (size[1] * reduced.scale)
    down = (place.bottom - place.top) / (size[0] * reduced.scale)
    # of centers of pixels, which are at whole numbers for OpenCV
    to_input = np.array([[across, 0, place.left + (across - 1) / 2], [0, down, place.top + (down - 1) / 2]], np.float64)
    resampled = cv2.warpAffine(
        reduced.pixels, to_input, shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    pixels = cv2.cvtColor(resampled, cv2.COLOR_RGBA2RGB)
    seen = place.inside(*shape)
    if (seen.height, seen.width) != shape:
        pixels[: seen.top], pixels[seen.top + seen.height :] = ground, ground
        pixels[:, : seen.left], pixels[:, seen.left + seen.width :] = ground, ground
    return pixels


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


class Crop(NamedTuple):
    """A part of an image that is stretched to the input."""

    region: Region
    size: Tuple[int, int]
    shape: Tuple[int, int]
    ground: Tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def random(cls, size: Tuple[int, int], preprocessing: Preprocessing, rng: np.random.Generator) -> Crop:
        """A random part, see :func:`random_crop_box`."""
        return cls(Region(*random_crop_box(*size, rng)), size, preprocessing.shape)

    @property
    def rows(self) -> int:
        """See :class:`Framing`."""
        return self.region.top + self.region.height

    @property
    def place(self) -> Frame:
        """See :class:`Framing`."""
        across, down = self.shape[1] / self.region.width, self.shape[0] / self.region.height
        left, top = -across * self.region.left, -down * self.region.top
        return Frame(left, top, left + across * self.size[1], top + down * self.size[0])

    def resized(self, pixels: np.ndarray) -> np.ndarray:
        """See :class:`Framing`."""
        return cv2.resize(self.region.of(pixels), self.shape[::-1], interpolation=cv2.INTER_LINEAR)


class Shift(NamedTuple):
    """A part of an image that was resized to cover the input, and surrounded with black."""

    covering: Tuple[int, int]  # height and width of the resized image
    top: int  # of the input, in its pixels from the resized image's
    left: int
    shape: Tuple[int, int]
    size: Tuple[int, int]
    ground: Tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def random(cls, size: Tuple[int, int], preprocessing: Preprocessing, rng: np.random.Generator) -> Shift:
        """A random part, with black up to an eighth of the input at each side."""
        shape = preprocessing.shape
        covering = cover_shape(*size, *shape)
        top, left = (up_to(rng, length + 2 * (side // 8) - side) - side // 8 for length, side in zip(covering, shape))
        return cls(covering, top, left, shape, size)

    @property
    def rows(self) -> int:
        """See :class:`Framing`."""
        return self.size[0]

    @property
    def place(self) -> Frame:
        """See :class:`Framing`."""
        return Frame(-self.left, -self.top, self.covering[1] - self.left, self.covering[0] - self.top)

    def resized(self, pixels: np.ndarray) -> np.ndarray:
        """See :class:`Framing`."""
        (tall, wide), (height, width), top, left = self.covering, self.shape, self.top, self.left
        above, before = max(0, -top), max(0, -left)
        below, behind = max(0, top + height - tall), max(0, left + width - wide)
        inside = Region(top + above, left + before, height - above - below, width - before - behind)
        seen = resize_and_crop(pixels, self.covering, inside)
        return cv2.copyMakeBorder(seen, above, below, before, behind, cv2.BORDER_CONSTANT, value=self.ground)


class Center(NamedTuple):
    """What validation sees of an image, see :meth:`.preprocessing.Preprocessing.crop`."""

    preprocessing: Preprocessing
    size: Tuple[int, int]

    @classmethod
    def of(cls, size: Tuple[int, int], preprocessing: Preprocessing, rng: np.random.Generator) -> Center:
        """It is not random."""
        return cls(preprocessing, size)

    @property
    def rows(self) -> int:
        """See :class:`Framing`."""
        return self.size[0]

    @property
    def place(self) -> Frame:
        """See :class:`Framing`."""
        return self.preprocessing.frame(*self.size)

    @property
    def ground(self) -> Tuple[int, int, int]:
        """See :class:`Framing`."""
        return self.preprocessing.ground

    def resized(self, pixels: np.ndarray) -> np.ndarray:
        """See :class:`Framing`."""
        return self.preprocessing.crop(pixels)

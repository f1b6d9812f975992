"""Preprocessing for validation and prediction: from the pixels of an image to the input of a network.

This module imports NumPy and OpenCV on use only, so that the cards of weights can be checked without them.
"""

from __future__ import annotations

import math
import operator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Dict, Mapping, Sequence, Tuple

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.image_size import ImageSize, height_width, image_size_of
from gluon_cbam.compat.renamed import renamed_attributes

from .pixels import check_pixels

if TYPE_CHECKING:
    import numpy as np

    from gluon_cbam.data.resizing import Frame

    from .views import View

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
RESIZES = ('crop', 'stretch', 'letterbox')
"""How an image of any size becomes one of the size of the input."""
CHANNELS = (1, 3)
"""The numbers of channels of the input of a network for images: gray, or RGB."""
_LUMA = (0.299, 0.587, 0.114)  # of R, G, B: ITU-R BT.601, as OpenCV makes gray
_LARGEST = 10_000  # mean, and standard deviation or its inverse


@dataclass(frozen=True)
class Preprocessing:
    """Resize, center crop or fill, scaling and normalization.

    Attributes:
        image_size: the side of the result in pixels; or its height and width, where they differ.
        crop_ratio: ``image_size`` divided by the size that the resized image covers before the crop; 0.875 resizes the
            short side to 256 and crops 224.
        mean: mean of the channels R, G, B, for pixels in 0..1; of networks of one channel, that of gray.
        std: standard deviation of the same channels, for pixels in 0..1.
        interpolation: interpolation of the resize; only ``bilinear`` is supported.
        resize: ``crop``: to the smallest image of the same aspect ratio that covers ``image_size / crop_ratio``, which
            has that short side where ``image_size`` is a number, and a center crop; ``stretch``: both sides to
            ``image_size``, so that the whole image is seen, its aspect ratio lost; ``letterbox``: to the largest image
            of the same aspect ratio that fits into ``image_size``, the rest at the right and at the bottom filled with
            the mean color. ``crop_ratio`` is for ``crop`` alone.

    Raises:
        UsageError: a value is out of bounds.
    """

    image_size: ImageSize
    crop_ratio: float = 0.875
    mean: Tuple[float, ...] = IMAGENET_MEAN
    std: Tuple[float, ...] = IMAGENET_STD
    interpolation: str = 'bilinear'
    resize: str = 'crop'

    def __post_init__(self) -> None:
        object.__setattr__(self, 'image_size', image_size_of(self.image_size))
        if not 0 < self.crop_ratio <= 1:
            raise UsageError(f'crop_ratio must be in (0, 1], got {self.crop_ratio!r}')
        if len(self.mean) not in CHANNELS or len(self.mean) != len(self.std):
            raise UsageError(f'mean and std must have one value or three each, got {self.mean!r} and {self.std!r}')
        if min(self.std) <= 0:
            raise UsageError(f'std must be positive, got {self.std!r}')
        if max(map(abs, self.mean)) > _LARGEST:  # also finite as float32
            raise UsageError(f'mean must be in -{_LARGEST}..{_LARGEST}, got {self.mean!r}')
        if not 1 / _LARGEST <= min(self.std) <= max(self.std) <= _LARGEST:
            raise UsageError(f'std must be in {1 / _LARGEST}..{_LARGEST}, got {self.std!r}')
        if self.interpolation != 'bilinear':
            raise UsageError(f'interpolation must be bilinear, got {self.interpolation!r}')

        if self.resize not in RESIZES:
            raise UsageError(f'resize must be {", ".join(RESIZES[:-1])} or {RESIZES[-1]}, got {self.resize!r}')

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Prepare an image.

        Args:
            pixels: (H, W, 3) uint8, RGB.

        Returns:
            (channels, height, width) float32, of :attr:`shape`.
        """
        return self.normalize(self.crop(pixels))

    def normalize(self, pixels: np.ndarray) -> np.ndarray:
        """Scale and normalize an image that :meth:`crop` returned.

        Args:
            pixels: (H, W, 3) uint8, RGB.

        Returns:
            (channels, H, W) float32.
        """
        import numpy as np

        values = self.to_channels(pixels).astype(np.float32)
        return np.ascontiguousarray((values * self.scale + self.shift).transpose(2, 0, 1))

    @property
    def shape(self) -> Tuple[int, int]:
        """Height and width of the result, in pixels."""
        return height_width(self.image_size)

    @property
    def channels(self) -> int:
        """The channels of the input of the network: 1, gray, or 3, RGB."""
        return len(self.mean)

    def to_channels(self, pixels: np.ndarray) -> np.ndarray:
        """Convert an image to the channels of the input.

        Args:
            pixels: (H, W, 3) uint8, RGB.

        Returns:
            (H, W, channels) uint8: the same, or OpenCV's gray, 0.299 R + 0.587 G + 0.114 B, rounded. An image whose
            channels are equal keeps their values.
        """
        if self.channels == 3:
            return pixels
        import cv2

        return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None]

    def seen(self, pixels: np.ndarray) -> np.ndarray:
        """What the network sees of an image that :meth:`crop` returned, as a picture.

        Args:
            pixels: (H, W, 3) uint8, RGB.

        Returns:
            (H, W, 3) uint8: the same, or gray in all three channels.
        """
        return pixels if self.channels == 3 else self.to_channels(pixels).repeat(3, axis=2)

    def of_channels(self, channels: int) -> Preprocessing:
        """The same preprocessing for a network of another number of channels.

        Args:
            channels: one of :data:`CHANNELS`.

        Returns:
            From RGB to gray, mean and standard deviation are those of R, G and B with the weights of gray; from gray to
            RGB, all three channels have those of gray.
        """
        if channels == self.channels:
            return self
        if channels == 3:
            return replace(self, mean=self.mean * 3, std=self.std * 3)
        return replace(self, mean=(_gray(self.mean),), std=(_gray(self.std),))

    def several(self, pixels: np.ndarray, views: Sequence[View]) -> np.ndarray:
        """Prepare views of an image.

        Args:
            pixels: (H, W, 3) uint8, RGB.
            views: see :func:`.views.views_of`.

        Returns:
            (views, 3, height, width) float32.
        """
        import numpy as np

        return np.stack([self.normalize(view.of(self, pixels)) for view in views])

    @property
    def scale(self) -> np.ndarray:
        """The factor for each channel of pixels in 0..255: (channels,) float32."""
        import numpy as np

        return np.float32(1) / (255 * np.array(self.std, np.float32))

    @property
    def shift(self) -> np.ndarray:
        """The summand for each channel, after multiplication by :attr:`scale`: (channels,) float32."""
        import numpy as np

        return -np.array(self.mean, np.float32) / np.array(self.std, np.float32)

    @property
    def ground(self) -> Tuple[int, int, int]:
        """The mean color in 0..255, which is put where there is no image."""
        red, green, blue = (min(max(math.floor(255 * value + 0.5), 0), 255) for value in self.of_channels(3).mean)
        return red, green, blue

    def crop(self, pixels: np.ndarray) -> np.ndarray:
        """Resize an image, and crop or fill it.

        Args:
            pixels: (H, W, 3) uint8, RGB.

        Returns:
            (height, width, 3) uint8, of :attr:`shape`.

        Raises:
            UsageError: ``pixels`` is something else; see :func:`.pixels.check_pixels`.
        """
        check_pixels(pixels)
        return self._resized(pixels, self.ground)

    def crop_map(self, values: np.ndarray) -> np.ndarray:
        """Resize what belongs to an image, such as a mask, as :meth:`crop` does the image; zeros are filled in.

        Args:
            values: (H, W, ...) uint8 or float32.

        Returns:
            (height, width, ...) of the same type, of :attr:`shape`.
        """
        return self._resized(values, (0, 0, 0))

    def _resized(self, values: np.ndarray, fill: Tuple[int, int, int]) -> np.ndarray:
        import cv2

        from gluon_cbam.data.resizing import Region, resize_and_crop, resize_to

        (height, width), (left, top, right, bottom) = self.shape, map(int, self.frame(*values.shape[:2]))
        if self.resize == 'crop':
            return resize_and_crop(values, (bottom - top, right - left), Region(-top, -left, height, width))
        resized = resize_to(values, bottom, right)
        if resized.shape[:2] == (height, width):
            return resized
        return cv2.copyMakeBorder(resized, 0, height - bottom, 0, width - right, cv2.BORDER_CONSTANT, value=fill)

    def frame(self, height: int, width: int) -> Frame:
        """The place of a whole image in the network's input, in its pixels.

        Args:
            height: height of the image, in pixels.
            width: width of the image, in pixels.

        Returns:
            The place, whole numbers; with ``crop``, it is larger than the input.
        """
        from gluon_cbam.data.resizing import Frame, cover_shape, letterbox_shape

        rows, columns = self.shape
        if self.resize == 'stretch':
            return Frame(0, 0, columns, rows)
        if self.resize == 'letterbox':
            tall, wide = letterbox_shape(height, width, rows, columns)
            return Frame(0, 0, wide, tall)
        tall, wide = cover_shape(height, width, *self.covered)
        left, top = -((wide - columns) // 2), -((tall - rows) // 2)
        return Frame(left, top, left + wide, top + tall)

    @property
    def covered(self) -> Tuple[int, int]:
        """Height and width that an image covers before the center crop, in pixels."""
        rows, columns = (int(round(side / self.crop_ratio)) for side in self.shape)
        return rows, columns

    def to_image(self, points: np.ndarray, height: int, width: int) -> np.ndarray:
        """Find the places of points of the network's input in the image that :meth:`crop` was given.

        Args:
            points: (..., 2), x and y in pixels of the input; a corner of a box, for instance.
            height: height of the image, in pixels.
            width: width of the image, in pixels.

        Returns:
            (..., 2) float64, x and y in pixels of the image; a place that ``points`` has outside the input may be
            outside the image.
        """
        import numpy as np

        left, top, right, bottom = self.frame(height, width)
        factors = (width / (right - left), height / (bottom - top))
        return (np.asarray(points, np.float64) - (left, top)) * factors

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name, as values for JSON."""
        size = self.image_size if isinstance(self.image_size, int) else list(self.image_size)
        values = {**asdict(self), 'image_size': size, 'mean': list(self.mean), 'std': list(self.std)}
        if self.resize == 'crop':  # as cards have it from before there was another one
            del values['resize']
        return values

    @classmethod
    def of(cls, variant: object, **changes: Any) -> Preprocessing:
        """Build the preprocessing of a model.

        Args:
            variant: a row of :data:`gluon_cbam.models.variants.VARIANTS`.
            **changes: attributes that differ from the row; None for the value of the row.

        Returns:
            The preprocessing; attributes that the row does not have keep their defaults.

        Raises:
            UsageError: a value is out of bounds.
        """
        values = {name: getattr(variant, name) for name in cls.__dataclass_fields__ if hasattr(variant, name)}
        return cls(**{**values, **{name: value for name, value in changes.items() if value is not None}})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Build a preprocessing from the result of :meth:`as_dict`.

        Args:
            values: attributes by name, at least ``image_size``, ``mean`` and ``std``.

        Returns:
            The preprocessing.

        Raises:
            DataError: an attribute is missing or unknown.
            UsageError: a value is out of bounds.
        """
        try:
            return cls(**{**values, 'mean': tuple(values['mean']), 'std': tuple(values['std'])})
        except (KeyError, TypeError) as error:
            raise DataError(f'not a preprocessing: {values} ({error})') from None


def _gray(values: Tuple[float, ...]) -> float:
    """The value of gray for values of R, G and B, without the noise of rounding."""
    red, green, blue = values
    return red if red == green == blue else round(sum(map(operator.mul, _LUMA, values)), 12)


__getattr__ = renamed_attributes(
    __name__, {'decode': 'data.decoding.decode', 'decode_record': 'data.records.images.decode_record'}
)

"""From the bytes of an image to the array that a network takes, the same for validation and prediction."""

from __future__ import annotations

import struct
from dataclasses import asdict, dataclass
from typing import Callable, Tuple, Union

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.records.recordio import RecordFile

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


# what MXNet's own decoder reads as well; it knows no WebP
_SIGNATURES = (b'\xff\xd8\xff', b'\x89PNG', b'BM')
_SIGNATURE = max(map(len, _SIGNATURES))


def decode(image: Union[bytes, memoryview], name: str) -> np.ndarray:
    """Decode an image.

    Args:
        image: an encoded JPEG, PNG or BMP.
        name: what the message calls it.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        DataError: it cannot be decoded, or not to its end.
    """
    return _decoded(image, lambda: name)


def _decoded(image: Union[bytes, memoryview], name: Callable[[], str]) -> np.ndarray:
    """As :func:`decode`; what messages call the image is asked for where one is needed."""
    pixels = None
    if bytes(image[:_SIGNATURE]).startswith(_SIGNATURES):
        try:
            pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR_RGB)
        except cv2.error as error:  # it claims more pixels than OpenCV takes, or than memory holds
            raise DataError(f'{name()}: OpenCV refuses the image ({error.err})') from None
    if pixels is None:
        raise DataError(f'{name()}: {_fault(image)}')
    return pixels


def _fault(image: Union[bytes, memoryview]) -> str:
    """What is wrong with an image that cannot be decoded."""
    begin = bytes(image[:12])
    if not begin:
        return 'the image is empty'
    if not begin.startswith(_SIGNATURES):
        return f'no JPEG, PNG or BMP (it begins with {begin!r})'
    return f'a damaged image ({len(image)} bytes)'


def decode_record(records: RecordFile, number: int) -> np.ndarray:
    """Decode the image of a record.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        DataError: as of :func:`decode`, or it cannot be read any more; the message names the record and its offset.
    """
    try:
        image = records.image(number)
    except (OSError, ValueError, struct.error) as error:  # the file was changed, or the disk failed
        raise DataError(f'{_name(records, number)}: cannot be read any more ({error})') from error
    return _decoded(image, lambda: _name(records, number))


def _name(records: RecordFile, number: int) -> str:
    """What messages call a record."""
    return f'{records.path}: record {number} at offset {records.offset(number)}'


@dataclass(frozen=True)
class Preprocessing:
    """Resize of the short side, centre crop, scale and normalise.

    Attributes:
        image_size: height and width of the result, in pixels.
        crop_ratio: ``image_size`` over the short side before the crop; 0.875 resizes to 256 and crops 224.
        mean: of the channels R, G, B, for pixels in 0..1.
        std: likewise.
        interpolation: of the resize; there is only ``bilinear``.
    """

    image_size: int
    crop_ratio: float = 0.875
    mean: Tuple[float, float, float] = IMAGENET_MEAN
    std: Tuple[float, float, float] = IMAGENET_STD
    interpolation: str = 'bilinear'

    def __post_init__(self):
        if not isinstance(self.image_size, int) or self.image_size < 1:
            raise UsageError(f'the image size must be a positive number of pixels, got {self.image_size!r}')
        if not 0 < self.crop_ratio <= 1:
            raise UsageError(f'the crop ratio must be in (0, 1], got {self.crop_ratio!r}')
        if self.interpolation != 'bilinear':
            raise UsageError(f'the interpolation must be bilinear, got {self.interpolation!r}')

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB to (3, image_size, image_size) float32."""
        return self.normalise(self.crop(pixels))

    def normalise(self, pixels: np.ndarray) -> np.ndarray:
        """What comes after :meth:`crop`: (H, W, 3) uint8 RGB to (3, H, W) float32."""
        return np.ascontiguousarray((pixels.astype(np.float32) * self.scale + self.shift).transpose(2, 0, 1))

    @property
    def scale(self) -> np.ndarray:
        """(3,) float32: what pixels in 0..255 are multiplied by."""
        return np.float32(1) / (255 * np.float32(self.std))

    @property
    def shift(self) -> np.ndarray:
        """(3,) float32: what is added to them then."""
        return -np.float32(self.mean) / np.float32(self.std)

    def crop(self, pixels: np.ndarray) -> np.ndarray:
        """Resize and crop alone: (H, W, 3) uint8 RGB to (image_size, image_size, 3) uint8."""
        size = self.image_size
        pixels = resize_short_side(pixels, int(round(size / self.crop_ratio)))
        top, left = ((length - size) // 2 for length in pixels.shape[:2])
        return pixels[top : top + size, left : left + size]

    def as_dict(self) -> dict:
        """The attributes by name, as JSON holds them."""
        return {**asdict(self), 'mean': list(self.mean), 'std': list(self.std)}

    @classmethod
    def of(cls, variant, **changes) -> Preprocessing:
        """That of a network's row.

        Args:
            variant: a row of models/variants.py.
            **changes: attributes that differ; None does not.
        """
        said = {name: getattr(variant, name) for name in cls.__dataclass_fields__ if hasattr(variant, name)}
        return cls(**{**said, **{name: value for name, value in changes.items() if value is not None}})

    @classmethod
    def from_dict(cls, values: dict) -> Preprocessing:
        """The way back from :meth:`as_dict`.

        Raises:
            DataError: an attribute is missing or unknown.
        """
        try:
            return cls(**{**values, 'mean': tuple(values['mean']), 'std': tuple(values['std'])})
        except (KeyError, TypeError) as error:
            raise DataError(f'not a preprocessing: {values} ({error})') from None


def resize_short_side(pixels: np.ndarray, size: int) -> np.ndarray:
    """Resize (H, W, ...) so that the shorter side is ``size`` pixels, bilinear.

    The longer side is rounded down, as MXNet and torchvision do.
    """
    height, width = pixels.shape[:2]
    if min(height, width) == size:
        return pixels
    shape = (width * size // height, size) if height < width else (size, height * size // width)
    return cv2.resize(pixels, shape, interpolation=cv2.INTER_LINEAR)

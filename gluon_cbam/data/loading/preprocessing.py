"""From the pixels of an image to the array that a network takes, the same for validation and prediction."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Tuple

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.compat.renamed import renamed_attributes
from gluon_cbam.data.resizing import resize_short_side

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


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


__getattr__ = renamed_attributes(
    __name__, {'decode': 'data.decoding.decode', 'decode_record': 'data.records.images.decode_record'}
)

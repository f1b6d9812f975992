"""Small images, whose pixels are kept in memory once they are decoded.

Reading and decoding one of 28 x 28 pixels takes as long as all that is done with it afterwards, and its pixels take
little more memory than its file.
"""

from __future__ import annotations

from typing import Dict, Optional, Union

import cv2
import numpy as np

from .decoder import EncodedImage
from .jpeg import Reduced

SMALL_PIXELS = 64 * 64
"""The largest number of pixels of a small image."""
_MEMORY = 256 << 20  # bytes of one file's images
_OBJECTS = 512  # bytes that an image takes besides its pixels


class SmallImage:
    """A small image, which is decoded once; see :class:`.decoder.EncodedImage`, whose attributes it has."""

    __slots__ = ('_image', 'height', 'width')

    def __init__(self, image: EncodedImage) -> None:
        self._image: Union[EncodedImage, np.ndarray] = image
        self.height, self.width = image.height, image.width

    def reduced(self, height: float, width: float, rows: int) -> Optional[Reduced]:
        """None: a small image is always decoded as it is, so that no pixels depend on whether it is kept."""
        return None

    def pixels(self, rows: Optional[int] = None, fast: bool = False) -> np.ndarray:
        """A new array of the pixels, which the caller may change: (H, W, 3) uint8, RGB.

        Raises:
            DataError: it is damaged.
        """
        image = self._image  # another thread may decode it, too
        if isinstance(image, EncodedImage):
            pixels = image.pixels()
            self._image = _without_copies(pixels)
            return pixels if self._image is not pixels else pixels.copy()
        return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image.copy()


def _without_copies(pixels: np.ndarray) -> np.ndarray:
    """One channel, (H, W), of an image whose channels are equal."""
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)  # keeps the values of equal channels
    # bytes are compared in a third of the time of arrays
    return gray if cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB).tobytes() == pixels.tobytes() else pixels


class SmallImages:
    """The small images of a file, by the numbers of their records, up to 256 MiB; threads may share it."""

    def __init__(self) -> None:
        self._images: Dict[int, SmallImage] = {}
        self._bytes = 0

    def get(self, number: int) -> Optional[SmallImage]:
        """The image of a record, if it is kept."""
        return self._images.get(number)

    def kept(self, number: int, image: EncodedImage) -> Union[EncodedImage, SmallImage]:
        """Keep the image of a record if it is small, and there is memory left.

        Returns:
            What decodes it once; the image itself where it is not kept.
        """
        pixels = image.height * image.width
        if pixels > SMALL_PIXELS or self._bytes > _MEMORY:
            return image
        self._bytes += 3 * pixels + _OBJECTS  # a thread may miss the bytes of another: the limit is not exact
        return self._images.setdefault(number, SmallImage(image))

"""Images of 16 bits a channel: scaling them to 8, and those that use few of the bits, as microscopes write them.

A value of 12 bits in a channel of 16 is at most 4095 of 65535; scaled to 8 bits as the format means it, it is at most
15, and the image almost black. Whether that is meant cannot be known: such images are counted, and a depth scales them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Optional

import cv2
import numpy as np

from gluon_cbam.common.printable import printable

_DARK = 16  # the largest value of 8 bits that comes of 12 bits in 16, with rounding
_FEW_BITS = 12


@dataclass
class DarkImages:
    """Counts the images of 16 bits a channel that use few of them; several threads may add to it.

    Attributes:
        count: number of images.
        first: name of the first that was added.
        bits: the largest number of bits that one of them uses.
    """

    count: int = 0
    first: Optional[str] = None
    bits: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def add(self, name: str, bits: int) -> None:
        """Count an image."""
        with self._lock:
            self.count += 1
            self.first = self.first or name
            self.bits = max(self.bits, bits)

    def text(self) -> str:
        """What there is to say, in one line; empty where no image was added."""
        if not self.count:
            return ''
        images = 'an image has' if self.count == 1 else f'{self.count} images have'
        first = f'{printable(self.first or "")}{"" if self.count == 1 else " is the first"}'
        return (
            f'{images} 16 bits a channel, of which {self.bits} are used, and are almost black: {first}; scale with '
            f'--depth {max(8, self.bits)}'
        )


def few_bits(image: bytes, pixels: np.ndarray) -> int:
    """How many bits an image of 16 bits a channel uses, if these are few.

    Args:
        image: the bytes of the image.
        pixels: its pixels in 8 bits.

    Returns:
        The number of bits; 0 if it is larger than 12, or if all is black.
    """
    if pixels.max() > _DARK:
        return 0
    # as they are stored: gray takes a third of the memory
    values = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is not None and values.ndim == 3:
        values = values[:, :, :3]  # without transparency
    bits = 0 if values is None else int(values.max()).bit_length()
    return bits if bits <= _FEW_BITS else 0


def scaled(image: bytes, depth: int) -> Optional[np.ndarray]:
    """The pixels of an image of 16 bits a channel, of which some are used.

    Args:
        image: the bytes of the image.
        depth: number of bits that are used, 8..16.

    Returns:
        (H, W, 3) uint8 RGB: ``value * 255 / (2**depth - 1)``, rounded, and at most 255; None where a damaged image can
        be decoded in 8 bits alone.
    """
    values = _in_16_bits(image)
    table = np.rint(np.arange(1 << 16) * (255 / ((1 << depth) - 1))).clip(0, 255).astype(np.uint8)
    return None if values is None else table[values]


def _in_16_bits(image: bytes) -> Optional[np.ndarray]:
    """The pixels, (H, W, 3) uint16 RGB."""
    # IMREAD_COLOR_RGB gives other values of a TIFF of 16 bits (OpenCV 4.11)
    values = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    return None if values is None or values.dtype != np.uint16 else values[:, :, ::-1]

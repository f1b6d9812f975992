"""Images to measure with: generated textures, whose JPEGs are as large as those of photographs."""

from __future__ import annotations

from typing import List, Optional, Tuple

import cv2
import numpy as np

from gluon_cbam.common.files import PathLike
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter

_SIZE = (375, 500)
_DIFFERENT = 200  # images of a file; further records repeat them


def texture(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """(height, width, 3) uint8: noise of several scales, about 110 kB as a JPEG of 500 x 375 pixels."""
    pixels = np.full((height, width, 3), 128, np.float32)
    for cells, strength in ((6, 60), (24, 50), (96, 30), (375, 18)):
        noise = random.standard_normal((cells, cells * 4 // 3, 3)).astype(np.float32)
        pixels += strength * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def jpegs(count: int, size: Optional[Tuple[int, int]] = None) -> List[bytes]:
    """So many JPEGs, quality 90, the same ones every time.

    Args:
        count: how many.
        size: height and width; default 375 x 500.
    """
    random = np.random.default_rng(0)
    return [
        cv2.imencode('.jpg', texture(random, *(size or _SIZE)), [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        for _ in range(count)
    ]


def write_records(path: PathLike, images: int, classes: int = 10, size: Optional[Tuple[int, int]] = None) -> RecordFile:
    """A record file of so many JPEGs of :func:`jpegs`, whose labels are classes in turn."""
    encoded = jpegs(min(images, _DIFFERENT), size)
    with RecordWriter(path) as writer:
        for number in range(images):
            writer.write(number % classes, encoded[number % len(encoded)])
    return RecordFile(path)

"""Generated images for measurements; their JPEG files are as large as JPEG files of photographs."""

from __future__ import annotations

from typing import Callable, List, Optional, Tuple, Union

import cv2
import numpy as np

from gluon_cbam.common.files import PathLike
from gluon_cbam.data.boxes.labels import encode
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter

_SIZE = (375, 500)
_UNIQUE = 200  # number of different images in a file; further records repeat them
_MOST_BOXES = 5  # of an image


def texture(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Noise on several scales; as a JPEG of 500 x 375 pixels, it takes about 110 kB.

    Args:
        random: the random number generator.
        height: height of the image, in pixels.
        width: width of the image, in pixels.

    Returns:
        (height, width, 3) uint8.
    """
    pixels = np.full((height, width, 3), 128, np.float32)
    for cells, strength in ((6, 60), (24, 50), (96, 30), (375, 18)):
        noise = random.standard_normal((cells, cells * 4 // 3, 3)).astype(np.float32)
        pixels += strength * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def jpegs(count: int, size: Optional[Tuple[int, int]] = None) -> List[bytes]:
    """Encode generated images as JPEG with quality 90; the result is always the same.

    Args:
        count: number of images.
        size: height and width in pixels; default 375 x 500.

    Returns:
        The encoded images.
    """
    random = np.random.default_rng(0)
    return [
        cv2.imencode('.jpg', texture(random, *(size or _SIZE)), [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        for _ in range(count)
    ]


def write_records(path: PathLike, images: int, classes: int = 10, size: Optional[Tuple[int, int]] = None) -> RecordFile:
    """Write a record file of generated JPEGs; the labels cycle through the classes.

    Args:
        path: path of the .rec file; its .idx file is written next to it.
        images: number of records.
        classes: number of classes.
        size: height and width in pixels; default 375 x 500.

    Returns:
        The file.
    """
    return _write(path, images, size, lambda number: number % classes)


def write_detection_records(
    path: PathLike, images: int, classes: int = 10, size: Optional[Tuple[int, int]] = None
) -> RecordFile:
    """Write the images of :func:`write_records` with 1 to 5 random boxes each, of a tenth to a half of both sides.

    Args:
        path: path of the .rec file; its .idx file is written next to it.
        images: number of records.
        classes: number of classes.
        size: height and width in pixels; default 375 x 500.

    Returns:
        The file.
    """
    random, (height, width) = np.random.default_rng(0), size or _SIZE

    def label(number: int) -> List[float]:
        count = number % _MOST_BOXES + 1
        low, lengths = random.uniform(0, 0.5, (count, 2)), random.uniform(0.1, 0.5, (count, 2))
        corners = np.concatenate([low, low + lengths], axis=1) * [width, height, width, height]
        return encode(Boxes.of(corners, random.integers(0, classes, count)), height, width).tolist()

    return _write(path, images, size, label)


def _write(
    path: PathLike, images: int, size: Optional[Tuple[int, int]], label: Callable[[int], Union[float, List[float]]]
) -> RecordFile:
    encoded = jpegs(min(images, _UNIQUE), size)
    with RecordWriter(path) as writer:
        for number in range(images):
            writer.write(label(number), encoded[number % len(encoded)])
    return RecordFile(path)

"""Batches and data of multi-label classification for benchmarks."""

from __future__ import annotations

import cv2
import mxnet as mx
import numpy as np

from gluon_cbam.common.files import PathLike
from gluon_cbam.common.image_size import ImageSize, height_width
from gluon_cbam.data.loading.training import Batch
from gluon_cbam.data.records.recordio import RecordWriter

_SIDE = 8  # pixels


def noise_batch(images: int, image_size: ImageSize, classes: int) -> Batch:
    """Noise, with each class on half of the images.

    Args:
        images: number of images.
        image_size: the size of the images.
        classes: number of classes.
    """
    random = np.random.RandomState(0)
    pixels = random.randint(0, 256, (images, *height_width(image_size), 3), np.uint8)
    return Batch(mx.nd.array(pixels, dtype='uint8'), mx.nd.array(random.randint(0, 2, (images, classes))))


def write_black_images(path: PathLike, images: int, classes: int) -> None:
    """Write records of black images of one class each.

    Args:
        path: the file.
        images: number of images.
        classes: number of classes, which the images have in turn.
    """
    image = cv2.imencode('.png', np.zeros((_SIDE, _SIDE, 3), np.uint8))[1].tobytes()
    with RecordWriter(path) as writer:
        for number in range(images):
            writer.write(np.eye(classes, dtype=np.float32)[number % classes], image)

"""Batches and data of detection for benchmarks."""

from __future__ import annotations

from typing import Union

import cv2
import mxnet as mx
import numpy as np

from gluon_cbam.common.files import PathLike
from gluon_cbam.common.image_size import ImageSize, height_width
from gluon_cbam.data.boxes.labels import encode
from gluon_cbam.data.boxes.mask_parts import SIDE
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.loading.box_mask_training import MaskedDetectionBatch
from gluon_cbam.data.loading.box_training import DetectionBatch, padded
from gluon_cbam.data.records.recordio import RecordWriter

_BOXES = 3  # of an image


def noise_batch(
    images: int, image_size: ImageSize, classes: int, masks: bool = False
) -> Union[DetectionBatch, MaskedDetectionBatch]:
    """Noise with three boxes in each image.

    Args:
        images: number of images.
        image_size: the size of the images.
        classes: number of classes.
        masks: whether the objects have masks, which fill their boxes.
    """
    random = np.random.RandomState(0)
    height, width = height_width(image_size)
    pixels = random.randint(0, 256, (images, height, width, 3), np.uint8)
    low, length = random.uniform(0, 0.5, (images, _BOXES, 2)), random.uniform(0.1, 0.5, (images, _BOXES, 2))
    kinds = random.randint(0, classes, (images, _BOXES, 1))
    rows = np.concatenate([kinds, low * (width, height), (low + length) * (width, height)], axis=2)
    batch = DetectionBatch(mx.nd.array(pixels, dtype='uint8'), mx.nd.array(padded(list(rows))))
    if not masks:
        return batch
    return MaskedDetectionBatch(*batch, mx.nd.ones((*batch.boxes.shape[:2], SIDE, SIDE), dtype='uint8'))


def write_black_images(path: PathLike, images: int, classes: int) -> None:
    """Write detection records of black images with a box each.

    Args:
        path: the file.
        images: number of images.
        classes: number of classes, which the boxes have in turn.
    """
    image = cv2.imencode('.png', np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    with RecordWriter(path) as writer:
        for number in range(images):
            label = encode(Boxes.of([[1, 1, 7, 7]], [number % classes]), 8, 8)
            writer.write(label.tolist(), image)

"""Batches and data of segmentation for benchmarks."""

from __future__ import annotations

import cv2
import mxnet as mx
import numpy as np

from gluon_cbam.common.files import PathLike
from gluon_cbam.common.image_size import ImageSize, height_width
from gluon_cbam.data.class_masks.png import encode_mask
from gluon_cbam.data.loading.mask_training import MaskBatch
from gluon_cbam.data.records.recordio import RecordWriter
from gluon_cbam.data.records.segmentation import mask_labels

_SIDE = 8  # pixels


def noise_batch(images: int, image_size: ImageSize, classes: int) -> MaskBatch:
    """Noise, with a random class for each pixel.

    Args:
        images: number of images.
        image_size: the size of the images.
        classes: number of classes.
    """
    random = np.random.RandomState(0)
    pixels = random.randint(0, 256, (images, *height_width(image_size), 3), np.uint8)
    masks = random.randint(0, classes, (images, *height_width(image_size)))
    return MaskBatch(mx.nd.array(pixels, dtype='uint8'), mx.nd.array(masks, dtype='uint8'))


def write_black_images(path: PathLike, images: int, classes: int) -> None:
    """Write segmentation records of black images of one class each.

    Args:
        path: the file.
        images: number of images.
        classes: number of classes, which the images have in turn.
    """
    image = cv2.imencode('.png', np.zeros((_SIDE, _SIDE, 3), np.uint8))[1].tobytes()
    with RecordWriter(path) as writer:
        for number in range(images):
            mask = encode_mask(np.full((_SIDE, _SIDE), number % classes, np.uint8))
            writer.write(mask_labels((_SIDE, _SIDE), len(mask), number % classes), image + mask)

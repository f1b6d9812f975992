"""One shape among distractors, as RecordIO files with object masks, for measuring localization.

``scenes`` draws the images. An image depends only on the seed, its file and its index, so that another number of
training images does not change the other images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict

import cv2
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike, refuse_existing
from gluon_cbam.data.class_names import write_classes
from gluon_cbam.data.records.recordio import RecordWriter

from .masks import masks_path, write_masks
from .scenes import CLASSES, draw_scene

SMALLEST = 32
"""The smallest size of an image in pixels: in smaller ones, the shapes are a few pixels wide."""


def write_shapes(
    folder: PathLike,
    size: int = 64,
    train: int = 6000,
    val: int = 800,
    seed: int = 0,
    classes: int = len(CLASSES),
    overwrite: bool = True,
) -> Dict[str, int]:
    """Write ``train.rec`` and ``val.rec``, their ``.idx`` and ``.masks.npz``, and ``classes.txt``.

    The labels cycle through the classes, so that their numbers of images differ by one at most. The images are PNGs;
    the same arguments give the same bytes with one version of OpenCV and NumPy.

    Args:
        folder: created if it does not exist.
        size: height and width of the images in pixels.
        train: number of training images.
        val: number of validation images.
        seed: random seed of all images.
        classes: number of classes, the first of :data:`~gluon_cbam.data.datasets.scenes.CLASSES`.
        overwrite: whether the files may exist.

    Returns:
        File name -> number of records.

    Raises:
        UsageError: a file exists and must not be overwritten, the size is below :data:`SMALLEST`, the number of classes
            is out of range, or there are fewer images than classes.
    """
    names = list(CLASSES)[:classes]
    if not 2 <= classes <= len(CLASSES):
        raise UsageError(f'the classes must be 2 to {len(CLASSES)} ({", ".join(CLASSES)}), got {classes}')
    if size < SMALLEST:
        raise UsageError(f'the size must be at least {SMALLEST} pixels, got {size}')
    counts = {'train.rec': train, 'val.rec': val}
    for name, count in counts.items():
        if count < classes:
            raise UsageError(f'{name} must have an image of each of the {classes} classes, got {count} images')
    folder = Path(folder)
    refuse_existing([folder / name for name in (*counts, 'classes.txt')], overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    for part, (name, count) in enumerate(counts.items()):
        masks = []
        with RecordWriter(folder / name) as writer:
            for number in range(count):
                label = number % classes
                scene = draw_scene(names[label], size, np.random.RandomState([seed, part, number]))
                writer.write(float(label), cv2.imencode('.png', scene.image[..., ::-1])[1].tobytes())
                masks.append(scene.mask)
        write_masks(masks_path(folder / name), range(count), masks)
    write_classes(folder, names)
    return counts

"""The scenes of :mod:`.box_scenes` with the class of each pixel, for segmentation."""

from __future__ import annotations

from functools import partial
from typing import Callable, Dict, Iterable, Sequence

import cv2
import numpy as np

from gluon_cbam.common.files import PathLike
from gluon_cbam.data.class_masks.coco import BACKGROUND
from gluon_cbam.data.class_masks.png import encode_mask
from gluon_cbam.data.class_masks.values import counts_of, largest_class
from gluon_cbam.data.records.segmentation import mask_labels

from .box_scenes import EncodedScene, chosen_classes, draw_box_scene, write_scenes
from .scenes import CLASSES


def _encoded(names: Sequence[str], size: int, seed: int, part: int, number: int) -> EncodedScene:
    scene = draw_box_scene(names, size, np.random.RandomState([seed, part, number]))
    image, mask = cv2.imencode('.png', scene.image[..., ::-1])[1].tobytes(), encode_mask(scene.mask)
    return EncodedScene(mask_labels((size, size), len(mask), largest_class(counts_of(scene.mask))), image + mask)


def write_mask_shapes(
    folder: PathLike,
    size: int = 128,
    train: int = 6000,
    val: int = 800,
    seed: int = 0,
    classes: int = len(CLASSES),
    overwrite: bool = True,
    workers: int = 1,
    progress: Callable[[Iterable, int, str], Iterable] = lambda items, total, name: items,
) -> Dict[str, int]:
    """Write ``train.rec`` and ``val.rec`` of segmentation, their ``.idx``, and ``classes.txt``.

    The images are those of :func:`.box_scenes.write_box_shapes` with the same arguments. Class 0 is the background, to
    which distractors belong; a pixel has the class of the object that covers at least half of it.

    Args:
        folder: created if it does not exist.
        size: height and width of the images in pixels.
        train: number of training images.
        val: number of validation images.
        seed: random seed of all images.
        classes: number of classes besides the background, the first of
            :data:`~gluon_cbam.data.datasets.scenes.CLASSES`.
        overwrite: whether the files may exist.
        workers: number of processes.
        progress: wraps the images of a file for a progress bar; called with (images, number of images, name).

    Returns:
        File name -> number of records.

    Raises:
        UsageError: a file exists and must not be overwritten, or the size or the number of classes is out of range.
    """
    names = chosen_classes(classes, size)
    encoded = partial(_encoded, names, size, seed)
    return write_scenes(folder, encoded, [BACKGROUND, *names], train, val, overwrite, workers, progress)

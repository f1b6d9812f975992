"""Synthetic images of up to eight objects of known classes and many sizes among distractors, for detection.

The shapes, colors and backgrounds are those of :mod:`.scenes`. An image depends only on the seed, its file and its
index.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike, refuse_existing
from gluon_cbam.common.parallel import ordered_map, process_pool
from gluon_cbam.data.boxes.labels import encode
from gluon_cbam.data.boxes.segmentation_files import segmentations_path, segmentations_writer
from gluon_cbam.data.boxes.segmentations import mask_text
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.class_names import write_classes
from gluon_cbam.data.records.recordio import RecordWriter

from .masks import remove_masks
from .scenes import CLASSES, DISTRACTORS, background, choose, put_shape, rounded

SMALLEST = 64
"""The smallest size of an image in pixels: in smaller ones, the smallest shapes cannot be told apart."""
MOST_OBJECTS = 8
_SMALLEST_RADIUS, _LARGEST_RADIUS = 0.07, 0.28  # of a shape, relative to the size of the image
_DISTRACTORS = (1, 4)  # range of their number, the upper end excluded
_VISIBLE = 0.6  # share of an object that later objects may not cover
_TRIES = 20  # to place an object
_Progress = Callable[[Iterable, int, str], Iterable]


class EncodedScene(NamedTuple):
    """A record of an image.

    Attributes:
        label: its labels.
        data: its contents.
        boxes: the objects where their segmentations are written, too.
    """

    label: List[float]
    data: bytes
    boxes: Optional[Boxes] = None


class BoxScene(NamedTuple):
    """An image and its objects.

    Attributes:
        image: (size, size, 3) uint8, RGB.
        boxes: the objects: the bounds of the pixels that each covers by at least half, of parts too that a later
            object hides; their areas are the numbers of these pixels, which are their segmentations.
        mask: (size, size) uint8: 1 and the class of the object that is seen in a pixel, 0 for no object.
    """

    image: np.ndarray
    boxes: Boxes
    mask: np.ndarray


def draw_box_scene(names: Sequence[str], size: int, random: np.random.RandomState) -> BoxScene:
    """Draw a background, some distractors, and 0 to 8 objects, of which at least 60 % stays visible.

    Args:
        names: the classes that occur, keys of :data:`.scenes.CLASSES`.
        size: height and width in pixels.
        random: the random number generator.

    Returns:
        The image and its objects.
    """
    canvas = background(size, random)
    for _ in range(random.randint(*_DISTRACTORS)):
        put_shape(canvas, choose(DISTRACTORS, random), random, _radii(random))
    covers: List[np.ndarray] = []
    labels: List[int] = []
    for _ in range(random.randint(0, MOST_OBJECTS + 1)):
        label = int(random.randint(len(names)))
        radii = _radii(random)
        for _ in range(_TRIES):
            painted = canvas.copy()
            cover = put_shape(painted, CLASSES[names[label]], random, radii) >= 0.5
            if all(_visible(covers, number, cover) >= _VISIBLE for number in range(len(covers))):
                canvas = painted
                covers.append(cover)
                labels.append(label)
                break
    corners = [_bounds(cover) for cover in covers]
    boxes = Boxes.of(corners, labels, areas=[float(cover.sum()) for cover in covers])
    boxes = replace(boxes, segmentations=np.array([*map(mask_text, covers), ''], object)[:-1])
    mask = np.zeros((size, size), np.uint8)
    for label, cover in zip(labels, covers):
        mask[cover] = 1 + label
    return BoxScene(rounded(canvas), boxes, mask)


def _radii(random: np.random.RandomState) -> Tuple[float, float]:
    """One radius, as a range: of small and large ones, equally many are drawn for each doubling."""
    radius = float(np.exp(random.uniform(np.log(_SMALLEST_RADIUS), np.log(_LARGEST_RADIUS))))
    return radius, radius


def _visible(covers: Sequence[np.ndarray], number: int, cover: np.ndarray) -> float:
    """The share of an object that is visible where another one is drawn over all."""
    hidden = np.logical_or.reduce([*covers[number + 1 :], cover])
    return float((covers[number] & ~hidden).sum() / covers[number].sum())


def _bounds(cover: np.ndarray) -> Tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(cover.any(axis=1)), np.flatnonzero(cover.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _encoded_scene(names: Sequence[str], size: int, seed: int, part: int, number: int) -> EncodedScene:
    scene = draw_box_scene(names, size, np.random.RandomState([seed, part, number]))
    label = encode(scene.boxes, size, size)
    return EncodedScene(label.tolist(), cv2.imencode('.png', scene.image[..., ::-1])[1].tobytes(), scene.boxes)


def write_box_shapes(
    folder: PathLike,
    size: int = 128,
    train: int = 6000,
    val: int = 800,
    seed: int = 0,
    classes: int = len(CLASSES),
    overwrite: bool = True,
    workers: int = 1,
    progress: _Progress = lambda items, total, name: items,
) -> Dict[str, int]:
    """Write ``train.rec`` and ``val.rec`` of detection, their ``.idx`` and segmentations, and ``classes.txt``.

    The images are PNGs; the same arguments give the same bytes with one version of OpenCV and NumPy.

    Args:
        folder: created if it does not exist.
        size: height and width of the images in pixels.
        train: number of training images.
        val: number of validation images.
        seed: random seed of all images.
        classes: number of classes, the first of :data:`~gluon_cbam.data.datasets.scenes.CLASSES`.
        overwrite: whether the files may exist.
        workers: number of processes.
        progress: wraps the images of a file for a progress bar; called with (images, number of images, name).

    Returns:
        File name -> number of records.

    Raises:
        UsageError: a file exists and must not be overwritten, the size is below :data:`SMALLEST`, or the number of
            classes is out of range.
    """
    encoded = partial(_encoded_scene, chosen_classes(classes, size), size, seed)
    return write_scenes(folder, encoded, list(CLASSES)[:classes], train, val, overwrite, workers, progress)


def chosen_classes(classes: int, size: int) -> List[str]:
    """The first classes, after a check of their number and of the size of the images.

    Raises:
        UsageError: one of them is out of range.
    """
    if not 1 <= classes <= len(CLASSES):
        raise UsageError(f'the classes must be 1 to {len(CLASSES)} ({", ".join(CLASSES)}), got {classes}')
    if size < SMALLEST:
        raise UsageError(f'the size must be at least {SMALLEST} pixels for several objects, got {size}')
    return list(CLASSES)[:classes]


def write_scenes(
    folder: PathLike,
    encoded: Callable[[int, int], EncodedScene],
    names: Sequence[str],
    train: int,
    val: int,
    overwrite: bool,
    workers: int,
    progress: _Progress,
) -> Dict[str, int]:
    """Write ``train.rec`` and ``val.rec`` of drawn images, their ``.idx``, and ``classes.txt``.

    Args:
        folder: created if it does not exist.
        encoded: from the number of a file and the number of an image in it to a record; called in other processes.
        names: the names of the classes.
        train: number of training images.
        val: number of validation images.
        overwrite: whether the files may exist.
        workers: number of processes.
        progress: see :func:`write_box_shapes`.

    Returns:
        File name -> number of records.

    Raises:
        UsageError: a file exists and must not be overwritten.
    """
    counts = {'train.rec': train, 'val.rec': val}
    output = Path(folder)
    refuse_existing([output / name for name in (*counts, 'classes.txt')], overwrite)
    output.mkdir(parents=True, exist_ok=True)
    for part, (name, count) in enumerate(counts.items()):
        segmented = False
        with RecordWriter(output / name) as writer, process_pool(workers) as pool, segmentations_writer(
            output / name, names, None
        ) as segmentations:
            scenes = ordered_map(pool, partial(encoded, part), range(count), prefetch=16 * workers)
            for label, image, boxes in progress(scenes, count, name):
                writer.write(label, image, writer.count + 1)
                if boxes is not None:
                    segmented = True
                    segmentations(writer.count, np.array(label, np.float32), boxes)
        remove_masks(output / name)
        if not segmented:
            segmentations_path(output / name).unlink()
        (output / name).with_suffix('.lst').unlink(missing_ok=True)  # the names of other pictures
    write_classes(output, names)
    return counts

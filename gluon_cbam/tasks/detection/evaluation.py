"""Exact scores of a detector: every image counts once, over all devices and processes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.tasks import figures
from gluon_cbam.tasks.evaluation import gathered_texts, outputs_of_shard
from gluon_cbam.tasks.protocols import Prepare, ProcessGroup, Progress, Start, no_progress

from .detections import Detections
from .metrics.scores import DetectionScores, score
from .outputs import rows_in_image

_SIZES = 3  # columns: number of the image, height, width
_ROWS = 7  # columns: number of the image, class, score, corners


class Results(NamedTuple):
    """What is true and what was found, in the order of the records.

    Attributes:
        truths: the true boxes of each image, in its pixels.
        detections: what was found in it.
        sizes: height and width of each image, in pixels.
        masks: whether the network finds masks, which detections have then.
    """

    truths: List[Boxes]
    detections: List[Detections]
    sizes: List[Tuple[int, int]]
    masks: bool = False


@dataclass(frozen=True, eq=False)
class Evaluation(figures.Evaluation):
    """The evaluation of a detector.

    Attributes:
        records: number of images, each counted once.
        scores: the figures of all classes and of each.
        results: what they were computed from, in the order of the records.
        seconds: time of the evaluation.
    """

    records: int
    scores: DetectionScores
    results: Results
    seconds: float

    def as_dict(self) -> Dict[str, Any]:
        """The number of images, the figures, and the seconds."""
        return {'records': self.records, **self.scores.figures, 'seconds': self.seconds}


def evaluate(
    start: Start,
    data: BoxRecords,
    prepare: Prepare,
    batch_size: int,
    workers: int,
    progress: Progress = no_progress,
    process_group: Optional[ProcessGroup] = None,
) -> Evaluation:
    """Score a detector on every record; see :meth:`gluon_cbam.tasks.Task.evaluate`.

    Of equal scores, those of the record with the smaller id come first, as in scores of files of results.
    """
    began = time.time()
    results = detect(start, data, prepare, batch_size, workers, progress, process_group)
    order = np.argsort(data.records.ids, kind='stable').tolist()
    truths, detections, sizes = (
        [column[number] for number in order] for column in (results.truths, results.detections, results.sizes)
    )
    scores = score(truths, detections, _class_names(data, detections), sizes if results.masks else None)
    return Evaluation(len(data), scores, results, time.time() - began)


def _class_names(data: BoxRecords, detections: Sequence[Detections]) -> List[str]:
    """The names of the classes of the data, and the numbers of further ones that were found."""
    names = list(data.names.names or [])
    found = max((int(each.classes.max()) + 1 for each in detections if len(each)), default=0)
    return names + [str(number) for number in range(len(names), max(data.classes, found))]


def detect(
    start: Start,
    data: BoxRecords,
    prepare: Prepare,
    batch_size: int,
    workers: int,
    progress: Progress = no_progress,
    process_group: Optional[ProcessGroup] = None,
) -> Results:
    """Find the objects of every record, each once; see :meth:`gluon_cbam.tasks.Task.evaluate`.

    Returns:
        The truths and the detections of all records, in every process; with masks, if the network finds some.

    Raises:
        DataError: an image cannot be decoded, or its label states another size.
        RunError: an output is not finite.
    """
    shapes: Dict[int, Tuple[int, int]] = {}

    def load(number: int) -> np.ndarray:
        pixels = decode_record(data.records, number)
        shapes[number] = (pixels.shape[0], pixels.shape[1])
        _compare_sizes(data, number, shapes[number])
        return prepare(pixels)

    outputs = outputs_of_shard(start, load, len(data), batch_size, workers, data.where, progress, process_group)
    parts = list(_of_images(outputs, prepare, shapes))
    mine = np.array([(number, *shape) for number, shape in sorted(shapes.items())], np.float64)
    sizes = _gathered(mine.reshape(-1, _SIZES), process_group)
    found = _all_rows(parts, process_group)
    if not np.array_equal(sizes[:, 0], np.arange(len(data))):
        raise DataError(f'{len(sizes)} of {len(data)} records of {data.path} were read')
    if found.texts is not None:
        data.read_segmentations()
    shown = [(int(height), int(width)) for _, height, width in sizes]
    truths = [data.boxes_of(number, size) for number, size in enumerate(shown)]
    return Results(truths, found.of_each(len(data)), shown, found.texts is not None)


def _compare_sizes(data: BoxRecords, number: int, shape: Tuple[int, int]) -> None:
    stated = data.stated_size(number)
    if stated is not None and stated != shape:
        raise DataError(
            f'{data.where(number)}: its label is of a picture of {stated[1]} x {stated[0]} pixels, the picture has '
            f'{shape[1]} x {shape[0]}: pack it again'
        )


class _Rows(NamedTuple):
    """What was found in images: (n, 7), number of the image, class, score, corners; and masks, if there are some."""

    rows: np.ndarray
    texts: Optional[List[str]] = None

    def of_each(self, images: int) -> List[Detections]:
        """The detections of each image; rows are in the order of the images."""
        bounds = np.searchsorted(self.rows[:, 0], np.arange(images + 1)).tolist()
        return [
            Detections.of(rows[:, 1], rows[:, 2], rows[:, 3:], None if self.texts is None else self.texts[begin:end])
            for begin, end, rows in ((begin, end, self.rows[begin:end]) for begin, end in zip(bounds, bounds[1:]))
        ]


def _of_images(
    outputs: Iterator[Tuple[np.ndarray, Sequence[np.ndarray]]], prepare: Prepare, shapes: Dict[int, Tuple[int, int]]
) -> Iterator[_Rows]:
    """What was found in each image."""
    for numbers, (found, *others) in outputs:
        for place, number in enumerate(numbers.tolist()):
            mine = rows_in_image(found[place], prepare, *shapes[number])
            rows = np.column_stack([np.full(len(mine.rows), number), mine.rows])
            yield _Rows(rows, mine.segmentations(others[0][place] if others else None, *shapes[number]))


def _all_rows(parts: Sequence[_Rows], process_group: Optional[ProcessGroup]) -> _Rows:
    """What all processes found, by the number of the image; rows of an image keep their order."""
    rows = np.concatenate([np.zeros((0, _ROWS)), *(part.rows for part in parts)])
    texts = [text for part in parts for text in part.texts or ()]
    masks = any(part.texts is not None for part in parts)
    if process_group is not None:
        rows = np.concatenate(process_group.gather(rows))
        masks = bool(process_group.sum(np.array([float(masks)])).any())
        texts = gathered_texts(texts, process_group) if masks else texts
    order = np.argsort(rows[:, 0], kind='stable')
    return _Rows(rows[order], [texts[row] for row in order.tolist()] if masks else None)


def _gathered(rows: np.ndarray, process_group: Optional[ProcessGroup]) -> np.ndarray:
    """The rows of all processes by the number of the image; those of an image keep their order."""
    every = np.concatenate(process_group.gather(rows)) if process_group else rows
    return every[np.argsort(every[:, 0], kind='stable')]

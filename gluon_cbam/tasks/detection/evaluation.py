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
from gluon_cbam.tasks.evaluation import outputs_of_shard
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
    """

    truths: List[Boxes]
    detections: List[Detections]


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
    truths, detections = ([column[number] for number in order] for column in results)
    scores = score(truths, detections, _class_names(data, results.detections))
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
        The truths and the detections of all records, in every process.

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
    rows = list(_numbered_rows(outputs, prepare, shapes))
    mine = np.array([(number, *shape) for number, shape in sorted(shapes.items())], np.float64)
    sizes = _gathered(mine.reshape(-1, _SIZES), process_group)
    found = _gathered(np.concatenate([np.zeros((0, _ROWS)), *rows]), process_group)
    if not np.array_equal(sizes[:, 0], np.arange(len(data))):
        raise DataError(f'{len(sizes)} of {len(data)} records of {data.path} were read')
    bounds = np.searchsorted(found[:, 0], np.arange(len(data) + 1))
    detections = [_detections(found[begin:end]) for begin, end in zip(bounds, bounds[1:])]
    return Results([data.boxes_of(number, (int(h), int(w))) for number, (_, h, w) in enumerate(sizes)], detections)


def _compare_sizes(data: BoxRecords, number: int, shape: Tuple[int, int]) -> None:
    stated = data.stated_size(number)
    if stated is not None and stated != shape:
        raise DataError(
            f'{data.where(number)}: its label is of a picture of {stated[1]} x {stated[0]} pixels, the picture has '
            f'{shape[1]} x {shape[0]}: pack it again'
        )


def _numbered_rows(
    outputs: Iterator[Tuple[np.ndarray, Sequence[np.ndarray]]], prepare: Prepare, shapes: Dict[int, Tuple[int, int]]
) -> Iterator[np.ndarray]:
    """What was found in each image, (n, 7): number of the image, class, score, corners in the image."""
    for numbers, (found, *_) in outputs:
        for number, rows in zip(numbers.tolist(), found):
            mine = rows_in_image(rows, prepare, *shapes[number])
            yield np.column_stack([np.full(len(mine), number), mine])


def _gathered(rows: np.ndarray, process_group: Optional[ProcessGroup]) -> np.ndarray:
    """The rows of all processes by the number of the image; those of an image keep their order."""
    every = np.concatenate(process_group.gather(rows)) if process_group else rows
    return every[np.argsort(every[:, 0], kind='stable')]


def _detections(rows: np.ndarray) -> Detections:
    return Detections.of(rows[:, 1], rows[:, 2], rows[:, 3:])


def batch_figures(boxes: np.ndarray, outputs: np.ndarray) -> Dict[str, float]:
    """AP and AP50 of a network on a training batch.

    Args:
        boxes: (N, M, 5), see :class:`gluon_cbam.data.loading.box_training.DetectionBatch`; with an object.
        outputs: (N, keep, 6), the output of the network.

    Returns:
        The figures by name.
    """
    objects = [rows[rows[:, 0] >= 0].astype(np.float64) for rows in boxes]
    found = [rows[rows[:, 0] >= 0].astype(np.float64) for rows in outputs]
    classes = 1 + int(max(rows[:, 0].max() for rows in (*objects, *found) if len(rows)))
    truths = [Boxes.of(rows[:, 1:], rows[:, 0]) for rows in objects]
    detections = [Detections.of(rows[:, 0], rows[:, 1], rows[:, 2:]) for rows in found]
    figures = score(truths, detections, [str(number) for number in range(classes)]).figures
    return {name: figures[name] for name in ('ap', 'ap50')}

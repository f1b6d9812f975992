"""Exact scores of segmentation: every image counts once, over all devices and processes, at its own size."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.printable import printable
from gluon_cbam.common.text_table import aligned
from gluon_cbam.data.class_masks.records import MaskRecords
from gluon_cbam.tasks import figures
from gluon_cbam.tasks.evaluation import outputs_of_shard
from gluon_cbam.tasks.protocols import Prepare, ProcessGroup, Progress, Start, no_progress

from .outputs import class_mask
from .pictures import PictureScores, PictureScoring
from .scores import MaskScores, confusion

_MOST_CLASSES = 40  # rows of a table in the terminal


@dataclass(frozen=True, eq=False)
class Evaluation(figures.Evaluation):
    """The evaluation of a network of segmentation.

    Attributes:
        records: number of images, each counted once.
        scores: the figures of all classes and of each.
        pictures: the figures of each picture, and the masks that were found in some.
        seconds: time of the evaluation.
    """

    records: int
    scores: MaskScores
    pictures: PictureScores
    seconds: float

    def as_dict(self) -> Dict[str, Any]:
        """The number of images, the figures, those of each class, the table of pixels, and the seconds."""
        return {
            'records': self.records, **self.scores.figures, 'classes': self.scores.of_classes(),
            'confusion': self.scores.table.tolist(), 'seconds': self.seconds,
        }  # fmt: skip

    @property
    def figures(self) -> Dict[str, float]:
        """The figures by name."""
        return self.scores.figures

    def lines(self, by_class: bool = False) -> List[str]:
        """The figures of each class."""
        rows = [['class', 'IoU', 'accuracy', 'pixels']]
        for name, row in self.scores.of_classes().items():
            values = ('-' if row[key] is None else f'{row[key]:.4f}' for key in ('iou', 'accuracy'))
            rows.append([printable(name), *values, str(row['pixels'])])
        return [aligned(rows)] if len(rows) - 1 <= _MOST_CLASSES else []


def evaluate(
    start: Start,
    data: MaskRecords,
    prepare: Prepare,
    batch_size: int,
    workers: int,
    progress: Progress = no_progress,
    process_group: Optional[ProcessGroup] = None,
) -> Evaluation:
    """Score a network on every record; see :meth:`gluon_cbam.tasks.Task.evaluate`."""
    began = time.time()
    masks: Dict[int, np.ndarray] = {}

    def load(number: int) -> np.ndarray:
        pixels, masks[number] = data.load(number)
        return prepare(pixels)

    counted, table, scoring = 0, None, None
    for numbers, (logits, *_) in outputs_of_shard(
        start, load, len(data), batch_size, workers, data.where, progress, process_group
    ):
        scoring = scoring or PictureScoring(logits.shape[1])
        for number, of_image in zip(numbers.tolist(), logits):
            truth = masks.pop(number)
            of_picture = scoring.add(number, truth, class_mask(of_image, prepare, *truth.shape))
            table = of_picture if table is None else table + of_picture
            counted += 1
    counted, table = _of_all(counted, table, process_group)
    if counted != len(data):
        raise DataError(f'{counted} of {len(data)} records of {data.path} were read')
    pictures = (scoring or PictureScoring(len(table))).scores(process_group)
    return Evaluation(counted, MaskScores(table, _names(data, len(table))), pictures, time.time() - began)


def _of_all(counted: int, table: Optional[np.ndarray], process_group: Optional[ProcessGroup]) -> tuple:
    """The sums over all processes; one without records has no table of its own."""
    if process_group is None:
        return counted, np.zeros((0, 0)) if table is None else table
    sizes = process_group.gather(np.array([[0 if table is None else len(table)]], np.float64))
    classes = int(max(size.max() for size in sizes))
    mine = np.zeros((classes, classes)) if table is None else table
    total = process_group.sum(np.concatenate([[counted], mine.ravel()]))
    return int(total[0]), total[1:].reshape(classes, classes)


def _names(data: MaskRecords, classes: int) -> List[str]:
    """The names of the classes of the data; numbers for further ones of the network."""
    names = list(data.names.names or [])[:classes]
    return names + [str(number) for number in range(len(names), classes)]


def batch_figures(masks: np.ndarray, logits: np.ndarray) -> Dict[str, float]:
    """The figures of a network on a training batch, in pixels of the network's input.

    Args:
        masks: (N, H, W) uint8.
        logits: (N, classes, H, W).
    """
    classes = logits.shape[1]
    tables: Sequence[np.ndarray] = [confusion(*pair, classes) for pair in zip(masks, logits.argmax(axis=1))]
    figures = MaskScores(np.sum(tables, axis=0), [str(number) for number in range(classes)]).figures
    return {name: figures[name] for name in ('miou', 'pixel_accuracy')}

"""Exact scores of multi-label classification: every record counts once, over all devices and processes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.printable import printable
from gluon_cbam.common.text_table import aligned
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.multi_labels import MultiLabelRecords
from gluon_cbam.tasks import figures
from gluon_cbam.tasks.evaluation import outputs_of_shard
from gluon_cbam.tasks.protocols import ProcessGroup, Progress, Start, no_progress

from .scores import ClassFigures, figures_of, scores_of

_MOST_CLASSES = 40  # rows of a table in the terminal


@dataclass(frozen=True)
class Evaluation(figures.Evaluation):
    """The evaluation of a multi-label classifier.

    Attributes:
        records: number of records, each counted once.
        values: the figures over all classes, see :func:`.scores.figures_of`.
        classes: the figures of each class.
        seconds: time of the evaluation.
    """

    records: int
    values: Dict[str, float]
    classes: Tuple[ClassFigures, ...]
    seconds: float

    def as_dict(self) -> Dict[str, Any]:
        """The number of records, the figures, those of each class, and the seconds."""
        return {
            'records': self.records, **self.values, 'without_positives': self.without_positives,
            'by_class': [{'class': number, **each.as_dict()} for number, each in enumerate(self.classes)],
            'seconds': self.seconds,
        }  # fmt: skip

    @property
    def figures(self) -> Dict[str, float]:
        """The figures by name."""
        return self.values

    @property
    def without_positives(self) -> List[str]:
        """The names of the classes that no image has, which are left out of the means."""
        return [each.label for each in self.classes if not each.positives]

    def lines(self) -> List[str]:
        """The figures of each class, and how many are left out of the means."""
        rows = [['class', 'AP', 'F1', 'images']]
        for each in self.classes:
            values = ('-' if value is None else f'{value:.4f}' for value in (each.ap, each.f1))
            rows.append([printable(each.label), *values, str(each.positives)])
        table = [aligned(rows)] if len(rows) <= _MOST_CLASSES else []
        missing = len(self.without_positives)
        left_out = f'{missing} of {len(self.classes)} classes are on no image, and left out of mAP and macro F1'
        return [*table, left_out] if missing else table


def evaluate(
    start: Start,
    data: MultiLabelRecords,
    prepare: Callable[[np.ndarray], np.ndarray],
    batch_size: int,
    workers: int,
    progress: Progress = no_progress,
    process_group: Optional[ProcessGroup] = None,
) -> Evaluation:
    """Score a network whose first output is logits on every record; see :meth:`gluon_cbam.tasks.Task.evaluate`."""
    began = time.time()

    def load(number: int) -> np.ndarray:
        return prepare(decode_record(data.records, number))

    found = [np.zeros((0, 1 + data.classes))]  # the number of the record, and its logits
    for numbers, (logits, *_) in outputs_of_shard(
        start, load, len(data), batch_size, workers, data.where, progress, process_group
    ):
        found.append(np.column_stack([numbers, logits]))
    if process_group is not None:
        found = process_group.gather(np.concatenate(found))
    rows = np.concatenate(found)
    rows = rows[np.argsort(rows[:, 0], kind='stable')]
    if not np.array_equal(rows[:, 0], np.arange(len(data))):
        raise DataError(f'{len(rows)} of {len(data)} records of {data.path} were read')
    classes = scores_of(rows[:, 1:], data.labels, _names(data))
    values = figures_of(rows[:, 1:], data.labels, classes)
    return Evaluation(len(data), values, tuple(classes), time.time() - began)


def _names(data: MultiLabelRecords) -> List[str]:
    """The names of the classes of the data; numbers where there are none."""
    names = data.names.names
    return names if names and len(names) == data.classes else [str(number) for number in range(data.classes)]

"""Exact scores of multi-label classification: every record counts once, over all devices and processes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.printable import printable
from gluon_cbam.common.text_table import aligned
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.multi_labels import MultiLabelRecords
from gluon_cbam.tasks import figures
from gluon_cbam.tasks.classification.view_average import ViewAverage
from gluon_cbam.tasks.evaluation import outputs_of_shard
from gluon_cbam.tasks.protocols import Prepare, ProcessGroup, Progress, Start, no_progress

from .scores import ClassFigures, figures_of, scores_of

if TYPE_CHECKING:
    from gluon_cbam.data.loading.views import View

_MOST_CLASSES = 40  # rows of a table in the terminal


@dataclass(frozen=True, eq=False)
class Evaluation(figures.Evaluation):
    """The evaluation of a multi-label classifier.

    Attributes:
        records: number of records, each counted once.
        values: the figures over all classes, see :func:`.scores.figures_of`.
        classes: the figures of each class.
        logits: those of each record, (N, K) float64.
        labels: (N, K) zeros and ones.
        seconds: time of the evaluation.
        views: number of views of each image whose probabilities were averaged.
    """

    records: int
    values: Dict[str, float]
    classes: Tuple[ClassFigures, ...]
    logits: np.ndarray
    labels: np.ndarray
    seconds: float
    views: int = 1

    def as_dict(self) -> Dict[str, Any]:
        """The number of records, the figures, those of each class, the views, if there are several, and the seconds."""
        views = {'views': self.views} if self.views > 1 else {}
        return {
            'records': self.records, **self.values, 'without_positives': self.without_positives,
            'by_class': self.by_class(), **views, 'seconds': self.seconds,
        }  # fmt: skip

    def by_class(self) -> List[Dict[str, Any]]:
        """The figures of each class for JSON."""
        return [{'class': number, **each.as_dict()} for number, each in enumerate(self.classes)]

    @property
    def figures(self) -> Dict[str, float]:
        """The figures by name."""
        return self.values

    @property
    def without_positives(self) -> List[str]:
        """The names of the classes that no image has, which are left out of the means."""
        return [each.label for each in self.classes if not each.positives]

    def lines(self, by_class: bool = False) -> List[str]:
        """The figures of each class, of up to 40 classes or where they are asked for, and how many have no images."""
        rows = [['class', 'AP', 'precision', 'recall', 'F1', 'images']]
        for each in self.classes:
            figures = (each.ap, each.precision, each.recall, each.f1)
            values = ('-' if value is None else f'{value:.4f}' for value in figures)
            rows.append([printable(each.label), *values, str(each.positives)])
        table = [aligned(rows)] if by_class or len(self.classes) <= _MOST_CLASSES else []
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
    logits = rows[:, 1:]
    classes = scores_of(logits, data.labels, _names(data))
    values = figures_of(logits, data.labels, classes)
    return Evaluation(len(data), values, tuple(classes), logits, data.labels, time.time() - began)


def evaluate_views(
    start: Start,
    data: MultiLabelRecords,
    prepare: Prepare,
    views: Sequence[View],
    batch_size: int,
    workers: int,
    progress: Progress = no_progress,
    process_group: Optional[ProcessGroup] = None,
) -> Evaluation:
    """Score the mean of the probabilities over views of each image; see :func:`evaluate`."""
    average = ViewAverage(start, len(views), batch_size, mean_of_sigmoids)
    evaluation = evaluate(
        average, data, partial(prepare.several, views=views), average.images, workers, progress, process_group
    )
    return replace(evaluation, views=len(views))


def mean_of_sigmoids(logits: np.ndarray) -> np.ndarray:
    """The logits whose sigmoids are the mean probabilities of views.

    Args:
        logits: (N, views, K) float64.

    Returns:
        (N, K).
    """
    positive, negative = -np.logaddexp(0, -logits), -np.logaddexp(0, logits)  # log(p), log(1 - p)
    return np.logaddexp.reduce(positive, axis=1) - np.logaddexp.reduce(negative, axis=1)


def _names(data: MultiLabelRecords) -> List[str]:
    """The names of the classes of the data; numbers where there are none."""
    names = data.names.names
    return names if names and len(names) == data.classes else [str(number) for number in range(data.classes)]

"""Exact figures of a classifier: every record of a file counts once."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.tasks import figures
from gluon_cbam.tasks.evaluation import on_contexts, outputs_of_shard
from gluon_cbam.tasks.protocols import Prepare, ProcessGroup, Progress, Start, no_progress

from .metrics import Calibration, ClassCounts, top_k
from .outcomes import Outcomes, gathered, outcome_rows
from .view_average import ViewAverage

if TYPE_CHECKING:
    import mxnet as mx

    from gluon_cbam.data.loading.views import View

_FIGURES = ('top1', 'top5', 'loss', 'macro_f1', 'balanced_accuracy', 'ece', 'brier')


@dataclass(frozen=True, eq=False)
class Evaluation(figures.Evaluation):
    """The evaluation of a classifier.

    Attributes:
        records: number of records, each counted once.
        top1: top-1 accuracy, in 0..1.
        top5: top-5 accuracy, in 0..1; always 1 with five classes or fewer.
        loss: mean cross-entropy, in nats, which is the negative log-likelihood (NLL) of the true classes.
        macro_f1: see :attr:`.metrics.ClassCounts.macro_f1`.
        balanced_accuracy: see :attr:`.metrics.ClassCounts.balanced_accuracy`.
        ece: expected calibration error, see :class:`.metrics.Calibration`.
        brier: mean Brier score, in 0..2, see :class:`.outcomes.Outcomes`.
        outcomes: what became of each record.
        seconds: time of the evaluation.
        views: number of views of each image whose probabilities were averaged.
        logits: those of each record, (n, classes) float32, where they were asked for.
    """

    records: int
    top1: float
    top5: float
    loss: float
    macro_f1: float
    balanced_accuracy: float
    ece: float
    brier: float
    outcomes: Outcomes
    seconds: float
    views: int = 1
    logits: Optional[np.ndarray] = None

    @classmethod
    def of(cls, outcomes: Outcomes, seconds: float) -> Evaluation:
        """The figures of outcomes."""
        counts = ClassCounts.of(outcomes)
        return cls(
            records=len(outcomes), top1=top_k(outcomes, 1).accuracy, top5=top_k(outcomes, 5).accuracy,
            loss=float(outcomes.losses.mean()), macro_f1=counts.macro_f1, balanced_accuracy=counts.balanced_accuracy,
            ece=Calibration.of(outcomes).ece, brier=float(outcomes.brier.mean()), outcomes=outcomes, seconds=seconds,
        )  # fmt: skip

    @property
    def figures(self) -> Dict[str, float]:
        """The figures by name."""
        return {name: getattr(self, name) for name in _FIGURES}

    def as_dict(self) -> Dict[str, Any]:
        """The number of records, the figures, the interval of the top-1 accuracy, the views, and the seconds.

        ``views``, the number of views of each image, is there for several views only.
        """
        interval = list(top_k(self.outcomes, 1).interval)
        views = {'views': self.views} if self.views > 1 else {}
        return {'records': self.records, **self.figures, 'top1_interval': interval, **views, 'seconds': self.seconds}


def evaluate(
    net: mx.gluon.HybridBlock,
    records: RecordFile,
    preprocessing: Preprocessing,
    ctx: List[mx.Context],
    batch_size: int,
    workers: int,
    progress: Progress = no_progress,
    process_group: Optional[ProcessGroup] = None,
) -> Evaluation:
    """Evaluate a classifier on every record of a file.

    Args:
        net: the network from (N, 3, H, W) to logits, initialized on every context.
        records: the checked file; labels must be classes of the network.
        preprocessing: the preprocessing of every image.
        ctx: the contexts of the network.
        batch_size: images per context.
        workers: threads that decode.
        progress: wraps the batches, (batches, their number), to show the progress.
        process_group: the processes that evaluate the file together, each a part of it; all get the same result.

    Raises:
        DataError: an image cannot be decoded.
        RunError: an output is not finite.
    """
    return score(on_contexts(net, ctx), records, preprocessing, batch_size * len(ctx), workers, progress, process_group)


def score(
    start: Start,
    records: RecordFile,
    prepare: Callable[[np.ndarray], np.ndarray],
    batch_size: int,
    workers: int,
    progress: Progress = no_progress,
    process_group: Optional[ProcessGroup] = None,
    keep: int = 0,
    keep_logits: bool = False,
) -> Evaluation:
    """Evaluate a network whose first output is logits; see :meth:`gluon_cbam.tasks.Task.evaluate`.

    With ``keep``, the outcomes have that many of the most probable classes of each record. With ``keep_logits``, the
    evaluation has the logits of the records of this process.
    """
    began = time.time()

    def name(number: int) -> str:
        return f'record {number} of {records.path}'

    def load(number: int) -> np.ndarray:
        return prepare(decode_record(records, number))

    labels = records.labels.astype(np.int64)
    outputs = outputs_of_shard(start, load, len(records), batch_size, workers, name, progress, process_group)
    rows, kept = [], []
    for numbers, (logits, *_) in outputs:
        rows.append(outcome_rows(numbers, logits, labels[numbers], keep))
        if keep_logits:
            kept.append(logits.astype(np.float32))
    evaluation = Evaluation.of(gathered(rows, records, keep, process_group), time.time() - began)
    return replace(evaluation, logits=np.concatenate(kept)) if keep_logits else evaluation


def score_views(
    start: Start,
    records: RecordFile,
    prepare: Prepare,
    views: Sequence[View],
    batch_size: int,
    workers: int,
    progress: Progress = no_progress,
    process_group: Optional[ProcessGroup] = None,
    keep: int = 0,
) -> Evaluation:
    """Evaluate the mean of the probabilities over views of each image; see :func:`score`."""
    average = ViewAverage(start, len(views), batch_size)
    evaluation = score(
        average, records, partial(prepare.several, views=views), average.images, workers, progress, process_group, keep
    )
    return replace(evaluation, views=len(views))

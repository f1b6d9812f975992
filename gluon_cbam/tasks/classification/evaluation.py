"""Exact accuracy and loss: every record of a file counts once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, List, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.tasks import figures
from gluon_cbam.tasks.evaluation import on_contexts, sum_over_records
from gluon_cbam.tasks.protocols import ProcessGroup, Progress, Start, no_progress

if TYPE_CHECKING:
    import mxnet as mx


@dataclass(frozen=True)
class Evaluation(figures.Evaluation):
    """The evaluation of a classifier.

    Attributes:
        records: number of records, each counted once.
        top1: top-1 accuracy, in 0..1.
        top5: top-5 accuracy, in 0..1; always 1 with five classes or fewer.
        loss: mean cross-entropy, in nats.
        seconds: time of the evaluation.
    """

    records: int
    top1: float
    top5: float
    loss: float
    seconds: float


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
) -> Evaluation:
    """Evaluate a network whose first output is logits; see :meth:`gluon_cbam.tasks.Task.evaluate`."""
    began = time.time()

    def count(numbers: np.ndarray, outputs: Sequence[np.ndarray]) -> Tuple[float, ...]:
        return _count(outputs[0], records.labels[numbers].astype(np.int64))

    top1, top5, loss = sum_over_records(
        start, records, prepare, batch_size, workers, count, 3, progress, process_group
    )  # fmt: skip
    total = len(records)
    return Evaluation(total, top1 / total, top5 / total, loss / total, time.time() - began)


def _count(logits: np.ndarray, labels: np.ndarray) -> Tuple[float, ...]:
    """Hits among the first one and five, and the summed cross-entropy, of (n, classes) logits and (n,) labels."""
    own = logits[np.arange(len(labels)), labels]
    rank = (logits > own[:, None]).sum(axis=1) + _earlier_ties(logits, own, labels)
    peak = logits.max(axis=1)
    loss = (peak + np.log(np.exp(logits - peak[:, None]).sum(axis=1)) - own).sum()
    return float((rank < 1).sum()), float((rank < 5).sum()), float(loss)


def _earlier_ties(logits: np.ndarray, own: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Number of classes before the label's with an equal logit, so that equal logits for all classes are not a hit."""
    before = np.arange(logits.shape[1])[None] < labels[:, None]
    return ((logits == own[:, None]) & before).sum(axis=1)

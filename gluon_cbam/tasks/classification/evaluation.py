"""Exact evaluation: every record of a file counts once, whatever the batch size and the number of devices."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Callable, Iterable, List, Optional

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import DataError, RunError
from gluon_cbam.data.loading.evaluation import evaluation_batches
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile

if TYPE_CHECKING:
    from gluon_cbam.training.distributed.process_group import ProcessGroup


@dataclass(frozen=True)
class Evaluation:
    """What a network scores.

    Attributes:
        records: how many were counted, each once.
        top1: accuracy in 0..1.
        top5: accuracy in 0..1 (of the best ``classes`` where there are fewer than five).
        loss: mean cross-entropy, in nats.
        seconds: that it took.
    """

    records: int
    top1: float
    top5: float
    loss: float
    seconds: float

    def as_dict(self) -> dict:
        """The attributes by name."""
        return asdict(self)


Start = Callable[[np.ndarray], Callable[[], np.ndarray]]
"""Starts a batch of prepared images, and gives what waits for their logits, (N, classes) or more rows."""


def evaluate(
    net: mx.gluon.HybridBlock,
    records: RecordFile,
    preprocessing: Preprocessing,
    ctx: List[mx.Context],
    batch_size: int,
    workers: int,
    progress: Callable[[Iterable, int], Iterable] = lambda batches, total: batches,
    process_group: Optional[ProcessGroup] = None,
) -> Evaluation:
    """Evaluate a network on every record of a file.

    Args:
        net: maps (N, 3, H, W) to logits, initialised on every context.
        records: the checked file; labels must be classes of the network.
        preprocessing: of every image.
        ctx: the contexts.
        batch_size: images a context.
        workers: threads that decode.
        progress: wraps the batches, (batches, how many), to show how far it is.
        process_group: that evaluate the file together, each a part of it; all get the same result.

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
    progress: Callable[[Iterable, int], Iterable] = lambda batches, total: batches,
    process_group: Optional[ProcessGroup] = None,
) -> Evaluation:
    """Evaluate whatever gives logits on every record of a file.

    Args:
        start: it is one batch ahead of the counting.
        records: as of :func:`evaluate`.
        prepare: from (H, W, 3) uint8 to an image of a batch.
        batch_size: images a batch.
        workers: as of :func:`evaluate`.
        progress: as of :func:`evaluate`.
        process_group: as of :func:`evaluate`.

    Raises:
        DataError: an image cannot be decoded.
        RunError: an output is not finite.
    """
    began = time.time()
    count = top1 = top5 = 0
    loss = 0.0
    numbers = range(
        process_group.rank if process_group else 0, len(records), process_group.size if process_group else 1
    )
    batches = evaluation_batches(records, batch_size, prepare, workers, numbers)
    for batch, logits in _ahead(start, progress(batches, -(-len(numbers) // batch_size))):
        bad = ~np.isfinite(logits).all(axis=1)
        if bad.any():
            raise RunError(
                f'the output for record {numbers[count + int(np.flatnonzero(bad)[0])]} of {records.path} is not '
                'finite: the weights or the preprocessing are wrong'
            )
        own = logits[np.arange(batch.count), batch.labels]
        rank = (logits > own[:, None]).sum(axis=1) + _earlier_ties(logits, own, batch.labels)
        top1 += int((rank < 1).sum())
        top5 += int((rank < 5).sum())
        peak = logits.max(axis=1)
        loss += float((peak + np.log(np.exp(logits - peak[:, None]).sum(axis=1)) - own).sum())
        count += batch.count
    if process_group:
        count, top1, top5, loss = process_group.sum(np.array([count, top1, top5, loss])).tolist()
    if count != len(records):
        raise DataError(f'{count:g} of {len(records)} records of {records.path} were read')
    return Evaluation(len(records), top1 / count, top5 / count, loss / count, time.time() - began)


def on_contexts(net: mx.gluon.HybridBlock, ctx: List[mx.Context]) -> Start:
    """A network on some of its contexts, which compute while nobody waits; batches are multiples of them."""

    def start(images):
        outputs = [net(part) for part in mx.gluon.utils.split_and_load(images, ctx)]
        return lambda: np.concatenate([part.asnumpy() for part in outputs])

    return start


def _ahead(start, batches):
    """(batch, its logits in float64), one batch behind the devices, so that they never wait for the counting."""
    waiting = None
    for batch in batches:
        started = start(batch.images)
        if waiting:
            yield waiting[0], _gather(*waiting)
        waiting = batch, started
    if waiting:
        yield waiting[0], _gather(*waiting)


def _gather(batch, wait) -> np.ndarray:
    return wait()[: batch.count].astype(np.float64)


def _earlier_ties(logits, own, labels) -> np.ndarray:
    """How many classes before the label's have its logit: equal outputs, as of a dead network, are no hit."""
    before = np.arange(logits.shape[1])[None] < labels[:, None]
    return ((logits == own[:, None]) & before).sum(axis=1)

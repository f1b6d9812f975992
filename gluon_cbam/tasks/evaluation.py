"""Exact evaluation: every example counts once, whatever the batch size and the number of devices and processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError, RunError
from gluon_cbam.data.loading.evaluation import image_batches
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.recordio import RecordFile

from .figures import Evaluation
from .protocols import ProcessGroup, Progress, Start, no_progress

if TYPE_CHECKING:
    import mxnet as mx

    from gluon_cbam.data.loading.preprocessing import Preprocessing

    from .base import Task

Count = Callable[[np.ndarray, Sequence[np.ndarray]], Sequence[float]]
"""Function from the numbers of some records, (n,), and the outputs for them, each (n, ...) float64, to their sums."""


def evaluate(
    task: Task,
    net: mx.gluon.HybridBlock,
    data: Any,
    preprocessing: Preprocessing,
    ctx: List[mx.Context],
    batch_size: int,
    workers: int,
    progress: Progress = no_progress,
    process_group: Optional[ProcessGroup] = None,
) -> Evaluation:
    """Evaluate a network on some of its contexts.

    Args:
        task: the task that the network was trained for.
        net: the network, which takes (N, 3, H, W) float32 and is initialized on every context.
        data: the result of :meth:`.Task.open_validation`.
        preprocessing: the preprocessing of every image.
        ctx: the contexts of the network.
        batch_size: images per context.
        workers: threads that decode.
        progress: shows the progress.
        process_group: the processes that evaluate together; all get the same result.

    Returns:
        The task's evaluation.

    Raises:
        DataError: an image cannot be decoded.
        RunError: an output is not finite.
    """
    start = on_contexts(net, ctx)
    return task.evaluate(start, data, preprocessing, batch_size * len(ctx), workers, progress, process_group)


def on_contexts(net: mx.gluon.HybridBlock, ctx: List[mx.Context]) -> Start:
    """Wrap a network as a function that starts a batch on its contexts without waiting for the outputs.

    On the CPUs, batches are computed in the turns of this process, see :mod:`gluon_cbam.compat.cpu_turns`.

    Args:
        net: the network, initialized on every context; it returns one array or several.
        ctx: the contexts that a batch is split over; its size must be a multiple of their number.

    Returns:
        The function.
    """
    import mxnet as mx  # here: exported files are evaluated without it

    from gluon_cbam.compat.cpu_turns import turns_on

    turns = turns_on(ctx)

    def start(images: np.ndarray) -> Callable[[], Sequence[np.ndarray]]:
        turns.take()
        outputs = [_arrays(net(part)) for part in mx.gluon.utils.split_and_load(images, ctx)]

        def wait() -> Sequence[np.ndarray]:
            try:
                return [np.concatenate([part.asnumpy() for part in parts]) for parts in zip(*outputs)]
            finally:
                turns.pass_on()

        return wait

    return start


def _arrays(outputs: Any) -> Sequence[mx.nd.NDArray]:
    return outputs if isinstance(outputs, (list, tuple)) else [outputs]


def sum_over_records(
    start: Start,
    records: RecordFile,
    prepare: Callable[[np.ndarray], np.ndarray],
    batch_size: int,
    workers: int,
    count: Count,
    sums: int,
    progress: Progress = no_progress,
    process_group: Optional[ProcessGroup] = None,
) -> List[float]:
    """Sum the results of ``count`` over every record of a file, each once.

    Args:
        start: starts the network on a batch, one batch ahead of the counting.
        records: the checked file.
        prepare: function from an image, (H, W, 3) uint8 RGB, to an image of a batch.
        batch_size: images in a batch.
        workers: threads that decode.
        count: gives the sums over some records.
        sums: number of these sums.
        progress: shows the progress.
        process_group: the processes that evaluate together: each reads every ``size``-th record, and all get the same
            sums.

    Returns:
        The sums.

    Raises:
        DataError: an image cannot be decoded.
        RunError: an output is not finite.
    """

    def name(number: int) -> str:
        return f'record {number} of {records.path}'

    def load(number: int) -> np.ndarray:
        return prepare(decode_record(records, number))

    total = np.zeros(1 + sums)  # the first is the number of records
    for numbers, outputs in outputs_of_shard(
        start, load, len(records), batch_size, workers, name, progress, process_group
    ):
        total += (len(numbers), *count(numbers, outputs))
    if process_group:
        total = process_group.sum(total)
    if total[0] != len(records):
        raise DataError(f'{total[0]:g} of {len(records)} records of {records.path} were read')
    return total[1:].tolist()


def outputs_of_shard(
    start: Start,
    load: Callable[[int], np.ndarray],
    images: int,
    batch_size: int,
    workers: int,
    name: Callable[[int], str],
    progress: Progress = no_progress,
    process_group: Optional[ProcessGroup] = None,
) -> Iterator[Tuple[np.ndarray, Sequence[np.ndarray]]]:
    """Yield the outputs of the network for the images that this process evaluates, each image once.

    Figures that are not sums over the images need the outputs of all processes: keep the necessary values, and
    :meth:`~.protocols.ProcessGroup.gather` them after the loop.

    Args:
        start: starts the network on a batch, one batch ahead of the one that is yielded.
        load: from the number of an image to a row of a batch; called by threads.
        images: number of images, over all processes.
        batch_size: images in a batch.
        workers: threads that load.
        name: from the number of an image to what messages call it.
        progress: shows how far it is.
        process_group: each takes every ``size``-th image.

    Yields:
        The numbers of some images, (n,), and the outputs for them, each (n, ...) float64.

    Raises:
        RunError: an output is not finite.
    """
    shard = range(process_group.rank if process_group else 0, images, process_group.size if process_group else 1)
    batches = image_batches(load, shard, batch_size, workers)
    numbers, done = np.array(shard, np.int64), 0
    for count, outputs in _one_ahead(start, progress(batches, -(-len(shard) // batch_size))):
        counted = numbers[done : done + count]
        _check_finite(outputs, counted, name)
        yield counted, outputs
        done += count


def _one_ahead(start: Start, batches: Iterable[Tuple[np.ndarray, int]]) -> Iterator[Tuple[int, Sequence[np.ndarray]]]:
    """Yield (images, outputs in float64), one batch behind the devices, so that they never wait for the counting."""
    waiting = None
    for images, count in batches:
        started = count, start(images)
        if waiting:
            yield waiting[0], _outputs(*waiting)
        waiting = started
    if waiting:
        yield waiting[0], _outputs(*waiting)


def _outputs(count: int, wait: Callable[[], Sequence[np.ndarray]]) -> Sequence[np.ndarray]:
    return [output[:count].astype(np.float64) for output in wait()]


def _check_finite(outputs: Sequence[np.ndarray], numbers: np.ndarray, name: Callable[[int], str]) -> None:
    for output in outputs:
        bad = ~np.isfinite(output.reshape(len(output), -1)).all(axis=1)
        if bad.any():
            image = name(numbers[np.flatnonzero(bad)[0]])
            raise RunError(f'the output for {image} is not finite: the weights or the preprocessing are wrong')


def gathered_texts(texts: Sequence[str], process_group: ProcessGroup) -> List[str]:
    """The texts of all processes in the order of their ranks.

    Args:
        texts: those of this process, none of them empty and each of one line.
        process_group: the processes, which send whole numbers of 32 bits.
    """
    data = '\n'.join(texts).encode()
    numbers = np.frombuffer(data + b'\n' * (-len(data) % 4), '<u4').astype(np.float64)
    parts = [part.astype('<u4').tobytes().decode() for part in process_group.gather(numbers)]
    return [line for part in parts for line in part.split('\n') if line]

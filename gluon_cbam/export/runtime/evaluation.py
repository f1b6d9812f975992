"""Scores and speed of exported networks."""

from __future__ import annotations

from functools import partial
from typing import Any, List, Sequence

import numpy as np

from gluon_cbam.common.timing import SPIN_DOWN_SECONDS, Timing, interleaved, timed
from gluon_cbam.tasks.figures import Evaluation
from gluon_cbam.tasks.protocols import Progress, no_progress

from .exported_network import ExportedNetwork
from .session import exported_session

# at least this many repetitions, in at least this time, with a pause between engines
_REPETITIONS, _SECONDS, _PAUSE = 5, 1.0, SPIN_DOWN_SECONDS


def evaluate_exported(
    exported: ExportedNetwork, data: Any, batch_size: int, workers: int, progress: Progress = no_progress
) -> Evaluation:
    """Evaluate an exported network on every example, each once.

    Args:
        exported: the file.
        data: opened by :meth:`gluon_cbam.tasks.Task.open_validation` of its task.
        batch_size: images in a batch.
        workers: threads that decode.
        progress: shows a progress bar.

    Returns:
        The evaluation of the task.

    Raises:
        UsageError: the file gives embeddings, and its task needs logits of classes.
        DataError: an image cannot be decoded, or the file gives feature maps.
        RunError: an output is not finite.
    """
    session = exported_session(exported)
    return session.task.evaluate(session.start, data, session.preparation, batch_size, workers, progress)


def median_milliseconds(exported: Sequence[ExportedNetwork], batch_size: int) -> List[float]:
    """Measure the time of a batch in each of several files, in turn, after one repetition to warm up.

    Args:
        exported: the files.
        batch_size: images in the batch.

    Returns:
        The median for each file, in milliseconds.
    """
    shape = exported[0].preprocessing.shape
    image = np.random.RandomState(0).randint(0, 256, (*shape, 3)).astype(np.uint8)
    batches = [np.stack([each.prepare(image)] * batch_size) for each in exported]
    repeat = {number: timed(partial(each.run, batch)) for number, (each, batch) in enumerate(zip(exported, batches))}
    taken = interleaved(repeat, _REPETITIONS, 1, seconds=_SECONDS, rest=_PAUSE)
    return [Timing.of(seconds).median for seconds in taken.values()]

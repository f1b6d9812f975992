"""What an exported network scores, and how fast it is."""

from __future__ import annotations

from functools import partial
from typing import Any, List, Sequence

import numpy as np

from gluon_cbam.common.timing import SPIN_DOWN_SECONDS, Timing, interleaved, timed
from gluon_cbam.tasks.base import Evaluation, Progress, no_progress

from .runtime import ExportedNetwork
from .session import exported_session

_TURNS, _SECONDS, _REST = 5, 1.0, SPIN_DOWN_SECONDS  # the first two at least


def evaluate(
    exported: ExportedNetwork, data: Any, batch_size: int, workers: int, progress: Progress = no_progress
) -> Evaluation:
    """The exact score of an exported network.

    Args:
        exported: the file.
        data: of its task's :meth:`gluon_cbam.tasks.Task.open_validation`.
        batch_size: images at a time.
        workers: threads that decode.
        progress: shows how far it is.

    Returns:
        The task's evaluation.

    Raises:
        DataError: an image cannot be decoded, or the file gives maps of features.
        RunError: an output is not finite.
    """
    session = exported_session(exported)
    return session.task.evaluate(session.start, data, session.prepare, batch_size, workers, progress)


def milliseconds(exported: Sequence[ExportedNetwork], batch_size: int) -> List[float]:
    """The median time of a batch for each of several files, taken in turn, after a run to warm up."""
    size = exported[0].preprocessing.image_size
    image = np.random.RandomState(0).randint(0, 256, (size, size, 3)).astype(np.uint8)
    batches = [np.stack([each.prepare(image)] * batch_size) for each in exported]
    repeat = {number: timed(partial(each.run, batch)) for number, (each, batch) in enumerate(zip(exported, batches))}
    taken = interleaved(repeat, _TURNS, 1, seconds=_SECONDS, rest=_REST)
    return [Timing.of(seconds).median for seconds in taken.values()]

"""What an exported network scores, and how fast it is."""

from __future__ import annotations

from functools import partial
from typing import List, Sequence

import numpy as np

from gluon_cbam.common.timing import SPIN_DOWN_SECONDS, Timing, interleaved, timed
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.tasks.classification.evaluation import Evaluation, score

from .classifier import exported_classifier
from .runtime import ExportedNetwork

_TURNS, _SECONDS, _REST = 5, 1.0, SPIN_DOWN_SECONDS  # the first two at least


def evaluate(exported: ExportedNetwork, records: RecordFile, batch_size: int, workers: int, **how) -> Evaluation:
    """The exact score of an exported network, as of :func:`gluon_cbam.tasks.classification.evaluation.evaluate`.

    Args:
        exported: the file.
        records: the checked file; labels must be classes of the network.
        batch_size: images at a time.
        workers: threads that decode.
        **how: ``progress`` of :func:`gluon_cbam.tasks.classification.evaluation.score`.

    Raises:
        DataError: an image cannot be decoded, or the file gives no logits.
        RunError: an output is not finite.
    """
    return score(exported_classifier(exported).start, records, exported.prepare, batch_size, workers, **how)


def milliseconds(exported: Sequence[ExportedNetwork], batch_size: int) -> List[float]:
    """The median time of a batch for each of several files, taken in turn, after a run to warm up."""
    size = exported[0].preprocessing.image_size
    image = np.random.RandomState(0).randint(0, 256, (size, size, 3)).astype(np.uint8)
    batches = [np.stack([each.prepare(image)] * batch_size) for each in exported]
    repeat = {number: timed(partial(each.run, batch)) for number, (each, batch) in enumerate(zip(exported, batches))}
    taken = interleaved(repeat, _TURNS, 1, seconds=_SECONDS, rest=_REST)
    return [Timing.of(seconds).median for seconds in taken.values()]

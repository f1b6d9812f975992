"""What became of each record of an evaluation: its rank, its loss and the most probable classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Sequence

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.tasks.protocols import ProcessGroup

_COLUMNS = 6  # of a row of outcome_rows, before the classes that are kept


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The outcomes of the records of a file, in their order.

    Attributes:
        labels: the true classes, (n,) int64.
        predicted: the most probable classes, (n,) int64; of equally probable ones, the first.
        ranks: how many classes come before the true one, (n,) int64: 0 for a hit.
        confidence: the probabilities of ``predicted``, (n,) float64.
        losses: cross-entropy, in nats, (n,) float64.
        brier: the sum over the classes of the squared difference between the probability and 1 for the true class, 0
            for the others (Brier, Monthly Weather Review 1950), in 0..2, (n,) float64.
        top: the most probable classes, best first, (n, keep) int64; ``keep`` is 0 unless they were asked for.
        top_probabilities: their probabilities, (n, keep) float64.
    """

    labels: np.ndarray
    predicted: np.ndarray
    ranks: np.ndarray
    confidence: np.ndarray
    losses: np.ndarray
    brier: np.ndarray
    top: np.ndarray
    top_probabilities: np.ndarray

    def __len__(self) -> int:
        """The number of records."""
        return len(self.labels)

    @property
    def hits(self) -> np.ndarray:
        """Whether the most probable class is the true one, (n,) bool."""
        return self.ranks == 0

    def top_hits(self, k: int) -> int:
        """How many records have their true class among the ``k`` most probable ones."""
        return int((self.ranks < k).sum())


def outcome_rows(numbers: np.ndarray, logits: np.ndarray, labels: np.ndarray, keep: int = 0) -> np.ndarray:
    """The outcomes of a batch as rows of numbers, which processes can gather.

    Args:
        numbers: the numbers of the records, (n,).
        logits: (n, classes) float64, finite.
        labels: the true classes, (n,) int64.
        keep: number of the most probable classes to keep of each record.

    Returns:
        (n, 6 + 2 keep) float64, for :func:`gathered`.
    """
    own = logits[np.arange(len(labels)), labels]
    ranks = (logits > own[:, None]).sum(axis=1) + _earlier_ties(logits, own, labels)
    peak = logits.max(axis=1)
    shares = np.exp(logits - peak[:, None])
    total = shares.sum(axis=1)
    losses = peak + np.log(total) - own
    squares = np.einsum('ij,ij->i', shares, shares) / total**2
    brier = np.maximum(squares - 2 * np.exp(-losses) + 1, 0)  # the rounding of a certain hit may be below 0
    columns = [numbers, logits.argmax(axis=1), ranks, 1 / total, losses, brier]
    if keep:
        top = np.argsort(-logits, axis=1, kind='stable')[:, :keep]
        columns += [top, np.take_along_axis(shares, top, axis=1) / total[:, None]]
    return np.column_stack(columns)


def _earlier_ties(logits: np.ndarray, own: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Number of classes before the label's with an equal logit, so that equal logits for all classes are not a hit."""
    before = np.arange(logits.shape[1])[None] < labels[:, None]
    return ((logits == own[:, None]) & before).sum(axis=1)


def gathered(
    rows: Sequence[np.ndarray], records: RecordFile, keep: int = 0, process_group: Optional[ProcessGroup] = None
) -> Outcomes:
    """The outcomes of all records, from the rows of all processes.

    Args:
        rows: the results of :func:`outcome_rows` for the batches of this process, in any order.
        records: the file.
        keep: as for :func:`outcome_rows`.
        process_group: the processes that evaluate together; all get the same outcomes.

    Raises:
        DataError: a record is missing, or there twice.
    """
    mine = np.concatenate([np.zeros((0, _COLUMNS + 2 * keep)), *rows])
    parts: List[np.ndarray] = process_group.gather(mine) if process_group else [mine]
    found = np.concatenate(parts)
    found = found[np.argsort(found[:, 0], kind='stable')]
    if not np.array_equal(found[:, 0], np.arange(len(records))):
        raise DataError(f'{len(found)} of {len(records)} records of {records.path} were read')
    return outcomes_of(found, records.labels.astype(np.int64), keep)


def outcomes_of(rows: np.ndarray, labels: np.ndarray, keep: int = 0) -> Outcomes:
    """The outcomes of records.

    Args:
        rows: the results of :func:`outcome_rows` for all of them, in their order.
        labels: the true classes, (n,) int64.
        keep: as for :func:`outcome_rows`.
    """
    predicted, ranks = rows[:, 1].astype(np.int64), rows[:, 2].astype(np.int64)
    top, probabilities = rows[:, _COLUMNS : _COLUMNS + keep].astype(np.int64), rows[:, _COLUMNS + keep :]
    confidence, losses, brier = rows[:, 3:_COLUMNS].T
    return Outcomes(labels, predicted, ranks, confidence, losses, brier, top, probabilities)

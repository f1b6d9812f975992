"""Verification of pairs: every picture once as it is and once mirrored, on all devices and processes together."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import RunError
from gluon_cbam.data.faces.verification_sets import VerificationSet
from gluon_cbam.tasks import figures
from gluon_cbam.tasks.evaluation import outputs_of_shard
from gluon_cbam.tasks.protocols import ProcessGroup, Progress, Start, no_progress

from .metrics.embeddings import flip_embedding, norms, pair_distances
from .metrics.verification import verify
from .validation_sets import ValidationSets


@dataclass(frozen=True)
class Evaluation(figures.Evaluation):
    """The evaluation of a network on verification sets.

    Attributes:
        records: number of pairs, each counted once.
        accuracy: mean of the accuracies of the sets.
        of_sets: name of a set, ``_`` and the name of a figure -> its value: ``accuracy``, ``std`` (over the folds),
            ``val`` (true-accept rate at a false-accept rate of 0.001; missing where the pairs are too few), ``far``
            (the false-accept rate that ``val`` has in fact, far above 0.001 where equal distances leave no threshold),
            ``auc``, ``threshold`` (mean over the folds, a squared distance) and ``xnorm`` (mean norm of embeddings).
        seconds: time of the evaluation.
    """

    records: int
    accuracy: float
    of_sets: Dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name; the figures of the sets beside the others."""
        return {'records': self.records, 'accuracy': self.accuracy, **self.of_sets, 'seconds': self.seconds}


def score(
    start: Start,
    data: ValidationSets,
    prepare: Callable[[np.ndarray], np.ndarray],
    batch_size: int,
    workers: int,
    progress: Progress = no_progress,
    process_group: Optional[ProcessGroup] = None,
) -> Evaluation:
    """Verify the pairs of all sets with a network whose first output is embeddings.

    See :meth:`gluon_cbam.tasks.Task.evaluate`.

    Raises:
        DataError: a picture cannot be decoded, or its embedding has no direction.
        RunError: an output is not finite.
    """
    began, accuracies = time.time(), []
    values: Dict[str, float] = {}
    for each in data.sets:
        found = _score_set(start, each, prepare, batch_size, workers, progress, process_group)
        accuracies.append(found['accuracy'])
        values.update({f'{each.name}_{name}': value for name, value in found.items()})
    return Evaluation(len(data), float(np.mean(accuracies)), values, time.time() - began)


def _score_set(
    start: Start,
    pairs: VerificationSet,
    prepare: Callable[[np.ndarray], np.ndarray],
    batch_size: int,
    workers: int,
    progress: Progress,
    process_group: Optional[ProcessGroup],
) -> Dict[str, float]:
    """The figures of a set by name."""
    plain, mirrored = _embeddings(start, pairs, prepare, batch_size, workers, progress, process_group)
    both = flip_embedding(plain, mirrored, pairs.picture_name)
    scores = verify(pair_distances(both, pairs.pairs), pairs.same, pairs.folds)
    values = {
        'accuracy': scores.accuracy, 'std': scores.accuracy_std, 'val': scores.val, 'far': scores.far,
        'auc': scores.auc,
        'threshold': float(np.mean(scores.thresholds)),
        'xnorm': float(np.mean([norms(each, pairs.picture_name).mean() for each in (plain, mirrored)])),
    }  # fmt: skip
    return {name: value for name, value in values.items() if value is not None}


def _embeddings(
    start: Start,
    pairs: VerificationSet,
    prepare: Callable[[np.ndarray], np.ndarray],
    batch_size: int,
    workers: int,
    progress: Progress,
    process_group: Optional[ProcessGroup],
) -> Tuple[np.ndarray, np.ndarray]:
    """The embeddings of all pictures and of their mirror images, each (pictures, D) float64."""
    images = 2 * len(pairs)

    def load(number: int) -> np.ndarray:
        picture = prepare(pairs.load(number // 2))
        return np.ascontiguousarray(picture[..., ::-1]) if number % 2 else picture

    def name(number: int) -> str:
        return f'{pairs.picture_name(number // 2)}{" (mirrored)" if number % 2 else ""}'

    rows: List[np.ndarray] = list(
        _numbered(outputs_of_shard(start, load, images, batch_size, workers, name, progress, process_group))
    )
    mine = np.concatenate(rows) if rows else np.zeros((0, 0))
    parts = [part for part in (process_group.gather(mine) if process_group else [mine]) if part.size]
    found = np.concatenate(parts)
    found = found[np.argsort(found[:, 0], kind='stable')]
    if not np.array_equal(found[:, 0], np.arange(images)):
        raise RunError(f'{pairs.path}: {len(found)} of {images} embeddings were computed')
    return found[::2, 1:], found[1::2, 1:]


def _numbered(outputs: Iterator) -> Iterator[np.ndarray]:
    """The embeddings of each batch, (n, 1 + D), with the numbers of their images in the first column."""
    for numbers, (embeddings, *_) in outputs:
        yield np.column_stack([numbers, embeddings.reshape(len(numbers), -1)])

"""Identification: which person of a gallery an image shows, and whether it shows one of them at all.

The score of a probe and an identity is the largest cosine similarity of the probe and the identity's gallery images.
The rank of a probe is the number of identities whose score is at least that of its own: identities with an equal score
count against it, so that a network that gives one embedding for everything has rank 1 for nobody.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Iterator, NamedTuple, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.tasks.intervals import Interval, wilson

FAR_LEVELS = (1e-1, 1e-2, 1e-3)
"""The false-alarm rates at which detection and identification rates are reported."""
MAX_RANK = 100
"""The last rank of the CMC curve."""
_BLOCK_BYTES = 1 << 26  # of the similarities that are held at once


@dataclass(frozen=True)
class OpenSetPoint:
    """Detection and identification at a false-alarm rate of at most a level (Phillips et al., Handbook, 2011).

    Attributes:
        dir: detection and identification rate: the share of probes of known persons that have rank 1 and a score of at
            least ``threshold``.
        interval: the Wilson interval of ``dir`` at ``threshold``.
        threshold: the similarity from which a probe is taken for a known person.
        false_alarms: probes of unknown persons with at least this similarity.
        resolved: whether the level allows at least one false alarm; else ``dir`` is the rate without any.
    """

    dir: float
    interval: Interval
    threshold: float
    false_alarms: int
    resolved: bool

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name."""
        return asdict(self)


@dataclass(frozen=True)
class IdentificationScores:
    """The figures of an identification; shares of probes of known persons, except those that say otherwise.

    Attributes:
        identities: persons in the gallery.
        gallery_images: images in the gallery.
        known_probes: probes of persons in the gallery.
        unknown_probes: probes of other persons.
        rank1: share with rank 1.
        rank1_interval: its Wilson interval.
        rank5: share with a rank of at most 5.
        rank5_interval: its Wilson interval.
        cmc: the share with a rank of at most 1, 2 and so on, up to :data:`MAX_RANK` or the number of identities.
        dir_at: false-alarm rate -> detection and identification rate there; empty without unknown probes.
    """

    identities: int
    gallery_images: int
    known_probes: int
    unknown_probes: int
    rank1: float
    rank1_interval: Interval
    rank5: float
    rank5_interval: Interval
    cmc: Tuple[float, ...]
    dir_at: Dict[float, OpenSetPoint]

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name, as ``--json`` has them; the keys of ``dir_at`` become text such as ``1e-03``."""
        values = asdict(self)
        values['dir_at'] = {f'{level:.0e}': point.as_dict() for level, point in self.dir_at.items()}
        return values


class ProbeResults(NamedTuple):
    """What was found for each probe.

    Attributes:
        own: (Q,) index of the probe's identity in the gallery's identities, -1 for unknown persons.
        rank: (Q,) rank of the own identity; 0 for unknown persons.
        best: (Q,) index of the identity with the largest score.
        score: (Q,) that score.
        own_score: (Q,) score of the own identity; NaN for unknown persons.
    """

    own: np.ndarray
    rank: np.ndarray
    best: np.ndarray
    score: np.ndarray
    own_score: np.ndarray


class Gallery:
    """Embeddings of known persons, grouped by person.

    Args:
        embeddings: (G, D) of norm 1.
        labels: (G,) the person of each, of any type that numpy sorts.

    Attributes:
        identities: the persons, sorted.

    Raises:
        DataError: there is none.
    """

    def __init__(self, embeddings: np.ndarray, labels: np.ndarray) -> None:
        if not len(embeddings):
            raise DataError('the gallery is empty')
        self.identities, group = np.unique(labels, return_inverse=True)
        order = np.argsort(group, kind='stable')
        self._embeddings = np.asarray(embeddings)[order].astype(np.float32)
        self._starts = np.searchsorted(group[order], np.arange(len(self.identities)))

    def __len__(self) -> int:
        """The number of images."""
        return len(self._embeddings)

    def indices(self, labels: np.ndarray) -> np.ndarray:
        """(Q,) int64: the index of each person in :attr:`identities`, -1 for unknown ones."""
        place = np.minimum(np.searchsorted(self.identities, labels), len(self.identities) - 1)
        return np.where(self.identities[place] == labels, place, -1)

    def scores(self, probes: np.ndarray) -> Iterator[Tuple[slice, np.ndarray]]:
        """Yield blocks of probes and their scores for each identity, (block, identities) float32.

        Args:
            probes: (Q, D) of norm 1.
        """
        rows = max(1, _BLOCK_BYTES // (4 * len(self)))
        for start in range(0, len(probes), rows):
            block = slice(start, min(start + rows, len(probes)))
            similarities = np.asarray(probes[block], np.float32) @ self._embeddings.T
            yield block, np.maximum.reduceat(similarities, self._starts, axis=1)


def rank_probes(gallery: Gallery, probes: np.ndarray, labels: np.ndarray) -> ProbeResults:
    """Find the ranks of probes, block by block: memory is bounded whatever the number of probes.

    Args:
        gallery: the gallery.
        probes: (Q, D) of norm 1.
        labels: (Q,) the person of each probe.

    Returns:
        The results.
    """
    own = gallery.indices(labels)
    rank, best = np.zeros(len(probes), np.int64), np.zeros(len(probes), np.int64)
    score, own_score = np.zeros(len(probes), np.float32), np.full(len(probes), np.nan, np.float32)
    for block, scores in gallery.scores(probes):
        rows = np.arange(len(scores))
        best[block] = scores.argmax(axis=1)
        score[block] = scores[rows, best[block]]
        mated = own[block] >= 0
        mine = scores[rows, own[block]]
        own_score[block] = np.where(mated, mine, np.nan)
        rank[block] = np.where(mated, (scores >= mine[:, None]).sum(axis=1), 0)
    return ProbeResults(own, rank, best, score, own_score)


def open_set_point(results: ProbeResults, level: float) -> OpenSetPoint:
    """Detection and identification at the largest false-alarm rate of at most ``level``.

    Args:
        results: the results, with probes of known and of unknown persons.
        level: the false-alarm rate.

    Returns:
        The point with the largest rate; the threshold is the smallest score of the probes that count there.
    """
    known = results.own >= 0
    alarms = np.sort(results.score[~known])[::-1]
    allowed = int(np.searchsorted(np.arange(len(alarms) + 1) / len(alarms), level, side='right')) - 1
    limit = alarms[allowed] if allowed < len(alarms) else -np.inf  # scores above it count
    found = known & (results.rank == 1) & (results.score > limit)
    threshold = results.score[found].min() if found.any() else np.nextafter(limit, np.float32(np.inf))
    hits, probes = int(found.sum()), int(known.sum())
    return OpenSetPoint(
        dir=hits / probes,
        interval=wilson(hits, probes),
        threshold=float(threshold),
        false_alarms=int((alarms >= threshold).sum()),
        resolved=1 / len(alarms) <= level,
    )


def open_set_curve(results: ProbeResults) -> Tuple[np.ndarray, np.ndarray]:
    """False-alarm rates, and the detection and identification rates there, over all similarities as thresholds.

    Args:
        results: the results, with probes of known and of unknown persons.

    Returns:
        Each (thresholds,) float64, from the highest threshold to the lowest.
    """
    known = results.own >= 0
    alarms, hits = np.sort(results.score[~known]), np.sort(results.score[known & (results.rank == 1)])
    thresholds = np.unique(results.score)[::-1]
    far = 1 - np.searchsorted(alarms, thresholds) / len(alarms)
    found = (len(hits) - np.searchsorted(hits, thresholds)) / int(known.sum())
    return far, found


def score_identification(
    gallery: Gallery, results: ProbeResults, far_levels: Sequence[float] = FAR_LEVELS
) -> IdentificationScores:
    """The figures of :func:`rank_probes`.

    Args:
        gallery: the gallery.
        results: the results of the probes.
        far_levels: the false-alarm rates of ``dir_at``.

    Returns:
        The figures.

    Raises:
        DataError: no probe shows a person of the gallery.

    Example:
        >>> gallery = Gallery(normalize(first), first_labels)
        >>> score_identification(gallery, rank_probes(gallery, normalize(second), second_labels)).rank1
        0.98
    """
    known = results.own >= 0
    probes = int(known.sum())
    if not probes:
        raise DataError(
            f'none of the {len(known)} probes shows one of the {len(gallery.identities)} persons of the gallery'
        )
    limits = np.arange(1, min(MAX_RANK, len(gallery.identities)) + 1)
    counts = np.searchsorted(np.sort(results.rank[known]), limits, side='right')
    within5 = int((results.rank[known] <= 5).sum())
    levels = far_levels if probes < len(known) else ()
    return IdentificationScores(
        identities=len(gallery.identities),
        gallery_images=len(gallery),
        known_probes=probes,
        unknown_probes=len(known) - probes,
        rank1=int(counts[0]) / probes,
        rank1_interval=wilson(int(counts[0]), probes),
        rank5=within5 / probes,
        rank5_interval=wilson(within5, probes),
        cmc=tuple((counts / probes).tolist()),
        dir_at={level: open_set_point(results, level) for level in levels},
    )

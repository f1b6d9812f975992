"""The figures of a verification or an identification as text."""

from __future__ import annotations

from typing import List, Optional, Tuple

from gluon_cbam.recognition.identifying import Identified
from gluon_cbam.recognition.verification import VerifiedPairs
from gluon_cbam.tasks.faces.metrics.roc import OperatingPoint
from gluon_cbam.tasks.intervals import Interval


def percent(value: Optional[float]) -> str:
    """A share as per cent."""
    return 'unknown' if value is None else f'{100 * value:.2f} %'


def interval_text(interval: Optional[Interval]) -> str:
    """An interval as per cent."""
    return '' if interval is None else f'{100 * interval[0]:.2f} to {100 * interval[1]:.2f}'


def point_text(point: OperatingPoint, different: int) -> str:
    """A true-accept rate, which says where the set cannot resolve the level."""
    text = f'{percent(point.tar)} ({interval_text(point.interval)})'
    if point.resolved:
        return text
    return f'{text}, without any false accept: {different} different pairs do not resolve this level'


def figure_rows(result: VerifiedPairs) -> List[Tuple[str, str]]:
    """The figures of a set: (name, value) with intervals of 95 %."""
    scores = result.scores
    rows = [
        ('pairs', f'{scores.pairs} ({scores.same_pairs} same, {scores.different_pairs} different)'),
        (
            'accuracy',
            f'{percent(scores.accuracy)} +- {100 * scores.accuracy_std:.2f} '
            f'({interval_text(scores.accuracy_interval)})',
        ),
        ('VAL at FAR 1e-03', f'{percent(scores.val)}' + ('' if scores.far is None else f', FAR {percent(scores.far)}')),
        ('AUC', f'{percent(scores.auc)} ({interval_text(scores.auc_interval) or "interval unknown"})'),
        ('EER', f'{percent(scores.eer)} ({interval_text(scores.eer_interval)})'),
    ]
    for level, point in scores.tar_at.items():
        rows.append((f'TAR at FAR {level:.0e}', point_text(point, scores.different_pairs)))
    return rows


_RANKS = (10, 20, 50, 100)


def identification_rows(found: Identified) -> List[Tuple[str, str]]:
    """The figures of identified probes: (name, value) with intervals of 95 %."""
    scores = found.scores
    rows = [
        ('gallery', f'{scores.identities} persons, {scores.gallery_images} images'),
        ('probes', f'{scores.known_probes} of known and {scores.unknown_probes} of unknown persons'),
        ('rank-1', f'{percent(scores.rank1)} ({interval_text(scores.rank1_interval)})'),
        ('rank-5', f'{percent(scores.rank5)} ({interval_text(scores.rank5_interval)})'),
    ]
    rows += [(f'rank-{rank}', percent(scores.cmc[rank - 1])) for rank in _RANKS if rank <= len(scores.cmc)]
    for level, point in scores.dir_at.items():
        text = f'{percent(point.dir)} ({interval_text(point.interval)}), similarity from {point.threshold:.4f}'
        if not point.resolved:
            text += f', without any false alarm: {scores.unknown_probes} unknown probes do not resolve this level'
        rows.append((f'DIR at FAR {level:.0e}', text))
    return rows


def threshold_text(result: VerifiedPairs, distance: str) -> str:
    """The mean of the thresholds of the folds.

    Args:
        result: the set.
        distance: its unit, one of :data:`gluon_cbam.recognition.verification.DISTANCES`.
    """
    if distance == 'cosine':
        return f'{1 - result.threshold / 2:.4f} (cosine similarity, mean of the folds)'
    return f'{result.threshold:.4f} (squared distance, mean of the folds)'

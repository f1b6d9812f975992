"""Average precision and F1 of classes, each of which an image may have or not."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

THRESHOLD = 0.5
"""The probability from which a class counts as found."""


class ClassFigures(NamedTuple):
    """The figures of a class; decisions are at :data:`THRESHOLD`.

    Attributes:
        label: its name.
        positives: images with it.
        found: images on which it is found.
        ap: average precision; None for a class without positives.
        precision: None for a class that is never found.
        recall: None for a class without positives.
        f1: None for a class without positives.
    """

    label: str
    positives: int
    found: int
    ap: Optional[float]
    precision: Optional[float]
    recall: Optional[float]
    f1: Optional[float]

    def as_dict(self) -> Dict[str, Any]:
        """The figures by name."""
        return self._asdict()


def precision_recall(scores: np.ndarray, positive: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Recall and precision where the images down to each of the distinct scores are found, the highest score first.

    Args:
        scores: (N,).
        positive: (N,) bool, the images with the class, at least one.

    Returns:
        (M,) each, M the number of distinct scores.
    """
    order = np.argsort(-scores, kind='stable')
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # the last image of each score
    hits = np.cumsum(positive[order])[ends]
    return hits / hits[-1], hits / (ends + 1)


def average_precision(scores: np.ndarray, positive: np.ndarray) -> Optional[float]:
    """Average precision of a class: the sum of (R_n - R_(n-1)) P_n over the distinct scores, without interpolation.

    This is ``sklearn.metrics.average_precision_score``: images of equal scores enter together.

    Args:
        scores: (N,).
        positive: (N,) bool, the images with the class.

    Returns:
        In 0..1; None without positives.
    """
    if not positive.any():
        return None
    recall, precision = precision_recall(scores, positive)
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def scores_of(logits: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> List[ClassFigures]:
    """The figures of each class.

    Args:
        logits: (N, K) float64.
        labels: (N, K) zeros and ones.
        names: of the K classes.
    """
    decided, positive = is_found(logits), labels > 0
    result = []
    for number, name in enumerate(names):
        own, true = decided[:, number], positive[:, number]
        hits, found, positives = int((own & true).sum()), int(own.sum()), int(true.sum())
        result.append(
            ClassFigures(
                name, positives, found, average_precision(logits[:, number], true), hits / found if found else None,
                *((hits / positives, _f1(hits, found, positives)) if positives else (None, None)),
            )
        )  # fmt: skip
    return result


def figures_of(logits: np.ndarray, labels: np.ndarray, classes: Sequence[ClassFigures]) -> Dict[str, float]:
    """The figures over all classes; classes without positives are left out of the means, and count in ``micro_f1``.

    Args:
        logits: see :func:`scores_of`.
        labels: see :func:`scores_of`.
        classes: the figures of each class, of which one has positives.

    Returns:
        ``map``, the mean of the average precisions; ``micro_f1``, of all decisions; ``macro_f1``, the mean of the
        classes; ``loss``, the mean binary cross-entropy over images and classes, in nats.
    """
    found, positive = is_found(logits), labels > 0
    return {
        'map': float(np.mean([each.ap for each in classes if each.ap is not None])),
        'micro_f1': _f1(int((found & positive).sum()), int(found.sum()), int(positive.sum())),
        'macro_f1': float(np.mean([each.f1 for each in classes if each.f1 is not None])),
        'loss': float(cross_entropy(logits, labels).mean()),
    }


def probabilities_of(logits: np.ndarray) -> np.ndarray:
    """The sigmoid of logits, without an exponential that overflows, and exact near 0."""
    shares = np.exp(-np.abs(logits))
    return np.where(logits < 0, shares, 1) / (1 + shares)


def is_found(logits: np.ndarray) -> np.ndarray:
    """Whether sigmoid(logit) is at least :data:`THRESHOLD`."""
    return logits >= np.log(THRESHOLD / (1 - THRESHOLD))


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The binary cross-entropy of each class of each image, (N, K) in nats; see :func:`scores_of`."""
    return np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))


def _f1(hits: int, found: int, positives: int) -> float:
    """F1, 2 * precision * recall / (precision + recall); 0 without hits."""
    return 2 * hits / (found + positives) if hits else 0.0

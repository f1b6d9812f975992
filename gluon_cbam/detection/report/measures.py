"""What the report measures beside the figures: curves, confusions, kinds of errors, and rates of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional

import numpy as np

from gluon_cbam.tasks.detection.metrics.confidence import ConfidenceCurves, confidence_curves
from gluon_cbam.tasks.detection.metrics.confusion import confusion_matrix
from gluon_cbam.tasks.detection.metrics.error_kinds import find_errors
from gluon_cbam.tasks.detection.metrics.pictures import PictureScores, picture_scores
from gluon_cbam.tasks.detection.metrics.tables import columns_of
from gluon_cbam.tasks.detection.scored import ScoredBoxes

BACKGROUND = 'background'
"""The last row and column of the confusion matrix."""


@dataclass(frozen=True, eq=False)
class Measures:
    """The measures of a set.

    Attributes:
        least_score: the smallest score of detections in ``confusions`` and ``errors``.
        confidence: counts over the smallest score.
        confusions: (K + 1, K + 1) true class by detected class, the last is background.
        errors: number of errors by their kind.
        costs: what AP at an overlap of 0.5 would gain without the errors of each kind, of all scores.
        pictures: rates of the images.
    """

    least_score: float
    confidence: ConfidenceCurves
    confusions: np.ndarray
    errors: Dict[str, int]
    costs: Dict[str, float]
    pictures: PictureScores


def measure(scored: ScoredBoxes, least_score: Optional[float] = None) -> Measures:
    """Measure a set.

    Args:
        scored: the set.
        least_score: the smallest score of detections in the confusion matrix and the kinds of errors; default that of
            the best mean F1, as detectors differ in how sure they are.

    Returns:
        The measures.
    """
    classes = len(scored.classes)
    truths, found = columns_of(scored.truths, scored.detections, classes)
    found = found.by_score()
    errors = find_errors(found, truths)
    confidence = confidence_curves(found, truths, classes)
    if least_score is None:
        least_score = float(confidence.least[confidence.best()])
    return Measures(
        least_score, confidence, confusion_matrix(found, truths, classes, least_score),
        errors.counts(least_score), errors.costs(), picture_scores(found, truths, len(scored.truths)),
    )  # fmt: skip

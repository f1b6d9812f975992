"""Confidence intervals of an equal error rate and of the area under a ROC curve.

They take the pairs as independent. Pairs that share an image or a person are not quite, so that the true intervals of
such sets are wider.
"""

from __future__ import annotations

import math
from typing import Optional

import numpy as np

from gluon_cbam.tasks.intervals import Interval, Z, wilson


def equal_error(rate: float, positives: int, negatives: int) -> Interval:
    """The interval of an equal error rate (Bengio and Mariethoz, Odyssey 2004).

    The rate is half the sum of two independent shares at one threshold, whose variance is that of one share of
    ``4 / (1 / positives + 1 / negatives)`` pairs; the limits are those of :func:`wilson`.

    Args:
        rate: the equal error rate, 0..1.
        positives: pairs of the same person.
        negatives: pairs of different persons.

    Returns:
        The limits, in 0..1.
    """
    pairs = 4 / (1 / positives + 1 / negatives)
    return wilson(rate * pairs, pairs)


def delong(positives: np.ndarray, negatives: np.ndarray) -> Optional[Interval]:
    """The interval of the area under a ROC curve (DeLong et al., Biometrics 1988), on the logit scale.

    Args:
        positives: (K, 2) for groups of positives with equal score: the share of negatives that are worse, those with
            an equal score counted half, and the number of positives in the group.
        negatives: (K, 2) for groups of negatives: the share of positives that are better, and the number of negatives.

    Returns:
        The limits, in 0..1; None where the variance cannot be estimated, as for an area of 1 or 0.
    """
    area, variance = 0.0, 0.0
    for groups in (positives, negatives):
        shares, counts = groups[:, 0], groups[:, 1]
        total = counts.sum()
        if total < 2:
            return None
        area = float((shares * counts).sum() / total)
        variance += float(((shares - area) ** 2 * counts).sum() / (total - 1) / total)
    if variance == 0 or not 0 < area < 1:
        return None
    center, half = math.log(area / (1 - area)), Z * math.sqrt(variance) / (area * (1 - area))
    return 1 / (1 + math.exp(half - center)), 1 / (1 + math.exp(-half - center))

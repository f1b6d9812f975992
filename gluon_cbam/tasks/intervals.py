"""Confidence intervals of shares, such as an accuracy."""

from __future__ import annotations

import math
from typing import Tuple

Interval = Tuple[float, float]
"""Lower and upper limit, at a confidence of 95 %."""
Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


def wilson(successes: float, trials: float) -> Interval:
    """The Wilson score interval of a share (Wilson, JASA 1927), which holds for shares near 0 and 1 too.

    Args:
        successes: 0 to ``trials``.
        trials: at least 1.

    Returns:
        The limits, in 0..1.

    Example:
        >>> wilson(300, 300)
        (0.98735..., 1.0)
    """
    share, scale = successes / trials, 1 + Z * Z / trials
    center = (share + Z * Z / (2 * trials)) / scale
    half = Z / scale * math.sqrt(share * (1 - share) / trials + Z * Z / (4 * trials * trials))
    low = 0.0 if successes == 0 else max(center - half, 0.0)
    return low, 1.0 if successes == trials else min(center + half, 1.0)

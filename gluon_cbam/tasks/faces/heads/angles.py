"""Functions of angles whose cosines are given, with finite gradients where the cosine is 1 or -1.

The sine is the root of (1 - cos)(1 + cos), whose gradient is infinite where the cosine is 1 or -1, as the gradient of
the arc cosine is. Cosines nearer to 1 than the type can tell apart are therefore taken for those at this distance, and
no gradient flows through the sine or the angle there.
"""

from __future__ import annotations

import math

from gluon_cbam.common.types import OpNamespace, Tensor

SMALLEST = {'float16': 1e-3, 'float32': 1e-7, 'float64': 1e-15}
"""Type -> the smallest squared sine, which is also the smallest distance of a cosine from 1 in :func:`angle`."""


def clamp(F: OpNamespace, values: Tensor, low: float, high: float) -> Tensor:
    """Clip values to a range, with no gradient beyond it; MXNet's ``clip`` has bounds of float32 only."""
    return F.minimum(F.maximum(values, low), high)


def sine(F: OpNamespace, cosine: Tensor, dtype: str) -> Tensor:
    """The sine of angles in [0, pi]; its square is at least :data:`SMALLEST`."""
    return F.sqrt(F.maximum((1 - cosine) * (1 + cosine), SMALLEST[dtype]))


def angle(F: OpNamespace, cosine: Tensor, dtype: str) -> Tensor:
    """The angle in radians, of the cosine clipped by :data:`SMALLEST`."""
    return F.arccos(clamp(F, cosine, SMALLEST[dtype] - 1, 1 - SMALLEST[dtype]))


def widened(F: OpNamespace, cosine: Tensor, margin: float, dtype: str) -> Tensor:
    """The cosine of the angle plus a constant margin, by the addition theorem: no angle is computed."""
    return math.cos(margin) * cosine - math.sin(margin) * sine(F, cosine, dtype)

"""The precisions in which exported networks compute, and how far outputs of one precision may be apart."""

from __future__ import annotations

from typing import Dict

FLOAT32, TF32, FLOAT16, INT8 = 'float32', 'tf32', 'float16', 'int8'
TOLERANCES: Dict[str, float] = {FLOAT32: 1e-4, TF32: 5e-3, FLOAT16: 2e-2, INT8: 5e-2}
"""Precision, from the finest to the coarsest -> the largest accepted difference, relative to the largest output.

The rounding of float32 differs by about 1e-6 between devices, that of TF32 (10 bits of mantissa) by about 1e-3.
"""


def coarsest(*precisions: str) -> str:
    """The coarsest of some precisions, such as that of a file and that of the device that computes it."""
    return max(precisions, key=list(TOLERANCES).index)

"""Where an engine computes: provider, device, precision and threads."""

from __future__ import annotations

from typing import Callable, List, NamedTuple, Optional

import numpy as np

from gluon_cbam.export.precision import FLOAT32, coarsest

Run = Callable[[np.ndarray], List[np.ndarray]]
"""Function from a batch to all outputs."""
Start = Callable[[np.ndarray], Callable[[], List[np.ndarray]]]
"""Copies a batch to the device, and returns the function that computes all outputs and brings them back."""


class Placement(NamedTuple):
    """Where and how an engine computes.

    Attributes:
        provider: the execution provider of ONNX Runtime; None in other engines.
        device: a number, or a name such as ``GPU.0``; None where there is no choice.
        precision: the precision of the arithmetic, a key of :data:`gluon_cbam.export.precision.TOLERANCES`.
        threads: number of threads on the CPU.
        numbers: the precision of the numbers in the file.
    """

    provider: Optional[str] = None
    device: Optional[str] = None
    precision: str = FLOAT32
    threads: int = 1
    numbers: str = FLOAT32

    @property
    def coarsest(self) -> str:
        """The coarsest precision that takes part."""
        return coarsest(self.precision, self.numbers)

    @property
    def text(self) -> str:
        """For messages: the provider or the device, such as ``cuda:0``."""
        return ':'.join(part for part in (self.provider, self.device) if part is not None)

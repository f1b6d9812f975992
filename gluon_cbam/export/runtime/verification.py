"""Comparison of an engine with ONNX Runtime on the CPU, before the first answer is given."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.export.agreement import Agreement, compare
from gluon_cbam.export.precision import TOLERANCES

from .placement import Run, Start

IMAGES = 4
"""Number of random images."""
RANDOM, FIRST_BATCH = 'random_images', 'first_batch'
_log = logging.getLogger('gluon_cbam.export')


@dataclass
class Verification:
    """The comparison of an engine with the CPU.

    Attributes:
        where: the engine and its placement, for messages.
        precision: the coarsest precision that takes part.
        boxes: whether the outputs are of a detector.
        agreements: what was compared -> the agreement.
    """

    where: str
    precision: str
    boxes: bool = False
    agreements: Dict[str, Agreement] = field(default_factory=dict)

    @property
    def tolerance(self) -> float:
        """The largest accepted difference, relative to the largest output of the CPU."""
        return TOLERANCES[self.precision]

    def check(self, what: str, found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> None:
        """Compare outputs with those of the CPU, and keep the agreement.

        Args:
            what: :data:`RANDOM` or :data:`FIRST_BATCH`.
            found: all outputs of the engine.
            expected: those of the CPU.

        Raises:
            DataError: they differ by more than the tolerance, the largest outputs are of other classes, or detections
                differ.
        """
        agreement = self.agreements[what] = compare(found, expected, self.tolerance, self.boxes)
        if not agreement.agrees(self.precision):
            raise DataError(f'{self.where} disagrees with the CPU on the {self._text(what)}')
        _log.info('%s agrees with the CPU on the %s', self.where, self._text(what))

    def _text(self, what: str) -> str:
        found = self.agreements[what]
        return (
            f'{what.replace("_", " ")}: difference {found.relative:.2g} of the largest output ({self.precision}: '
            f'{self.tolerance:g} at most), {found.text()}'
        )

    def text(self) -> str:
        """What was found, on one line."""
        return f'{self.where} agrees with the CPU: ' + '; '.join(self._text(what) for what in self.agreements)

    def as_dict(self) -> Dict[str, Any]:
        """The values for JSON."""
        compared = {what: agreement.as_dict() for what, agreement in self.agreements.items()}
        return {'precision': self.precision, 'tolerance': self.tolerance, **compared}


def verified(start: Start, reference: Run, random_batch: np.ndarray, verification: Verification) -> Start:
    """Compare an engine with the CPU on random images now, and on the first batch that it computes.

    Args:
        start: the engine.
        reference: the same file on the CPU; it is dropped after the first batch.
        random_batch: prepared images.
        verification: gets the results.

    Returns:
        ``start``, whose first batch is compared before its outputs are returned.

    Raises:
        DataError: they disagree on the random images.
    """
    verification.check(RANDOM, start(random_batch)(), reference(random_batch))
    left: List[Optional[Run]] = [reference]

    def begin(batch: np.ndarray) -> Callable[[], List[np.ndarray]]:
        compute, expected = start(batch), left.pop() if left else None
        if expected is None:
            return compute

        def run() -> List[np.ndarray]:
            outputs = compute()
            verification.check(FIRST_BATCH, outputs, expected(batch))
            return outputs

        return run

    return begin

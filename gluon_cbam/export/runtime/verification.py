"""Comparison of an engine with ONNX Runtime on the CPU, before the first answer is given."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from typing import Any, Callable, Dict, List, Optional, Sequence, Union

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.export.detection_rows import LEAST_AGREEING, RowAgreement, compare_rows
from gluon_cbam.export.precision import TOLERANCES

from .placement import Run, Start

IMAGES = 4
"""Number of random images."""
RANDOM, FIRST_BATCH = 'random_images', 'first_batch'
_log = logging.getLogger('gluon_cbam.export')


@dataclass(frozen=True)
class Agreement:
    """How well outputs agree with those of the CPU.

    Attributes:
        largest: the largest absolute difference of all outputs.
        scale: the largest absolute output of the CPU.
        images: number of images.
        same_top1: number of images for which the largest of the first outputs is the same.
        near_ties: number of the other images whose two largest outputs are closer than twice the tolerance.
    """

    largest: float
    scale: float
    images: int
    same_top1: int
    near_ties: int

    @property
    def relative(self) -> float:
        """The largest difference divided by the largest output."""
        return self.largest / max(self.scale, 1e-12)

    def agrees(self, precision: str) -> bool:
        """Whether the difference is small, and the largest outputs are of the same classes, near ties aside."""
        return self.relative <= TOLERANCES[precision] and self.same_top1 + self.near_ties >= self.images

    def text(self) -> str:
        """What agrees."""
        return f'top-1 the same for {self.same_top1} of {self.images}'


@dataclass(frozen=True)
class DetectionAgreement:
    """How well detections agree with those of the CPU.

    Attributes:
        largest: the largest absolute difference of the detections that agree.
        scale: the largest absolute coordinate of the CPU.
        images: number of images.
        detections: number of detections.
        agreeing: number of those that agree, see :func:`gluon_cbam.export.detection_rows.compare_rows`.
    """

    largest: float
    scale: float
    images: int
    detections: int
    agreeing: int

    @property
    def relative(self) -> float:
        """The largest difference divided by the largest coordinate."""
        return self.largest / max(self.scale, 1e-12)

    def agrees(self, precision: str) -> bool:
        """Whether enough detections agree."""
        return self.largest < np.inf and self.agreeing >= LEAST_AGREEING[precision] * self.detections

    def text(self) -> str:
        """What agrees."""
        return f'{self.agreeing} of {self.detections} detections the same'


def compare(found: Sequence[np.ndarray], expected: Sequence[np.ndarray], tolerance: float) -> Agreement:
    """Compare the outputs for some images.

    Args:
        found: all outputs, with a row for each image.
        expected: those of the CPU.
        tolerance: the largest accepted difference, relative to the largest output.

    Returns:
        The agreement; an output that is not finite, of another shape or missing makes the difference infinite.
    """
    pairs = list(zip(found, expected))
    comparable = len(found) == len(expected) and all(one.shape == two.shape for one, two in pairs)
    comparable = comparable and all(np.isfinite(output).all() for output in (*found, *expected))
    largest = max(float(np.abs(one - two).max()) for one, two in pairs) if comparable else float('inf')
    scale = max(float(np.abs(two).max()) for _, two in pairs)
    rows = [value.reshape(len(value), -1) for value in (found[0], expected[0])]
    same = rows[0].argmax(axis=1) == rows[1].argmax(axis=1)
    best = np.sort(rows[1], axis=1)[:, -2:]
    ties = ~same & (best[:, -1] - best[:, 0] <= 2 * tolerance * scale)
    return Agreement(largest, scale, len(same), int(same.sum()), int(ties.sum()))


def compare_detections(
    found: Sequence[np.ndarray], expected: Sequence[np.ndarray], tolerance: float
) -> DetectionAgreement:
    """Compare the detections for some images; see :func:`compare`."""
    comparable = [value.shape for value in found] == [value.shape for value in expected]
    if not comparable or not all(np.isfinite(value).all() for value in (*found, *expected)):
        return DetectionAgreement(float('inf'), 1.0, len(expected[0]), 0, 0)
    rows: RowAgreement = compare_rows(found[0], expected[0], tolerance)
    return DetectionAgreement(rows.largest, rows.scale, len(expected[0]), rows.rows, rows.agreeing)


@dataclass
class Verification:
    """The comparison of an engine with the CPU.

    Attributes:
        where: the engine and its placement, for messages.
        precision: the coarsest precision that takes part.
        detections: whether the outputs are detections.
        agreements: what was compared -> the agreement.
    """

    where: str
    precision: str
    detections: bool = False
    agreements: Dict[str, Union[Agreement, DetectionAgreement]] = field(default_factory=dict)

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
        run = compare_detections if self.detections else compare
        agreement = self.agreements[what] = run(found, expected, self.tolerance)
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
        compared = {
            what: {**asdict(found), 'relative': found.relative} for what, found in self.agreements.items()
        }  # fmt: skip
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

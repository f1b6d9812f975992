"""How well the outputs of two implementations of a network agree: an exported file and MXNet, an engine and the CPU.

Detections are compared row by row, see :mod:`.detection_rows`, and so are the candidates of detectors with two stages,
whose RoIs come by falling score; other outputs number by number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np

from .detection_rows import LEAST_AGREEING, RowAgreement, candidate_rows, compare_rows
from .precision import TOLERANCES


@dataclass(frozen=True)
class OutputDifference:
    """The difference of one output.

    Attributes:
        largest: the largest absolute difference; of detections, of those that agree.
        scale: the largest absolute value that was expected.
    """

    largest: float
    scale: float

    @property
    def relative(self) -> float:
        """The largest difference divided by the largest value."""
        return self.largest / max(self.scale, 1e-12)

    def joined(self, other: OutputDifference) -> OutputDifference:
        """That of these and further values of the same output."""
        return OutputDifference(max(self.largest, other.largest), max(self.scale, other.scale))


@dataclass(frozen=True)
class Agreement:
    """How well outputs agree with those that were expected.

    Attributes:
        images: number of images.
        outputs: the difference of each output.
        rows: the agreement of detections, row by row; None for other outputs.
        same_top1: number of images for which the largest of the first outputs is the same; 0 for detections.
        near_ties: number of the other images whose two largest outputs are closer than twice the tolerance.
    """

    images: int
    outputs: Tuple[OutputDifference, ...]
    rows: Optional[RowAgreement] = None
    same_top1: int = 0
    near_ties: int = 0

    @property
    def worst(self) -> OutputDifference:
        """The difference of the output that differs most, relative to its largest value."""
        return max(self.outputs, key=lambda one: one.relative)

    @property
    def largest(self) -> float:
        """The largest absolute difference of the output that differs most; infinite for what cannot be compared."""
        return self.worst.largest

    @property
    def scale(self) -> float:
        """The largest absolute value that was expected of that output."""
        return self.worst.scale

    @property
    def relative(self) -> float:
        """The largest difference divided by the largest value."""
        return self.worst.relative

    def joined(self, other: Agreement) -> Agreement:
        """The agreement on these and on further images, of the same outputs."""
        rows = None if self.rows is None or other.rows is None else self.rows + other.rows
        return Agreement(
            self.images + other.images, tuple(one.joined(two) for one, two in zip(self.outputs, other.outputs)), rows,
            self.same_top1 + other.same_top1, self.near_ties + other.near_ties,
        )  # fmt: skip

    def agrees(self, precision: str) -> bool:
        """Whether the differences are small enough for a precision.

        Either enough detections agree, see :data:`.detection_rows.LEAST_AGREEING`, or the largest outputs are of the
        same classes, near ties aside.
        """
        if self.rows is None:
            enough = self.same_top1 + self.near_ties >= self.images
        else:
            enough = self.rows.part >= LEAST_AGREEING[precision]
        return enough and self.relative <= TOLERANCES[precision]

    def text(self) -> str:
        """What agrees."""
        if self.rows is None:
            return f'top-1 the same for {self.same_top1} of {self.images}'
        return f'{self.rows.agreeing} of {self.rows.rows} detections the same'

    def as_dict(self) -> Dict[str, Any]:
        """The values for JSON."""
        value = {'largest': self.largest, 'scale': self.scale, 'relative': self.relative, 'images': self.images}
        if self.rows is None:
            return {**value, 'same_top1': self.same_top1, 'near_ties': self.near_ties}
        return {**value, 'detections': self.rows.rows, 'agreeing': self.rows.agreeing}


def compare(
    found: Sequence[np.ndarray], expected: Sequence[np.ndarray], tolerance: float, boxes: bool = False
) -> Agreement:
    """Compare the outputs for some images.

    Args:
        found: all outputs, with a row for each image.
        expected: those that were expected.
        tolerance: how far detections may be apart that agree, and outputs that are nearly ties: relative to the
            coordinates of a detection, and to the largest output.
        boxes: whether the outputs are of a detector: detections and perhaps masks, or boxes and scores.

    Returns:
        The agreement; an output that is not finite, of another shape or missing makes the difference infinite.
    """
    images = len(expected[0])
    if [value.shape for value in found] != [value.shape for value in expected] or not all(
        np.isfinite(value).all() for value in (*found, *expected)
    ):
        rows = RowAgreement(0, 0, float('inf'), 1.0) if boxes else None
        return Agreement(images, (OutputDifference(float('inf'), 1.0),), rows)
    if boxes and (len(expected) == 1 or 4 in (expected[0].ndim, expected[1].ndim)):
        (one, *masks), (two, *expected_masks) = _detections(found), _detections(expected)
        rows = compare_rows(one, two, tolerance, masks, expected_masks)
        return Agreement(images, (OutputDifference(rows.largest, rows.scale),), rows)
    differences = tuple(
        OutputDifference(float(np.abs(one - two).max()), float(np.abs(two).max())) for one, two in zip(found, expected)
    )
    same, ties = _top1(found[0], expected[0], tolerance)
    return Agreement(images, differences, None, same, ties)


def _detections(outputs: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """The detections of each image and their masks, if there are some; or the best candidates of RoIs as detections."""
    return [candidate_rows(*outputs)] if outputs[0].ndim == 4 else outputs


def _top1(found: np.ndarray, expected: np.ndarray, tolerance: float) -> Tuple[int, int]:
    """The number of images whose largest output is the same, and that of the others that are near ties."""
    one, two = (value.reshape(len(value), -1) for value in (found, expected))
    same = one.argmax(axis=1) == two.argmax(axis=1)
    best = np.sort(two, axis=1)[:, -2:]
    ties = ~same & (best[:, -1] - best[:, 0] <= 2 * tolerance * np.abs(two).max())
    return int(same.sum()), int(ties.sum())

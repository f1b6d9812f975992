"""Detections of a set of images with their truth and their figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Sequence, Tuple

import numpy as np

from gluon_cbam.tasks.detection.detections import Detections
from gluon_cbam.tasks.detection.metrics.scores import DetectionScores, score

if TYPE_CHECKING:
    from gluon_cbam.data.boxes.table import Boxes


@dataclass(frozen=True, eq=False)
class ScoredSet:
    """A set of images whose detections were scored.

    Attributes:
        name: the name of the set, for titles.
        truths: the true boxes of each image.
        detections: the detections of each image.
        scores: their figures.
        image_name: from the number of an image to its name.
        load: from the number of an image to (H, W, 3) uint8 RGB; raises :class:`~gluon_cbam.common.errors.CbamError`
            or OSError where there is no such picture.
    """

    name: str
    truths: Sequence[Boxes]
    detections: Sequence[Detections]
    scores: DetectionScores
    image_name: Callable[[int], str]
    load: Callable[[int], np.ndarray]

    @property
    def classes(self) -> Tuple[str, ...]:
        """The names of the classes."""
        return self.scores.classes


def score_set(
    name: str,
    classes: Sequence[str],
    truths: Sequence[Boxes],
    detections: Sequence[Detections],
    image_name: Callable[[int], str],
    load: Callable[[int], np.ndarray],
) -> ScoredSet:
    """Score the detections of a set; see :func:`gluon_cbam.tasks.detection.metrics.scores.score`.

    Args:
        name: the name of the set.
        classes: names of the classes.
        truths: the true boxes of each image.
        detections: the detections of each image, in the same order.
        image_name: from the number of an image to its name.
        load: from the number of an image to its pixels.

    Raises:
        DataError: they do not fit, or no object counts.
    """
    return ScoredSet(name, truths, detections, score(truths, detections, classes), image_name, load)

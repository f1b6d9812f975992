"""What a detector found in a set of images, with the truth and the figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Optional, Sequence, Tuple

import numpy as np

from .detections import Detections
from .metrics.scores import DetectionScores

if TYPE_CHECKING:
    from gluon_cbam.data.boxes.table import Boxes


@dataclass(frozen=True, eq=False)
class ScoredBoxes:
    """A set of images whose detections were scored.

    Attributes:
        name: the name of the set, for titles.
        truths: the true boxes of each image.
        detections: the detections of each image.
        scores: their figures.
        image_name: from the number of an image to its name.
        load: from the number of an image to (H, W, 3) uint8 RGB; raises :class:`~gluon_cbam.common.errors.CbamError`
            or OSError where there is no such picture.
        image_ids: COCO's id of each image; None where the data have none.
        category_ids: COCO's id of each class; None where the data have none.
    """

    name: str
    truths: Sequence[Boxes]
    detections: Sequence[Detections]
    scores: DetectionScores
    image_name: Callable[[int], str]
    load: Callable[[int], np.ndarray]
    image_ids: Optional[Sequence[int]] = None
    category_ids: Optional[Sequence[int]] = None

    @property
    def classes(self) -> Tuple[str, ...]:
        """The names of the classes."""
        return self.scores.classes

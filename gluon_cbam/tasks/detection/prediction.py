"""The boxes of an image as a prediction."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.boxes.segmentations import bitmap, mask_size
from gluon_cbam.tasks.classes import numbers_of
from gluon_cbam.tasks.prediction import ImageReference, Prediction, Predictor

from .detections import Detections
from .outputs import ToImage, rows_in_image

_SHOWN = 8  # boxes in a line


class FoundBox(NamedTuple):
    """An object that was found.

    Attributes:
        number: index of its class.
        label: name of its class.
        score: its score.
        corners: xmin, ymin, xmax, ymax in pixels of the image.
        segmentation: its mask, see :func:`gluon_cbam.data.boxes.segmentations.normalized`; empty for boxes alone.
    """

    number: int
    label: str
    score: float
    corners: Tuple[float, float, float, float]
    segmentation: str = ''

    def mask(self) -> np.ndarray:
        """The pixels of the object, (H, W) uint8, 1 inside.

        Raises:
            UsageError: the network finds boxes alone.
        """
        if not self.segmentation:
            raise UsageError('the network finds boxes alone: take a detector of masks, such as mask_rcnn_fpn')
        return bitmap(self.segmentation, *mask_size(self.segmentation))

    def as_dict(self) -> Dict[str, Any]:
        """The box as ``--json`` prints it; with its mask in COCO's run lengths, if it has one."""
        mask = {'segmentation': json.loads(self.segmentation)} if self.segmentation else {}
        return {'class': self.number, 'label': self.label, 'score': self.score, 'box': list(self.corners), **mask}


@dataclass(frozen=True)
class BoxPrediction(Prediction):
    """What a detector found in an image.

    Attributes:
        image: the image, with its size.
        boxes: the objects, the surest first; empty for an image that could not be read.
        error: why the image could not be read, or None.
    """

    image: ImageReference
    boxes: Sequence[FoundBox] = ()
    error: Optional[str] = None

    @property
    def file(self) -> str:  # type: ignore[override]
        """See :class:`gluon_cbam.tasks.prediction.ImageReference`."""
        return self.image.file

    @property
    def number(self) -> Optional[int]:  # type: ignore[override]
        """See :class:`gluon_cbam.tasks.prediction.ImageReference`."""
        return self.image.number

    @property
    def detections(self) -> Detections:
        """The objects as arrays."""
        boxes = self.boxes
        texts = [box.segmentation for box in boxes] if any(box.segmentation for box in boxes) else None
        return Detections.of(
            [box.number for box in boxes], [box.score for box in boxes], [box.corners for box in boxes], texts
        )  # fmt: skip

    def values(self) -> Dict[str, Any]:
        """The size of the image, and ``boxes``."""
        height, width = self.image.size or (None, None)
        return {'height': height, 'width': width, 'boxes': [box.as_dict() for box in self.boxes]}

    def text(self) -> str:
        """The objects: ``2 objects: tree 0.932 (12, 30, 120, 201), tree 0.413 (0, 7, 55, 80)``."""
        count = f'{len(self.boxes)} object{"" if len(self.boxes) == 1 else "s"}'
        shown = [
            f'{box.label} {box.score:.3f} ({", ".join(f"{value:.0f}" for value in box.corners)})'
            for box in self.boxes[:_SHOWN]
        ]
        return (f'{count}: ' if shown else count) + ', '.join(shown) + (', ...' if len(self.boxes) > _SHOWN else '')

    def row(self) -> List[Any]:
        """See :meth:`rows`; the first of them."""
        return self.rows()[0]

    def rows(self) -> List[List[Any]]:
        """A row for each object; an empty one for an image without."""
        return [[box.number, box.label, box.score, *box.corners] for box in self.boxes] or [[]]


@dataclass(frozen=True)
class BoxPredictor(Predictor):
    """Turns the detections of a network, its first output, into boxes of the image, and its second one into masks.

    Attributes:
        preprocessing: maps the boxes back to the image.
        names: the names of the classes.
        top: the largest number of boxes for an image.
        threshold: the smallest score.
        only: the classes that are given, or all.
    """

    preprocessing: ToImage
    names: Tuple[str, ...]
    top: int
    threshold: float = 0.0
    only: Optional[Tuple[int, ...]] = None
    columns = ('class', 'label', 'score', 'xmin', 'ymin', 'xmax', 'ymax')

    def __call__(self, image: ImageReference, outputs: Sequence[np.ndarray]) -> BoxPrediction:
        """The boxes of an image, the surest first."""
        assert image.size is not None, 'it was decoded'
        found = rows_in_image(outputs[0], self.preprocessing, *image.size)
        kept = found.rows[:, 1] >= self.threshold
        if self.only is not None:
            kept &= np.isin(found.rows[:, 0], self.only)
        found = found.chosen(kept)
        found = found.chosen(np.argsort(-found.rows[:, 1], kind='stable')[: self.top])
        masks = found.segmentations(outputs[1] if len(outputs) > 1 else None, *image.size)
        boxes = [
            FoundBox(int(kind), self.names[int(kind)], score, (left, top, right, bottom), mask)
            for (kind, score, left, top, right, bottom), mask in zip(found.rows.tolist(), masks or repeat(''))
        ]
        return BoxPrediction(image, boxes)

    def unreadable(self, image: ImageReference, error: str) -> BoxPrediction:
        """No boxes."""
        return BoxPrediction(image, error=error)

    def filtered(self, threshold: Optional[float] = None, only: Sequence[str] = ()) -> BoxPredictor:
        """Only the boxes with a score of at least a threshold, or of some classes."""
        numbers = numbers_of(only, self.names)
        return replace(self, threshold=self.threshold if threshold is None else threshold, only=numbers)

"""The classes of the pixels of an image as a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.data.class_masks.values import counts_of
from gluon_cbam.tasks.prediction import ImageReference, Prediction, Predictor

from .outputs import ToImage, class_mask


class ClassShare(NamedTuple):
    """A class that was found in an image.

    Attributes:
        number: index of the class.
        label: its name.
        pixels: number of its pixels.
        share: the same over all pixels of the image.
    """

    number: int
    label: str
    pixels: int
    share: float

    def as_dict(self) -> Dict[str, Any]:
        """The class as ``--json`` prints it."""
        return {'class': self.number, 'label': self.label, 'pixels': self.pixels, 'share': self.share}


@dataclass(frozen=True, eq=False)
class MaskPrediction(Prediction):
    """What a network of segmentation found in an image.

    Attributes:
        image: the image, with its size.
        classes: the classes that were found, the largest first.
        mask: (H, W) uint8, the class of each pixel; None for an image that could not be read.
        error: why the image could not be read, or None.
    """

    image: ImageReference
    classes: Sequence[ClassShare] = ()
    mask: Optional[np.ndarray] = None
    error: Optional[str] = None

    @property
    def file(self) -> str:  # type: ignore[override]
        """See :class:`gluon_cbam.tasks.prediction.ImageReference`."""
        return self.image.file

    @property
    def number(self) -> Optional[int]:  # type: ignore[override]
        """See :class:`gluon_cbam.tasks.prediction.ImageReference`."""
        return self.image.number

    def values(self) -> Dict[str, Any]:
        """The size of the image, and ``classes`` with their shares."""
        height, width = self.image.size or (None, None)
        return {'height': height, 'width': width, 'classes': [each.as_dict() for each in self.classes]}

    def text(self) -> str:
        """The classes: ``background 0.7312, ring 0.2688``."""
        return ', '.join(f'{each.label} {each.share:.4f}' for each in self.classes)

    def row(self) -> List[Any]:
        """See :meth:`rows`; the first of them."""
        return self.rows()[0]

    def rows(self) -> List[List[Any]]:
        """A row for each class."""
        return [[each.number, each.label, each.pixels, each.share] for each in self.classes] or [[]]


@dataclass(frozen=True)
class MaskPredictor(Predictor):
    """Turns logits, the first output of a network, into the class of each pixel of the image.

    Attributes:
        preprocessing: maps the input back to the image.
        names: the names of the classes.
        top: the largest number of classes that are named for an image.
    """

    preprocessing: ToImage
    names: Tuple[str, ...]
    top: int
    columns = ('class', 'label', 'pixels', 'share')

    def __call__(self, image: ImageReference, outputs: Sequence[np.ndarray]) -> MaskPrediction:
        """The classes of an image; of equal shares, the first."""
        assert image.size is not None, 'it was decoded'
        mask = class_mask(outputs[0], self.preprocessing, *image.size)
        counts = counts_of(mask)
        order = np.argsort(-counts, kind='stable')[: min(self.top, np.count_nonzero(counts))]
        classes = [
            ClassShare(number, self.names[number], int(counts[number]), float(counts[number] / mask.size))
            for number in order.tolist()
        ]
        return MaskPrediction(image, classes, mask)

    def unreadable(self, image: ImageReference, error: str) -> MaskPrediction:
        """No classes."""
        return MaskPrediction(image, error=error)

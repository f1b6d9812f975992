"""The classes on an image, and their names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.tasks.classes import numbers_of
from gluon_cbam.tasks.classification.prediction import ClassScore
from gluon_cbam.tasks.prediction import ImageReference, Prediction, Predictor

from .scores import THRESHOLD, probabilities_of


@dataclass(frozen=True)
class LabelPrediction(Prediction):
    """The classes on an image.

    Attributes:
        file: see :class:`gluon_cbam.tasks.prediction.ImageReference`.
        number: see :class:`gluon_cbam.tasks.prediction.ImageReference`.
        labels: the classes, the most probable first; empty where none is probable enough, and for an image that could
            not be read.
        error: why it could not be read, or None.
    """

    file: str
    number: Optional[int] = None
    labels: Sequence[ClassScore] = ()
    error: Optional[str] = None

    def values(self) -> Dict[str, Any]:
        """``labels``: the classes."""
        return {'labels': [score.as_dict() for score in self.labels]}

    def text(self) -> str:
        """The classes: ``dog 0.9213, person 0.7512``."""
        return ', '.join(f'{score.label} {score.probability:.4f}' for score in self.labels) or 'no class'

    def row(self) -> List[Any]:
        """See :meth:`rows`; the first of them."""
        return self.rows()[0]

    def rows(self) -> List[List[Any]]:
        """A row for each class; an empty one for an image without."""
        return [list(score) for score in self.labels] or [[]]


@dataclass(frozen=True)
class LabelPredictor(Predictor):
    """Turns logits, the first output of a network, into the classes of an image by their sigmoids.

    Attributes:
        names: the names of the classes.
        top: the largest number of classes for an image.
        threshold: the smallest probability.
        only: the classes that are given, or all.
    """

    names: Tuple[str, ...]
    top: int
    threshold: float = THRESHOLD
    only: Optional[Tuple[int, ...]] = None
    columns = ('class', 'label', 'probability')

    def __call__(self, image: ImageReference, outputs: Sequence[np.ndarray]) -> LabelPrediction:
        """The classes of an image, the most probable first."""
        logits = outputs[0]
        probabilities = probabilities_of(logits)
        kept = [
            int(index)
            for index in np.argsort(-logits, kind='stable')
            if probabilities[index] >= self.threshold and (self.only is None or index in self.only)
        ]
        scores = [ClassScore(index, self.names[index], float(probabilities[index])) for index in kept[: self.top]]
        return LabelPrediction(image.file, image.number, scores)

    def unreadable(self, image: ImageReference, error: str) -> LabelPrediction:
        """No classes."""
        return LabelPrediction(image.file, image.number, error=error)

    def filtered(self, threshold: Optional[float] = None, only: Sequence[str] = ()) -> LabelPredictor:
        """Only the classes with a probability of at least a threshold, or some of them."""
        numbers = numbers_of(only, self.names)
        return replace(self, threshold=self.threshold if threshold is None else threshold, only=numbers)

"""The most probable classes of an image, and their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from gluon_cbam.common.files import PathLike
from gluon_cbam.data.datasets.imagenet import imagenet_classes
from gluon_cbam.tasks.classes import given_names
from gluon_cbam.tasks.prediction import ImageReference, Prediction, Predictor
from gluon_cbam.tasks.protocols import Model


class ClassScore(NamedTuple):
    """The probability of one class for an image.

    Attributes:
        index: the index of the class.
        label: its name, or the index as text.
        probability: softmax of the logits; of several labels the sigmoid of its own.
    """

    index: int  # type: ignore[assignment]
    label: str
    probability: float

    def as_dict(self) -> Dict[str, Any]:
        """The score as ``--json`` prints it."""
        return {'class': self.index, 'label': self.label, 'probability': self.probability}


@dataclass(frozen=True)
class ClassPrediction(Prediction):
    """The prediction of a classifier for an image.

    Attributes:
        file: see :class:`gluon_cbam.tasks.prediction.ImageReference`.
        number: see :class:`gluon_cbam.tasks.prediction.ImageReference`.
        top: the most probable classes, best first; empty for an image that could not be read.
        error: why it could not be read, or None.
    """

    file: str
    number: Optional[int] = None
    top: Sequence[ClassScore] = ()
    error: Optional[str] = None

    def values(self) -> Dict[str, Any]:
        """``top``: the classes."""
        return {'top': [score.as_dict() for score in self.top]}

    def text(self) -> str:
        """The classes: ``tabby 0.8213, tiger cat 0.1512``."""
        return ', '.join(f'{score.label} {score.probability:.4f}' for score in self.top)

    def row(self) -> List[Any]:
        """The classes, three cells each."""
        return [value for score in self.top for value in score]


class ClassPredictor(Predictor):
    """Turns logits, the first output of a network, into the most probable classes by softmax.

    Args:
        names: the names of the classes.
        top: number of classes per image.
        temperature: divides the logits.
    """

    def __init__(self, names: Sequence[str], top: int, temperature: float = 1.0) -> None:
        self._names, self._top, self._temperature = names, top, temperature
        self.columns = columns(top)

    def __call__(self, image: ImageReference, outputs: Sequence[np.ndarray]) -> ClassPrediction:
        """The most probable classes; of equal ones, the first."""
        logits = outputs[0]
        probabilities = np.exp((logits - logits.max()) / self._temperature)
        probabilities /= probabilities.sum()
        best = np.argsort(-logits, kind='stable')[: self._top]
        scores = [ClassScore(int(index), self._names[index], float(probabilities[index])) for index in best]
        return ClassPrediction(image.file, image.number, scores)

    def unreadable(self, image: ImageReference, error: str) -> ClassPrediction:
        """No classes."""
        return ClassPrediction(image.file, image.number, error=error)


def columns(top: int) -> List[str]:
    """The headings of ``top`` classes in CSV."""
    return [f'{name}_{rank}' for rank in range(1, top + 1) for name in ('class', 'label', 'probability')]


def class_names(model: Model, labels: Optional[PathLike] = None) -> List[str]:
    """The names of the classes: those of the weights, else ImageNet's for 1000 classes, else the numbers.

    See :func:`gluon_cbam.tasks.classes.given_names`.
    """
    names = given_names(model, labels)
    if names is not None:
        return names
    if model.classes == 1000:
        return imagenet_classes()
    return [str(index) for index in range(model.classes)]

"""What a classifier predicted for a set of images, with the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.data.class_names import names_beside
from gluon_cbam.data.datasets.imagenet import words_of
from gluon_cbam.tasks.classes import given_names

from .evaluation import Evaluation
from .metrics import Calibration, ClassCounts, TopK, top_k
from .outcomes import Outcomes
from .prediction import class_names
from .temperature import FittedTemperature

if TYPE_CHECKING:
    from gluon_cbam.common.files import PathLike
    from gluon_cbam.tasks.protocols import Model

OTHERS = 'other classes'
"""The name of the last row and column of :meth:`ScoredClasses.confusions` where there are too many classes."""


@dataclass(frozen=True, eq=False)
class ScoredClasses:
    """A set of images whose predicted classes were scored.

    Attributes:
        name: the name of the set, for titles.
        evaluation: the figures, and what became of each image.
        classes: the names of all classes of the network, each another text.
        load: from the number of an image to (H, W, 3) uint8 RGB.
    """

    name: str
    evaluation: Evaluation
    classes: Tuple[str, ...]
    load: Callable[[int], np.ndarray]

    @property
    def outcomes(self) -> Outcomes:
        """What became of each image."""
        return self.evaluation.outcomes

    @cached_property
    def counts(self) -> ClassCounts:
        """The counts of each class."""
        return ClassCounts.of(self.outcomes, len(self.classes))

    @cached_property
    def calibration(self) -> Calibration:
        """Confidence and accuracy in bins."""
        return Calibration.of(self.outcomes)

    def top_k(self, k: int) -> TopK:
        """The top-k accuracy with its interval."""
        return top_k(self.outcomes, k)

    def fit_temperature(self) -> FittedTemperature:
        """The temperature that fits the logits, which the evaluation was asked for."""
        assert self.evaluation.logits is not None
        return FittedTemperature.of(self.evaluation.logits, self.outcomes.labels)

    def by_class(self) -> List[Dict[str, Any]]:
        """The figures of each class for JSON, see :meth:`.metrics.ClassCounts.rows`."""
        return self.counts.rows(self.classes)

    def worst(self, most: int) -> List[int]:
        """The numbers of the images that are not a hit, those with the highest loss first."""
        wrong = np.flatnonzero(~self.outcomes.hits)
        return wrong[np.argsort(-self.outcomes.losses[wrong], kind='stable')][:most].tolist()

    def confused(self, most: int) -> List[Tuple[int, int, int]]:
        """The pairs of classes that are confused most often: (true class, predicted class, times)."""
        wrong = ~self.outcomes.hits
        pairs = np.stack([self.outcomes.labels[wrong], self.outcomes.predicted[wrong]])
        found, times = np.unique(pairs, axis=1, return_counts=True)
        order = np.argsort(-times, kind='stable')[:most]
        return list(zip(*found[:, order].tolist(), times[order].tolist()))

    def row(self, number: int) -> np.ndarray:
        """How often images of a class are predicted as each class, (classes,) int64."""
        return np.bincount(self.outcomes.predicted[self.outcomes.labels == number], minlength=len(self.classes))

    def confusions(self, most: int) -> Tuple[np.ndarray, Tuple[str, ...]]:
        """The confusion matrix, for a picture.

        Args:
            most: the most classes that are shown; of more, those that are confused most often, and the others together.

        Returns:
            (K, K) int64, row by the true class, column by the predicted one; and the names of the K classes.
        """
        shown = range(len(self.classes)) if len(self.classes) <= most else self._most_confused(most)
        place = np.full(len(self.classes), len(shown))
        place[list(shown)] = range(len(shown))
        names = [self.classes[number] for number in shown] + [OTHERS] * (len(shown) < len(self.classes))
        cells = place[self.outcomes.labels] * len(names) + place[self.outcomes.predicted]
        return np.bincount(cells, minlength=len(names) ** 2).reshape(len(names), len(names)), tuple(names)

    def _most_confused(self, most: int) -> List[int]:
        """The classes of the pairs that are confused most often, in their order; up to ``most``."""
        classes = dict.fromkeys(number for pair in self.confused(most) for number in pair[:2])
        return sorted(list(classes)[:most])


def names_of_classes(outcomes: Outcomes, data: PathLike, model: Optional[Model] = None) -> Tuple[str, ...]:
    """Names for all classes of outcomes.

    Args:
        outcomes: the outcomes.
        data: the path of the record file.
        model: the network; default unknown.

    Returns:
        Those of the network, else those beside the data where they are as many, else
        :func:`.prediction.class_names`. WordNet ids of ImageNet's classes are the words for them, and a name that
        several classes have is followed by the number of the class.
    """
    names = names_beside(data).names or []
    if model is not None:
        names = given_names(model) or (names if len(names) == model.classes else class_names(model))
    least = int(max(outcomes.labels.max(), outcomes.predicted.max())) + 1
    return distinct([words_of(name) for name in [*names, *map(str, range(len(names), least))]])


def distinct(names: Sequence[str]) -> Tuple[str, ...]:
    """Names of which each is another text: one that several classes have is followed by the number of the class."""
    times = Counter(names)
    return tuple(name if times[name] == 1 else f'{name} ({number})' for number, name in enumerate(names))

"""What a classifier of several labels predicted for a set of images, with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from .evaluation import Evaluation
from .scores import cross_entropy, is_found, probabilities_of


@dataclass(frozen=True, eq=False)
class ScoredLabels:
    """A set of images whose predicted classes were scored.

    Attributes:
        name: the name of the set, for titles.
        evaluation: the figures, and the logits of each image.
        classes: the names of the classes, each another text.
        load: from the number of an image to (H, W, 3) uint8 RGB.
    """

    name: str
    evaluation: Evaluation
    classes: Tuple[str, ...]
    load: Callable[[int], np.ndarray]

    @property
    def logits(self) -> np.ndarray:
        """The logits, (N, K) float64."""
        return self.evaluation.logits

    @cached_property
    def labels(self) -> np.ndarray:
        """Whether a class is on an image, (N, K) bool."""
        return self.evaluation.labels > 0

    @cached_property
    def probabilities(self) -> np.ndarray:
        """The probabilities, (N, K) float64."""
        return probabilities_of(self.logits)

    @cached_property
    def found(self) -> np.ndarray:
        """Whether a class is found on an image, (N, K) bool."""
        return is_found(self.logits)

    @cached_property
    def wrong(self) -> np.ndarray:
        """The number of wrong decisions for each image, (N,) int64."""
        return (self.found != self.labels).sum(axis=1)

    @cached_property
    def losses(self) -> np.ndarray:
        """The binary cross-entropy of each image, the mean over the classes, (N,) in nats."""
        return cross_entropy(self.logits, self.evaluation.labels).mean(axis=1)

    def by_class(self) -> List[Dict[str, Any]]:
        """The figures of each class for JSON."""
        return self.evaluation.by_class()

    def worst(self, most: int) -> List[int]:
        """The numbers of the images with a wrong decision, those with the highest loss first."""
        return self._ordered(self.wrong > 0, -self.losses, most)

    def best(self, most: int) -> List[int]:
        """The numbers of the images without a wrong decision, those with the lowest loss first."""
        return self._ordered(self.wrong == 0, self.losses, most)

    @staticmethod
    def _ordered(chosen: np.ndarray, keys: np.ndarray, most: int) -> List[int]:
        numbers = np.flatnonzero(chosen)
        return numbers[np.argsort(keys[numbers], kind='stable')][:most].tolist()

"""The losses of mixed images, by the names of the setting ``loss``."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Callable, Dict

import mxnet as mx

from gluon_cbam.tasks.protocols import Settings

from .loss import BinaryCrossEntropy, SmoothedCrossEntropy
from .mixup import Mix


class Criterion(ABC):
    """The loss of logits for images that are mixed.

    Attributes:
        of_guess: the loss of a guess.
    """

    of_guess: float

    @abstractmethod
    def __call__(self, logits: mx.nd.NDArray, labels: mx.nd.NDArray, mix: Mix) -> mx.nd.NDArray:
        """The loss of each image.

        Args:
            logits: (N, K).
            labels: (N,), before they are mixed.
            mix: how the images are mixed.

        Returns:
            (N,), in nats.
        """


class CrossEntropyCriterion(Criterion):
    """Cross-entropy with label smoothing: of both labels, weighted by their shares.

    Args:
        settings: ``classes`` and ``label_smoothing`` are read.
    """

    def __init__(self, settings: Settings) -> None:
        self.of_guess = math.log(max(settings['classes'], 2))
        self._loss = SmoothedCrossEntropy(settings['label_smoothing'])
        self._loss.hybridize(static_alloc=True, static_shape=True)

    def __call__(self, logits: mx.nd.NDArray, labels: mx.nd.NDArray, mix: Mix) -> mx.nd.NDArray:
        """See :class:`Criterion`."""
        return mix.loss(self._loss, logits, labels)


class BinaryCriterion(Criterion):
    """Binary cross-entropy of the mixed, smoothed targets of all classes.

    The threshold is applied to these targets, so that it makes both labels 1 where their shares are above it.

    Args:
        settings: ``bce_target_threshold`` and ``label_smoothing`` are read.
    """

    of_guess = math.log(2)

    def __init__(self, settings: Settings) -> None:
        self._smoothing = settings['label_smoothing']
        self._loss = BinaryCrossEntropy(settings['bce_target_threshold'])
        self._loss.hybridize(static_alloc=True, static_shape=True)

    def __call__(self, logits: mx.nd.NDArray, labels: mx.nd.NDArray, mix: Mix) -> mx.nd.NDArray:
        """See :class:`Criterion`."""
        return self._loss(logits, mix.targets(labels, logits.shape[1], self._smoothing))


CRITERIA: Dict[str, Callable[[Settings], Criterion]] = {'cross_entropy': CrossEntropyCriterion, 'bce': BinaryCriterion}
"""Value of the setting ``loss`` -> its criterion, from the settings of a run."""

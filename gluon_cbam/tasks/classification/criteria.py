"""The losses of mixed images, by the names of the setting ``loss``."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Callable, Dict, Optional

import mxnet as mx
import numpy as np
from mxnet.gluon.loss import Loss

from gluon_cbam.tasks.protocols import Settings

from .loss import BinaryCrossEntropy, SmoothedCrossEntropy
from .mixup import Mix


class Criterion(ABC):
    """The loss of logits for images that are mixed.

    Attributes:
        of_guess: the loss of a guess.
        normalized: whether the losses are divided by the weights of the images and not by their number.

    Args:
        loss: the block that computes it.
        weights: of the classes, (K,); None for none.
    """

    of_guess: float
    normalized: bool = False

    def __init__(self, loss: Loss, weights: Optional[np.ndarray] = None) -> None:
        self._block, self._weights = loss, weights
        self._on_devices: Dict[mx.Context, mx.nd.NDArray] = {}
        loss.hybridize(static_alloc=True, static_shape=True)

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

    def weight_of(self, labels: mx.nd.NDArray, mix: Mix) -> mx.nd.NDArray:
        """The sum of the weights of mixed images, (1,), for a criterion with weights; see :meth:`__call__`."""
        return mix.loss(lambda weights, own: weights.take(own), self._weights_on(labels.context), labels).sum()

    def _loss(self, logits: mx.nd.NDArray, targets: mx.nd.NDArray) -> mx.nd.NDArray:
        if self._weights is None:
            return self._block(logits, targets)
        return self._block(logits, targets, self._weights_on(logits.context))

    def _weights_on(self, context: mx.Context) -> mx.nd.NDArray:
        if context not in self._on_devices:
            self._on_devices[context] = mx.nd.array(self._weights, ctx=context)
        return self._on_devices[context]


class CrossEntropyCriterion(Criterion):
    """Cross-entropy with label smoothing: of both labels, weighted by their shares.

    With weights of the classes, the mean over the images is divided by their weights, as
    ``torch.nn.CrossEntropyLoss(weight=...)`` does; a mixed image has the mixed weight of its labels.

    Args:
        settings: ``classes`` and ``label_smoothing`` are read.
        weights: see :class:`Criterion`.
    """

    def __init__(self, settings: Settings, weights: Optional[np.ndarray] = None) -> None:
        super().__init__(SmoothedCrossEntropy(settings['label_smoothing']), weights)
        self.of_guess = math.log(max(settings['classes'], 2))
        self.normalized = weights is not None

    def __call__(self, logits: mx.nd.NDArray, labels: mx.nd.NDArray, mix: Mix) -> mx.nd.NDArray:
        """See :class:`Criterion`."""
        return mix.loss(self._loss, logits, labels)


class BinaryCriterion(Criterion):
    """Binary cross-entropy of the mixed, smoothed targets of all classes.

    The threshold is applied to these targets, so that it makes both labels 1 where their shares are above it. The
    weight of a class multiplies its term, and the mean is over images and classes.

    Args:
        settings: ``bce_target_threshold`` and ``label_smoothing`` are read.
        weights: see :class:`Criterion`.
    """

    of_guess = math.log(2)

    def __init__(self, settings: Settings, weights: Optional[np.ndarray] = None) -> None:
        super().__init__(BinaryCrossEntropy(settings['bce_target_threshold']), weights)
        self._smoothing = settings['label_smoothing']

    def __call__(self, logits: mx.nd.NDArray, labels: mx.nd.NDArray, mix: Mix) -> mx.nd.NDArray:
        """See :class:`Criterion`."""
        return self._loss(logits, mix.targets(labels, logits.shape[1], self._smoothing))


CRITERIA: Dict[str, Callable[[Settings, Optional[np.ndarray]], Criterion]] = {
    'cross_entropy': CrossEntropyCriterion,
    'bce': BinaryCriterion,
}
"""Value of the setting ``loss`` -> its criterion, from the settings of a run and the weights of the classes."""

"""Mixing images within a batch: mixup (Zhang et al., ICLR 2018) and cutmix (Yun et al., ICCV 2019).

The partner of image i of n in a device's batch is image n - 1 - i, and all images of a batch have the same weight.
Random numbers depend on the seed and the step only, so that a resumed run draws the same.
"""

from __future__ import annotations

from typing import Callable, List, NamedTuple, Optional, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.common.image_size import ImageSize, height_width

_KEY = 0x6D6978  # keeps these draws apart from others of the same seed


class Mix(NamedTuple):
    """How a batch is mixed.

    Attributes:
        share: the weight of the image itself, in [0, 1]; the partner has the rest.
        box: the box of cutmix, (top, bottom, left, right) in pixels; None for mixup.
    """

    share: float = 1.0
    box: Optional[Tuple[int, int, int, int]] = None

    def images(self, x: mx.nd.NDArray) -> mx.nd.NDArray:
        """The mixed images of a device, (N, C, H, W) like ``x``, which is not changed."""
        if self.share == 1:
            return x
        if self.box is None:
            return self.share * x + (1 - self.share) * x.flip(axis=0)
        top, bottom, left, right = self.box
        mixed = x.copy()
        mixed[:, :, top:bottom, left:right] = x[:, :, top:bottom, left:right].flip(axis=0)
        return mixed

    def loss(self, loss: Callable[..., mx.nd.NDArray], outputs: mx.nd.NDArray, labels: mx.nd.NDArray) -> mx.nd.NDArray:
        """The losses for both labels, weighted by their shares, (N,)."""
        own = loss(outputs, labels)
        if self.share == 1:
            return own
        return self.share * own + (1 - self.share) * loss(outputs, labels.flip(axis=0))

    def targets(self, labels: mx.nd.NDArray, classes: int, smoothing: float = 0.0) -> mx.nd.NDArray:
        """The targets of all classes: both labels, smoothed, by their shares.

        Args:
            labels: (N,).
            classes: K.
            smoothing: the share of each label that is spread over all classes.

        Returns:
            (N, K), in [0, 1].
        """
        own = labels.one_hot(classes, on_value=1 - smoothing + smoothing / classes, off_value=smoothing / classes)
        return self.blended(own)

    def blended(self, targets: mx.nd.NDArray) -> mx.nd.NDArray:
        """The targets of all classes of mixed images, (N, K) like ``targets``."""
        return targets if self.share == 1 else self.share * targets + (1 - self.share) * targets.flip(axis=0)

    def labels(self, labels: mx.nd.NDArray) -> mx.nd.NDArray:
        """The label with the larger share of each image, (N,), for the training accuracy."""
        return labels if self.share >= 0.5 else labels.flip(axis=0)


class MixSampler:
    """Draws how each batch is mixed.

    Args:
        mixup: alpha of the Beta distribution of mixup's shares; 0 for no mixup.
        cutmix: alpha of the Beta distribution of cutmix's shares; 0 for no cutmix. With both above 0, a fair coin
            chooses for each batch.
        size: the size of the images.
        seed: the seed of the run.
        rank: the rank of the process: each draws its own.
    """

    def __init__(self, mixup: float, cutmix: float, size: ImageSize, seed: int, rank: int = 0) -> None:
        self._kinds = [(draw, alpha) for draw, alpha in ((_mixup, mixup), (_cutmix, cutmix)) if alpha > 0]
        self._shape, self._key = height_width(size), (_KEY, seed, rank)

    def __call__(self, step: int, batch: int = 0) -> Mix:
        """How a batch is mixed.

        Args:
            step: the step of the run, from 0.
            batch: the batch of the step, from 0.
        """
        if not self._kinds:
            return Mix()
        random = np.random.default_rng(np.random.SeedSequence([*self._key, step, batch]))
        draw, alpha = self._kinds[int(random.integers(len(self._kinds)))]
        return draw(random, float(random.beta(alpha, alpha)), self._shape)


def _mixup(random: np.random.Generator, share: float, shape: Tuple[int, int]) -> Mix:
    return Mix(share)


def _cutmix(random: np.random.Generator, share: float, shape: Tuple[int, int]) -> Mix:
    """A box with 1 - share of the area and the aspect ratio of the image around a uniform center.

    It is clipped to the image, which sets the final share.
    """
    edges: List[int] = []
    for length, middle in zip(shape, [int(random.integers(length)) for length in shape]):
        half = int(length * np.sqrt(1 - share)) // 2
        edges += [max(middle - half, 0), min(middle + half, length)]
    top, bottom, left, right = edges
    return Mix(1 - (bottom - top) * (right - left) / (shape[0] * shape[1]), (top, bottom, left, right))

"""Test-time augmentation: the mean of the probabilities over several views of each image."""

from __future__ import annotations

from typing import Callable, List, Sequence

import numpy as np

from gluon_cbam.tasks.protocols import Start


def mean_of_softmax(logits: np.ndarray) -> np.ndarray:
    """The logarithms of the mean probabilities of views, without an exponential that underflows to zero.

    Args:
        logits: (N, views, classes) float64.

    Returns:
        (N, classes), whose softmax is the mean over the views of softmax(logits).
    """
    peak = logits.max(axis=2, keepdims=True)
    logs = logits - peak - np.log(np.exp(logits - peak).sum(axis=2, keepdims=True))
    highest = logs.max(axis=1)
    return highest + np.log(np.exp(logs - highest[:, None]).mean(axis=1))


class ViewAverage:
    """Runs a network on all views of each image of a batch; a :class:`.protocols.Start`.

    The views of several images share a batch of the network, which has the same number of images as without views, and
    the probabilities are averaged, not the logits.

    Args:
        start: starts the network on ``batch_size`` images.
        views: number of views of an image.
        batch_size: images in a batch of the network.
        mean: from the logits of views, (N, views, classes) float64, to those of the mean probabilities, (N, classes).

    Attributes:
        images: number of images, each with all its views, that make a batch together, at least 1.
    """

    def __init__(
        self, start: Start, views: int, batch_size: int, mean: Callable[[np.ndarray], np.ndarray] = mean_of_softmax
    ) -> None:
        self._start, self._views, self._batch_size, self._mean_of = start, views, batch_size, mean
        self.images = max(1, batch_size // views)

    def __call__(self, images: np.ndarray) -> Callable[[], Sequence[np.ndarray]]:
        """Start the views of images.

        Args:
            images: (N, views, ...), prepared.

        Returns:
            A function that waits for the logits of the mean probabilities, (N, classes) float64, in a list.
        """
        rows = images.reshape(-1, *images.shape[2:])
        waits = [
            self._start(self._filled(rows[first : first + self._batch_size]))
            for first in range(0, len(rows), self._batch_size)
        ]

        def wait() -> List[np.ndarray]:
            logits = np.concatenate([each()[0] for each in waits])[: len(rows)]
            return [self._mean(logits.astype(np.float64))]

        return wait

    def _filled(self, rows: np.ndarray) -> np.ndarray:
        """Rows with zeros up to a whole batch, since the network was compiled for that size."""
        missing = np.zeros((self._batch_size - len(rows), *rows.shape[1:]), rows.dtype)
        return np.concatenate([rows, missing]) if len(missing) else rows

    def _mean(self, logits: np.ndarray) -> np.ndarray:
        logits = logits.reshape(-1, self._views, logits.shape[1])
        logits[~np.isfinite(logits).all(axis=(1, 2))] = np.nan  # one bad view is not hidden by the others
        return self._mean_of(logits)

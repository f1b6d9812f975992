"""What a step of augmentation is."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from gluon_cbam.data.loading.preprocessing import Preprocessing


class Step(Protocol):
    """A step of augmentation, a function or an object that can be called."""

    def __call__(self, pixels: np.ndarray, preprocessing: Preprocessing, rng: np.random.Generator, /) -> np.ndarray:
        """Augment an image.

        Args:
            pixels: (H, W, C) uint8, which are not changed.
            preprocessing: preprocessing of the validation images.
            rng: the random number generator; the same state gives the same image.

        Returns:
            An image of the same kind; ``pixels`` itself where nothing happens.
        """

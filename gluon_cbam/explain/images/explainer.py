"""What computes the maps of a batch of images, of a network in mxnet or of a session, such as an exported file."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Protocol, Sequence, Union

import numpy as np

from gluon_cbam.explain.maps.class_maps import ClassMaps, Targets
from gluon_cbam.explain.maps.perturbation import SAMPLES, PerturbedImage, class_maps_of

if TYPE_CHECKING:
    from gluon_cbam.explain.maps.attention import AttentionMaps
    from gluon_cbam.inference.network import LoadedNetwork
    from gluon_cbam.inference.session import Session

Explained = Union['LoadedNetwork', 'Session']
"""What has a name, classes and preprocessing, and is explained."""


class BatchMaps(Protocol):
    """The maps of a batch of images."""

    def gates(self) -> List[AttentionMaps]:
        """The gates of the attention modules; empty where they cannot be seen."""

    def class_maps(self, targets: Targets) -> ClassMaps:
        """The class activation maps for some classes; None for the predicted ones."""


class Explainer(Protocol):
    """Computes the maps of images."""

    @property
    def explained(self) -> Explained:
        """What is explained."""

    def batch(self, pixels: Sequence[np.ndarray]) -> BatchMaps:
        """The maps of a batch; pixels are (S, S, 3) uint8 RGB each, the network's input before normalization."""


class PerturbationExplainer:
    """Explains a session by a method that only runs it, so that an exported file is explained without mxnet.

    Args:
        session: the session.
        method: a key of :data:`gluon_cbam.explain.maps.perturbation.PERTURBATIONS`.
        samples: number of masks of RISE.
        batch_size: images that the session takes at once.
    """

    def __init__(self, session: Session, method: str, samples: int = SAMPLES, batch_size: int = 32) -> None:
        self.explained = session
        self._method, self._samples, self._batch_size = method, samples, batch_size

    def batch(self, pixels: Sequence[np.ndarray]) -> BatchMaps:
        """See :meth:`Explainer.batch`."""
        fill = np.clip(255 * np.asarray(self.explained.preprocessing.of_channels(3).mean), 0, 255).tolist()
        hide = (self._method, self._samples, self._batch_size, fill)
        return _PerturbedBatch([PerturbedImage(self.explained.logits, each, *hide) for each in pixels])


class _PerturbedBatch:
    def __init__(self, images: List[PerturbedImage]) -> None:
        self._images = images

    def gates(self) -> List[AttentionMaps]:
        return []

    def class_maps(self, targets: Targets) -> ClassMaps:
        return class_maps_of(self._images, targets)

"""The explanation of an image."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np

from gluon_cbam.explain.maps.grid import Grid
from gluon_cbam.tasks.classification.prediction import ClassScore
from gluon_cbam.tasks.prediction import ImageReference


class ClassActivation(NamedTuple):
    """The class activation map (Grad-CAM) of one image for one class, or for its similarity to another image.

    Attributes:
        heat: (H, W) float32 in 0..1.
        class_index: the index of the class; None for a similarity.
        label: its name, or the similarity and the other image.
        probability: softmax of the logits, in 0..1; None for embeddings.
        predicted: whether it is the predicted class.
        layer: path of the block whose output was weighted.
        grid: positions of the map's cells on the image; None where they are not known.
    """

    heat: np.ndarray
    class_index: Optional[int]
    label: str
    probability: Optional[float]
    predicted: bool
    layer: str
    grid: Optional[Grid]


class AttentionGates(NamedTuple):
    """The gates of an attention module for one image, see :class:`gluon_cbam.explain.AttentionMaps`.

    Attributes:
        path: the path of the module in the network.
        channel: (C,) float, or None.
        spatial: (H, W) float, or None.
        grid: positions of the spatial gate's cells on the image; None where they are not known.
    """

    path: str
    channel: Optional[np.ndarray]
    spatial: Optional[np.ndarray]
    grid: Optional[Grid]


class Explanation(NamedTuple):
    """The explanation of a network's prediction for one image.

    Attributes:
        file: path of the image.
        number: index of the record or of the video's frame in it; None for a file of one image.
        true_class: the index of its true class, if it is known.
        pixels: (S, S, 3) uint8 RGB: the network's input before normalization.
        top: the most probable classes, best first; empty for embeddings.
        activations: class activation maps of the predicted class, and of the requested or true one if it differs.
        gates: the gates of the selected attention modules.
    """

    file: str
    number: Optional[int]
    true_class: Optional[int]
    pixels: np.ndarray
    top: List[ClassScore]
    activations: List[ClassActivation]
    gates: List[AttentionGates]

    @property
    def image(self) -> ImageReference:
        """The image of the source, without its size."""
        return ImageReference(self.file, self.number)


class UnreadableImage(NamedTuple):
    """An image that could not be read.

    Attributes:
        file: path of the image.
        error: the reason, in one line.
        number: index of the record or of the video's frame; None for a file of one image.
    """

    file: str
    error: str
    number: Optional[int] = None

    @property
    def image(self) -> ImageReference:
        """The image of the source, without its size."""
        return ImageReference(self.file, self.number)

    def as_dict(self) -> Dict[str, Any]:
        """The image for ``--json``: ``file``, ``number`` if there is one, and ``error``."""
        return {**self.image.as_dict(), 'error': self.error}

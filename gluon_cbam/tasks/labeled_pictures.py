"""Rows of training batches as pictures with their labels, to look at: ``cbam train --show-batch``."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, NamedTuple, Optional, Sequence

if TYPE_CHECKING:
    import numpy as np


class LabeledPicture(NamedTuple):
    """An image of a training batch.

    Attributes:
        pixels: (H, W, C) uint8, RGB or gray; labels of parts of it are drawn.
        text: its label.
    """

    pixels: np.ndarray
    text: str


def with_label(images: np.ndarray, labels: np.ndarray, names: Optional[Sequence[str]]) -> List[LabeledPicture]:
    """Images with the names of their classes.

    Args:
        images: (N, H, W, C) uint8.
        labels: (N,) classes, or (N, K) of which those of an image are above 0.
        names: names of the classes, or None.

    Returns:
        The pictures; their text has numbers where there are no names.
    """
    of_images = labels.reshape(-1, 1) if labels.ndim == 1 else [row.nonzero()[0] for row in labels > 0]
    return [
        LabeledPicture(pixels, ', '.join(class_text(int(label), names) for label in own))
        for pixels, own in zip(images, of_images)
    ]


def class_text(label: int, names: Optional[Sequence[str]]) -> str:
    """The name of a class, or its number."""
    return names[label] if names and 0 <= label < len(names) else str(label)

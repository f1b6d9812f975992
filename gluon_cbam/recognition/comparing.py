"""Comparison of two faces: their similarity, and a decision where a threshold is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.sources.images import ImageSource
from gluon_cbam.tasks.faces.metrics.embeddings import cosine_of_distance, normalize, squared_distances

from .encoder import Encoded, Encoder

_THRESHOLD = 'threshold'


@dataclass(frozen=True)
class Threshold:
    """A threshold of similarity, and where it is from.

    Attributes:
        similarity: the cosine similarity above which two images count as one person.
        source: what it is from, for people.
    """

    similarity: float
    source: str


@dataclass(frozen=True)
class FaceComparison:
    """Two images compared.

    Attributes:
        images: the names of the images.
        similarity: cosine similarity of their embeddings.
        distance: squared Euclidean distance of the embeddings, normalized: ``2 - 2 similarity``.
        norms: norms of the embeddings before normalization, a hint at the quality of the images.
        threshold: the threshold; None where none is known.
        resized: name, height and width of the images of another size than the network's input.
    """

    images: Sequence[str]
    similarity: float
    distance: float
    norms: Sequence[float]
    threshold: Optional[Threshold]
    resized: Sequence[Tuple[Any, ...]] = ()

    @property
    def same(self) -> Optional[bool]:
        """Whether they count as one person; None without a threshold."""
        return None if self.threshold is None else self.similarity > self.threshold.similarity

    def as_dict(self) -> Dict[str, Any]:
        """The values for ``--json``."""
        limit = None if self.threshold is None else self.threshold.similarity
        source = None if self.threshold is None else self.threshold.source
        return {
            'images': list(self.images), 'similarity': self.similarity, 'distance': self.distance,
            'norms': list(self.norms), 'threshold': limit, 'threshold_from': source, 'same': self.same,
        }  # fmt: skip


def threshold_of_figures(figures: Mapping[str, float], card: str) -> Optional[Threshold]:
    """The threshold that a card states: the mean of its figures ``threshold`` or ``SET_threshold``.

    Args:
        figures: the figures of the card; thresholds are squared Euclidean distances.
        card: what the card is of, for people.
    """
    stated = {name: value for name, value in figures.items() if name.rpartition('_')[2] == _THRESHOLD}
    if not stated:
        return None
    return Threshold(
        float(cosine_of_distance(np.array(list(stated.values()))).mean()), f'{", ".join(stated)} of {card}'
    )


def encode_all(encoder: Encoder, images: Sequence[ImageSource]) -> List[Encoded]:
    """The embeddings of a few images, all of which must be readable.

    Raises:
        DataError: an image cannot be read; the message names it.
    """
    found = list(encoder.encode(images))
    for each in found:
        if each.error is not None:
            raise DataError(f'{each.image.name}: {each.error}')
    return found


def compare_images(
    encoder: Encoder, first: ImageSource, second: ImageSource, threshold: Optional[Threshold] = None
) -> FaceComparison:
    """Compare two images.

    Args:
        encoder: the network.
        first: an image.
        second: another one.
        threshold: the threshold of the decision; default no decision.

    Returns:
        The comparison.

    Raises:
        DataError: an image cannot be read, or its embedding has norm zero.

    Example:
        >>> compare_images(encoder, image_file('a.jpg'), image_file('b.jpg'), Threshold(0.3, 'mine')).same
        True
    """
    found = encode_all(encoder, [first, second])
    names = [each.image.name for each in found]
    embeddings = np.stack([np.asarray(each.embedding) for each in found])
    units = normalize(embeddings, lambda number: names[number])
    distance = float(squared_distances(units[:1], units[1:])[0])
    norms = np.linalg.norm(embeddings, axis=1).tolist()
    size = encoder.session.preprocessing.image_size
    resized = [other for each in found for other in each.resized_from(size)]
    return FaceComparison(names, float(units[0] @ units[1]), distance, norms, threshold, resized)

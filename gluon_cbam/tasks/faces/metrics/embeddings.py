"""Embeddings: L2 normalization, the flip test and distances of pairs."""

from __future__ import annotations

from typing import Callable

import numpy as np

from gluon_cbam.common.errors import DataError

_BLOCK = 1 << 16  # pairs whose differences are held at once


def _numbered(number: int) -> str:
    return f'image {number}'


def norms(embeddings: np.ndarray, name: Callable[[int], str] = _numbered) -> np.ndarray:
    """The L2 norms of embeddings, which have a direction only if the norm is finite and not zero.

    Args:
        embeddings: (N, D), any float type.
        name: from the number of an image to what messages call it.

    Returns:
        (N,) float64.

    Raises:
        DataError: an embedding is not finite, or its norm is zero; the message names the image.
    """
    lengths = np.sqrt(np.einsum('nd,nd->n', embeddings, embeddings, dtype=np.float64))
    bad = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if bad.size:
        number = int(bad[0])
        what = 'has norm zero' if lengths[number] == 0 else 'is not finite'
        raise DataError(f'the embedding of {name(number)} {what}: the weights or the preprocessing are wrong')
    return lengths


def normalize(embeddings: np.ndarray, name: Callable[[int], str] = _numbered) -> np.ndarray:
    """Divide every embedding by its L2 norm.

    Args:
        embeddings: (N, D), any float type.
        name: from the number of an image to what messages call it.

    Returns:
        (N, D) float64 of norm 1.

    Raises:
        DataError: an embedding is not finite, or its norm is zero.

    Example:
        >>> normalize(np.array([[3.0, 4.0]]))
        array([[0.6, 0.8]])
    """
    return embeddings / norms(embeddings, name)[:, None]


def flip_embedding(embeddings: np.ndarray, mirrored: np.ndarray, name: Callable[[int], str] = _numbered) -> np.ndarray:
    """The flip test: the embeddings of images and of their mirror images, summed, then normalized.

    Source: ``test`` of insightface's ``recognition/ArcFace/verification.py``.

    Args:
        embeddings: (N, D) for the images, not normalized.
        mirrored: (N, D) for the mirror images.
        name: from the number of an image to what messages call it.

    Returns:
        (N, D) float64 of norm 1.

    Raises:
        DataError: a sum is not finite, or its norm is zero.
    """
    return normalize(np.add(embeddings, mirrored, dtype=np.float64), name)


def squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances of the rows of two arrays.

    For embeddings of norm 1 it is ``2 - 2 cos`` of the angle between them, 0 to 4.

    Args:
        first: (P, D).
        second: (P, D).

    Returns:
        (P,) float64.
    """
    difference = np.subtract(first, second, dtype=np.float64)
    return np.einsum('pd,pd->p', difference, difference)


def pair_distances(embeddings: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances of pairs of rows, in blocks: a set may have many more pairs than images.

    Args:
        embeddings: (N, D).
        pairs: (P, 2), the numbers of the rows, P > 0.

    Returns:
        (P,) float64.
    """
    blocks = (pairs[start : start + _BLOCK] for start in range(0, len(pairs), _BLOCK))
    return np.concatenate([squared_distances(embeddings[block[:, 0]], embeddings[block[:, 1]]) for block in blocks])


def cosine_of_distance(squared_distance: np.ndarray) -> np.ndarray:
    """The cosine similarity of embeddings of norm 1 with a squared Euclidean distance: ``1 - distance / 2``."""
    return 1 - np.asarray(squared_distance, np.float64) / 2

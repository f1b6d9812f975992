"""Grad-CAM of the similarity of two images: which parts of each speak for one person."""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import DataError, UsageError

from .grad_cam import weighted_maps
from .graph import Images, prepare_images
from .grid import Grid


class PairMaps(NamedTuple):
    """Maps of pairs of images.

    Attributes:
        first: (N, H, W) float32 in 0..1 on the first images, see :class:`.class_maps.ClassMaps`.
        second: (N, H, W) on the second images.
        similarity: (N,) float64, the cosine similarities of the embeddings.
        layer: path of the block whose output was weighted.
        grid: positions of the maps' cells on the images.
    """

    first: np.ndarray
    second: np.ndarray
    similarity: np.ndarray
    layer: str
    grid: Optional[Grid]


def cosine_gradient(embeddings: np.ndarray, others: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Cosine similarities of rows, and their gradients by the first rows a: ``(v - cos u) / |a|``, u and v of norm 1.

    Args:
        embeddings: (N, D), a.
        others: (N, D), b.

    Returns:
        (N,) similarities and (N, D) gradients, float64.

    Raises:
        DataError: an embedding has norm zero or is not finite.
    """
    lengths = [np.linalg.norm(each.astype(np.float64), axis=1, keepdims=True) for each in (embeddings, others)]
    if not all((np.isfinite(each) & (each > 0)).all() for each in lengths):
        raise DataError('an embedding of the pair has norm zero or is not finite: its similarity is not defined')
    units, other_units = embeddings / lengths[0], others / lengths[1]
    cosines = (units * other_units).sum(axis=1, keepdims=True)
    return cosines[:, 0], (other_units - cosines * units) / lengths[0]


def pair_grad_cam(
    net: mx.gluon.HybridBlock, first: Images, second: Images, layer: Optional[str] = None, method: str = 'gradcam'
) -> PairMaps:
    """Compute Grad-CAM of the cosine similarity of the embeddings of two images, on both of them.

    On each image, the embedding of the other one counts as constant.

    Args:
        net: a network whose output is embeddings (N, D); see :func:`.grad_cam.grad_cam`.
        first: (N, C, H, W), preprocessed.
        second: (N, C, H, W), preprocessed.
        layer: see :func:`.grad_cam.grad_cam`.
        method: a key of :data:`.grad_cam.METHODS`.

    Returns:
        The maps and similarities.

    Raises:
        UsageError: there are not as many second images as first ones; or see :func:`.grad_cam.weighted_maps`.
        DataError: an embedding has norm zero or is not finite.

    Example:
        >>> maps = gluon_cbam.explain.pair_grad_cam(net, alice, bob)
        >>> maps.similarity, maps.first.shape
        (array([0.31]), (1, 7, 7))
    """
    first, second = prepare_images(net, first), prepare_images(net, second)
    if first.shape != second.shape:
        raise UsageError(f'the images of a pair must have one shape, got {first.shape} and {second.shape}')
    count, similarities = len(first), np.empty(0)

    def of_similarity(embeddings: np.ndarray) -> np.ndarray:
        nonlocal similarities
        cosines, gradient = cosine_gradient(embeddings, np.roll(embeddings, count, axis=0))
        similarities = cosines[:count]
        return gradient

    found = weighted_maps(net, mx.nd.concat(first, second, dim=0), of_similarity, layer, method)
    return PairMaps(found.maps[:count], found.maps[count:], similarities, found.layer, found.grid)

"""Search for the nearest embeddings of a file, by FAISS where it is installed, else by numpy; both are exact."""

from __future__ import annotations

from typing import Tuple

import numpy as np

from gluon_cbam.common.packages import import_optional, is_installed
from gluon_cbam.tasks.faces.metrics.embeddings import normalize

from .embedding_files import EmbeddingFile

ENGINES = ('auto', 'faiss', 'numpy')


def search(
    file: EmbeddingFile, queries: np.ndarray, top: int, engine: str = 'auto'
) -> Tuple[np.ndarray, np.ndarray, str]:
    """Find the nearest embeddings of each query, by cosine similarity.

    Args:
        file: the embeddings, which are read in blocks.
        queries: (Q, D), of any norm but zero.
        top: number of results of each query; fewer where the file has fewer.
        engine: one of :data:`ENGINES`; ``auto`` is FAISS where it is installed.

    Returns:
        (Q, top) int64 rows of the file, the nearest first, their (Q, top) float32 similarities, and the engine.

    Raises:
        DataError: an embedding is not finite, or its norm is zero.
        DependencyError: FAISS was asked for and is not installed.

    Example:
        >>> rows, similarities, _ = search(read_embeddings('faces.npz'), embeddings, top=5)
    """
    top = min(top, len(file))
    units = normalize(queries, lambda number: f'query {number}').astype(np.float32)
    if engine == 'auto':
        engine = 'faiss' if is_installed('faiss') else 'numpy'
    run = _by_faiss if engine == 'faiss' else _by_numpy
    rows, similarities = run(file, units, top)
    return rows, similarities, engine


def _by_numpy(file: EmbeddingFile, queries: np.ndarray, top: int) -> Tuple[np.ndarray, np.ndarray]:
    rows = np.empty((len(queries), 0), np.int64)
    best = np.empty((len(queries), 0), np.float32)
    for start, block in file.blocks():
        scores = queries @ block.T
        own = np.broadcast_to(np.arange(start, start + len(block)), scores.shape)
        if scores.shape[1] > top:
            chosen = np.argpartition(-scores, top - 1, axis=1)[:, :top]
            scores, own = np.take_along_axis(scores, chosen, axis=1), np.take_along_axis(own, chosen, axis=1)
        best, rows = np.concatenate([best, scores], axis=1), np.concatenate([rows, own], axis=1)
        order = np.lexsort((rows, -best), axis=1)[:, :top]
        best, rows = np.take_along_axis(best, order, axis=1), np.take_along_axis(rows, order, axis=1)
    return rows, best


def _by_faiss(file: EmbeddingFile, queries: np.ndarray, top: int) -> Tuple[np.ndarray, np.ndarray]:
    faiss = import_optional('faiss')
    index = faiss.IndexFlatIP(queries.shape[1])
    for _, block in file.blocks():
        index.add(np.ascontiguousarray(block))
    similarities, rows = index.search(np.ascontiguousarray(queries), top)
    return rows, similarities

"""Images of a file of embeddings by the names that a list gives them."""

from __future__ import annotations

import os
from typing import Dict, List, Sequence

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.quoting import shown_name

from .embedding_files import EmbeddingFile

_SEVERAL = -1


def find_images(file: EmbeddingFile, names: Sequence[str], where: str) -> np.ndarray:
    """Find images by the ends of their paths, with or without the ending: ``Ann/Ann_0001`` is ``lfw/Ann/Ann_0001.jpg``.

    Args:
        file: the embeddings.
        names: names such as ``alice/1.jpg``, ``train.rec#17`` or, for files without names, ``row#17``.
        where: the list that has the names, for messages.

    Returns:
        (N,) int64, the row of each name.

    Raises:
        DataError: there is no image of a name, or several.
    """
    tables: Dict[int, Dict[str, int]] = {}
    rows: List[int] = []
    for name in names:
        depth = name.count('/')
        if depth not in tables:
            tables[depth] = _by_end(file, depth)
        row = tables[depth].get(name)
        if row is None or row == _SEVERAL:
            found = 'no image' if row is None else 'several images'
            raise DataError(f'{where} names {shown_name(name)}, but {file.path} has {found} of this name')
        rows.append(row)
    return np.array(rows, np.int64)


def _by_end(file: EmbeddingFile, depth: int) -> Dict[str, int]:
    """The row of each end of a path that has ``depth`` slashes; whole paths have precedence."""
    table: Dict[str, int] = {}
    for row, image in enumerate(file.images):
        end = '/'.join(image.name.split('/')[-depth - 1 :])
        for key in {end, os.path.splitext(end)[0]}:
            table[key] = row if key not in table else _SEVERAL
    for row, image in enumerate(file.images):
        if image.name.count('/') == depth:
            table[image.name] = row
    return table

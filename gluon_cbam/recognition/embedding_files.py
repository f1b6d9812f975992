"""Files of embeddings: their contents, checked, with the names and labels of the images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.tasks.faces.metrics.embeddings import normalize
from gluon_cbam.tasks.prediction import ImageReference

from .embedding_formats import READERS, ending_of
from .image_paths import ImagePaths

FOLDER = 'folder'
"""The key of ``about`` with the folder that relative names of images are in."""
BLOCK = 1 << 14
"""Embeddings of a file that are normalized at once."""
_FLOATS = ('float16', 'float32', 'float64')


@dataclass(frozen=True, eq=False)
class EmbeddingFile:
    """The contents of a file of embeddings.

    Attributes:
        path: path of the file.
        embeddings: (N, D) float32; of ``.npy`` files mapped, not read.
        images: the images; of a file without names, its rows by number.
        labels: (N,) text, the persons; empty where nothing is known.
        norms: (N,) float32, the norms before normalization; None where the file has none.
        about: what made the embeddings; empty where nothing is known.
    """

    path: Path
    embeddings: np.ndarray
    images: List[ImageReference]
    labels: np.ndarray
    norms: Optional[np.ndarray]
    about: Dict[str, Any]

    def __len__(self) -> int:
        return len(self.embeddings)

    def name(self, number: int) -> str:
        """What messages call an image."""
        return f'{self.images[number].name} in {self.path}'

    @property
    def folder(self) -> Path:
        """The folder that relative names of images are in: where they were embedded, else the working directory."""
        folder = self.about.get(FOLDER)
        return Path(folder) if isinstance(folder, str) else Path()

    def resolved_names(self, rows: Iterable[int]) -> List[str]:
        """Names of images by their resolved paths; of a file without names, by its own and the row.

        Args:
            rows: their rows.
        """
        paths = ImagePaths(self.folder)
        images = (self.images[row] if self.norms is not None else ImageReference(str(self.path), row) for row in rows)
        return [paths(image) for image in images]

    def normalized(self) -> np.ndarray:
        """(N, D) float32 of norm 1, divided in double precision block by block.

        Raises:
            DataError: an embedding is not finite, or its norm is zero; the message names the image.
        """
        units = np.empty(self.embeddings.shape, np.float32)
        for start, block in self.blocks():
            units[start : start + len(block)] = block
        return units

    def blocks(self) -> Iterator[Tuple[int, np.ndarray]]:
        """Yield the first row and the embeddings of norm 1, (n, D) float32, of each block of the file.

        Raises:
            DataError: see :meth:`normalized`.
        """
        for start in range(0, len(self), BLOCK):
            block = self.embeddings[start : start + BLOCK]
            yield start, normalize(block, partial(self._name_from, start)).astype(np.float32)

    def _name_from(self, start: int, number: int) -> str:
        return self.name(start + number)


def read_embeddings(path: PathLike) -> EmbeddingFile:
    """Read a file that ``cbam faces embed`` wrote, or a plain array of another program.

    Args:
        path: ``.npy``, ``.npz`` or ``.csv``.

    Returns:
        Its contents.

    Raises:
        UsageError: there is no such file, or it has another ending.
        DataError: it is damaged, its parts do not fit, or it has no embeddings.

    Example:
        >>> faces = read_embeddings('faces.npz')
        >>> faces.images[0].name, faces.labels[0], faces.embeddings.shape
        ('faces/alice/1.jpg', 'alice', (2000, 512))
    """
    path, ending = Path(path), ending_of(path)
    if not path.is_file():
        raise UsageError(f'no file of embeddings {str(path)!r}')
    found = EmbeddingFile(path, *READERS[ending](path))
    embeddings = found.embeddings
    if embeddings.ndim != 2 or embeddings.dtype.name not in _FLOATS or not embeddings.size:
        raise DataError(f'{path}: no embeddings (N, D), but {embeddings.dtype} of shape {embeddings.shape}')
    if len(found.images) != len(embeddings):
        raise DataError(f'{path}: {len(embeddings)} embeddings, but {len(found.images)} names')
    _check_column(found.labels, len(embeddings), 'labels', path)
    if found.norms is not None:
        _check_column(found.norms, len(embeddings), 'norms', path)
        if found.norms.dtype.name not in _FLOATS or not np.isfinite(found.norms).all():
            raise DataError(f'{path}: norms of {found.norms.dtype} that are not finite numbers: embed the images again')
    return found


def _check_column(values: np.ndarray, count: int, what: str, path: Path) -> None:
    if values.shape != (count,):
        raise DataError(f'{path}: {count} embeddings, but {what} of shape {values.shape}')

"""The parts of an embedding run, in a folder beside its output, until the output is written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

import numpy as np

from gluon_cbam.common import numpy_file
from gluon_cbam.common.damage import Damaged, reading
from gluon_cbam.common.documents import read_json
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import atomic_path, remove_temporaries, write_json
from gluon_cbam.common.quoting import shown
from gluon_cbam.data.sources.images import ImageSource

from .embedding_writing import EmbeddingRows, EmbeddingTable

_MANIFEST = 'run.json'


@dataclass
class PartSummary:
    """What is known of the images of a part, or of several.

    Attributes:
        images: number of images, also of those that could not be read.
        readable: number of embeddings.
        dimension: numbers of an embedding; 0 where no image could be read.
        norms: sum of the norms.
        errors: (name, reason) of the images that could not be read.
        resized: number of images of another size than the network's input.
        first_resized: the first of them: its name, height and width.
    """

    images: int = 0
    readable: int = 0
    dimension: int = 0
    norms: float = 0.0
    errors: List[Tuple[str, str]] = field(default_factory=list)
    resized: int = 0
    first_resized: Optional[Tuple[Any, ...]] = None

    def add(self, other: PartSummary) -> None:
        """Add the images of another part."""
        self.images += other.images
        self.readable += other.readable
        self.dimension = self.dimension or other.dimension
        self.norms += other.norms
        self.errors += other.errors
        self.resized += other.resized
        self.first_resized = self.first_resized or other.first_resized


class ImageDigest:
    """A hash of images by their paths, numbers, sizes and times of change, without reading them."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._file, self._state = '', ''

    def add(self, file: str, number: Optional[int]) -> None:
        """Add an image: its file, and the number of its record or frame."""
        if file != self._file:
            self._file, self._state = file, _state(file)
        self._hash.update(f'{file}\0{number}\0{self._state}\n'.encode('utf-8', 'surrogateescape'))

    def text(self) -> str:
        """The hash, in hexadecimal."""
        return self._hash.hexdigest()


def _state(file: str) -> str:
    try:
        found = os.stat(file)
    except (OSError, ValueError):  # a camera, standard input, or a path that no file can have
        return ''
    return f'{found.st_size} {found.st_mtime_ns}'


class PartFolder:
    """The folder of the parts. An existing one is continued if it is of the same run.

    Args:
        folder: its path.
        key: what all parts have in common: network, preprocessing, batches.
        overwrite: whether parts of another run are removed.

    Attributes:
        summary: what is known of all parts so far.

    Raises:
        UsageError: the folder holds parts of another run.
    """

    def __init__(self, folder: Path, key: Dict[str, Any], overwrite: bool = False) -> None:
        self._folder = folder
        self._paths: List[Path] = []
        self.summary = PartSummary()
        manifest = folder / _MANIFEST
        known = read_json(manifest) if manifest.is_file() else None
        if known is not None and known != json.loads(json.dumps(key)):
            if not overwrite:
                raise UsageError(f'{folder} has parts of another run ({_difference(known, key)}): --force removes them')
            self.remove()
        folder.mkdir(exist_ok=True)
        remove_temporaries(folder)
        write_json(manifest, key)

    def skip_done(self, images: Iterator[ImageSource]) -> int:
        """Pass over the images of the parts that are done.

        Args:
            images: all images, from the first.

        Returns:
            The number of images that were passed over.

        Raises:
            UsageError: they are not the images of the parts.
        """
        while True:
            path = self._path()
            if not path.is_file():
                return self.summary.images
            _, summary, digest = _read(path)
            found = ImageDigest()
            for _, image in zip(range(summary.images), images):
                found.add(image.file, image.number)
            if found.text() != digest:
                first, last = self.summary.images, self.summary.images + summary.images - 1
                raise UsageError(
                    f'images {first} to {last} are not those of the run that {self._folder} is of, or changed since: '
                    'remove that folder to begin again'
                )
            self._done(path, summary)

    def add(self, rows: EmbeddingRows, summary: PartSummary, digest: str) -> None:
        """Write a part.

        Args:
            rows: the embeddings.
            summary: what is known of its images.
            digest: the hash of its images, see :class:`ImageDigest`.
        """
        about = json.dumps({'images': list(rows.images), 'summary': asdict(summary), 'digest': digest})
        path = self._path()
        with atomic_path(path) as temporary, open(temporary, 'wb') as file:
            text = np.frombuffer(about.encode('ascii'), np.uint8)
            np.savez(file, embeddings=rows.embeddings, norms=rows.norms, about=text)
        self._done(path, summary)

    def table(self, about: Dict[str, Any]) -> EmbeddingTable:
        """All embeddings, read part by part.

        Raises:
            DataError: no image could be read.
        """
        if not self.summary.readable:
            raise DataError(f'none of {self.summary.images} images could be read')
        return EmbeddingTable(self.summary.readable, self.summary.dimension, self._rows, about)

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(str(self._folder))

    def _rows(self) -> Iterable[EmbeddingRows]:
        return (rows for rows, _, _ in map(_read, self._paths) if len(rows.images))

    def _path(self) -> Path:
        return self._folder / f'{self.summary.images:012d}.npz'

    def _done(self, path: Path, summary: PartSummary) -> None:
        self._paths.append(path)
        self.summary.add(summary)


def _difference(known: Any, key: Dict[str, Any]) -> str:
    """The first value that differs."""
    values = known if isinstance(known, dict) else {}
    name = next((name for name in key if values.get(name) != key[name]), 'version')
    return f'{name} {shown(values.get(name))} instead of {shown(key.get(name))}'


def _read(path: Path) -> Tuple[EmbeddingRows, PartSummary, str]:
    arrays = numpy_file.read(path)
    with reading(path, 'not a part of an embedding run'):
        about = json.loads(arrays['about'].tobytes().decode('ascii'))
        rows = EmbeddingRows(arrays['embeddings'], arrays['norms'], [tuple(image) for image in about['images']])
        summary = PartSummary(**about['summary'])
        if not len(rows.embeddings) == len(rows.norms) == len(rows.images) == summary.readable or summary.images < 1:
            raise Damaged('its numbers of images do not fit')
        return rows, summary, about['digest']

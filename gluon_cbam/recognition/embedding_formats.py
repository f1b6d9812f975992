"""Files of embeddings: ``.npy``, ``.npz`` and ``.csv``, with the names and labels of the images.

* ``.npz`` has the arrays ``embeddings`` (N, D) float32, ``files`` and ``labels`` (N,) text, ``numbers`` (N,) int64 of
  records and frames, -1 for files of one image, ``norms`` (N,) float32, and ``about``, JSON that says what made them.
* ``.npy`` has the embeddings alone, which other programs map into memory; ``NAME.names.csv`` beside it has a row for
  each image, and ``NAME.about.json`` says what made them.
* ``.csv`` has a row for each image: ``file,number,label,norm`` and the embedding; ``NAME.about.json`` is beside it.

The norm is that of the embedding before its normalization. Numbers in CSV files are the shortest that give the same
float32.
"""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, TextIO

import numpy as np

from gluon_cbam.common import numpy_file
from gluon_cbam.common.damage import Damaged, reading
from gluon_cbam.common.documents import parse_json, read_json
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.printable import spreadsheet_cell
from gluon_cbam.common.quoting import shown
from gluon_cbam.tasks.prediction import ImageReference

COLUMNS = ('file', 'number', 'label', 'norm')
"""The columns of an image in CSV files, before those of its embedding."""


class Contents(NamedTuple):
    """What a file holds; see :class:`.embedding_files.EmbeddingFile`, which checks it.

    Attributes:
        embeddings: (N, D); of ``.npy`` files mapped, not read.
        images: the images; of a file without names, its rows by number.
        labels: (N,) text.
        norms: (N,), or None.
        about: what made the embeddings.
    """

    embeddings: np.ndarray
    images: List[ImageReference]
    labels: np.ndarray
    norms: Optional[np.ndarray]
    about: Dict[str, Any]


def names_path(path: PathLike) -> Path:
    """The file of names beside a ``.npy`` file."""
    return Path(path).with_suffix('.names.csv')


def about_path(path: PathLike) -> Path:
    """The file that says what made a ``.npy`` or ``.csv`` file."""
    return Path(path).with_suffix('.about.json')


def written_files(path: PathLike) -> List[Path]:
    """All files of embeddings that are written as ``path``, the one that describes the others last.

    Raises:
        UsageError: the ending is none of :data:`READERS`.
    """
    path = Path(path)
    return {
        '.npz': [path],
        '.npy': [path, names_path(path), about_path(path)],
        '.csv': [path, about_path(path)],
    }[ending_of(path)]


def ending_of(path: PathLike) -> str:
    """The ending of a file of embeddings, which says its format.

    Raises:
        UsageError: it is none of :data:`READERS`.
    """
    ending = Path(path).suffix.lower()
    if ending not in READERS:
        raise UsageError(f'files of embeddings end in {", ".join(READERS)}, got {str(path)!r}')
    return ending


def is_embedding_file(path: PathLike) -> bool:
    """Whether a path has the ending of a file of embeddings."""
    return Path(path).suffix.lower() in READERS


def _rows(count: int) -> List[ImageReference]:
    return [ImageReference('row', number) for number in range(count)]


def _images(files: np.ndarray, numbers: np.ndarray) -> List[ImageReference]:
    return [ImageReference(file, number if number >= 0 else None) for file, number in zip(files, numbers.tolist())]


def _read_npz(path: Path) -> Contents:
    arrays = numpy_file.read(path)
    if 'embeddings' not in arrays:
        raise DataError(f'{path}: has no array embeddings, but {shown(sorted(arrays))}')
    embeddings = arrays['embeddings']
    count = len(embeddings) if embeddings.ndim else 0
    if 'files' not in arrays:
        return Contents(embeddings, _rows(count), np.full(count, ''), None, {})
    with reading(path, 'not a file of embeddings'):
        missing = [name for name in ('numbers', 'labels', 'norms', 'about') if name not in arrays]
        if missing:
            raise Damaged(f'the array {missing[0]} is missing')
        for name, kinds in (('files', 'US'), ('numbers', 'iu')):
            if arrays[name].dtype.kind not in kinds or arrays[name].shape != (count,):
                raise Damaged(f'{name} is {arrays[name].dtype} of shape {arrays[name].shape} for {count} embeddings')
        images = _images(arrays['files'].astype(str), arrays['numbers'].astype(np.int64))
        about = _mapping(parse_json(str(arrays['about']), str(path)), path)
    return Contents(embeddings, images, arrays['labels'].astype(str), arrays['norms'], about)


def _read_npy(path: Path) -> Contents:
    with reading(path, 'not a .npy file of numbers'):
        embeddings = np.load(str(path), mmap_mode='r', allow_pickle=False)
    count = len(embeddings) if embeddings.ndim else 0
    if not names_path(path).is_file():
        return Contents(embeddings, _rows(count), np.full(count, ''), None, _about(path))
    rows = list(_csv_rows(names_path(path), 0))
    images = [ImageReference(*row[:2]) for row in rows]
    labels, norms = np.array([row[2] for row in rows]), np.array([row[3] for row in rows], np.float32)
    return Contents(embeddings, images, labels, norms, _about(path))


def _read_csv(path: Path) -> Contents:
    rows = _csv_rows(path, None)
    images, labels, norms, values = [], [], [], []
    for file, number, label, norm, embedding in rows:
        images.append(ImageReference(file, number))
        labels.append(label)
        norms.append(norm)
        values.append(embedding)
    embeddings = np.stack(values) if values else np.empty((0, 0), np.float32)
    return Contents(embeddings, images, np.array(labels), np.array(norms, np.float32), _about(path))


def _csv_rows(path: Path, dimension: Optional[int]) -> Iterator[Any]:
    """Yield (file, number, label, norm, embedding) of each row; ``dimension``: of the embeddings, None for any."""
    with open(path, encoding='utf-8', errors='surrogateescape', newline='') as file:
        rows = _reader(file, path)
        header = next(rows, [])
        width = len(header) - len(COLUMNS)
        if tuple(header[: len(COLUMNS)]) != COLUMNS or dimension not in (None, width):
            raise DataError(f'{path}: its first line is not {",".join(COLUMNS)} and the columns of the embedding')
        for line, row in enumerate(rows, 2):
            try:
                if len(row) != len(header):
                    raise ValueError(f'{len(row)} cells instead of {len(header)}')
                number = int(row[1]) if row[1] else None
                norm = float(row[3])
                embedding = np.array(row[4:], np.float32)
                if not math.isfinite(norm):
                    raise ValueError(f'norm {norm}')
            except ValueError as error:
                raise DataError(f'{path}: line {line} is no embedding ({error})') from None
            yield _text_of_cell(row[0]), number, _text_of_cell(row[2]), norm, embedding


def _reader(file: TextIO, path: Path) -> Iterator[List[str]]:
    """The rows of a CSV file."""
    try:
        yield from csv.reader(file)
    except csv.Error as error:
        raise DataError(f'{path}: no CSV ({error})') from None


def _text_of_cell(cell: str) -> str:
    """The text that :func:`.spreadsheet_cell` wrote as a cell."""
    return cell[1:] if cell.startswith("'") and spreadsheet_cell(cell[1:]) == cell else cell


def _about(path: Path) -> Dict[str, Any]:
    beside = about_path(path)
    return _mapping(read_json(beside), beside) if beside.is_file() else {}


def _mapping(value: Any, path: Path) -> Dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f'{path}: not what cbam faces embed says of embeddings: {shown(value)}')
    return value


def about_text(about: Dict[str, Any]) -> str:
    """What made embeddings, as JSON: the same values give the same text."""
    return json.dumps(about, sort_keys=True)


READERS: Dict[str, Callable[[Path], Contents]] = {'.npy': _read_npy, '.npz': _read_npz, '.csv': _read_csv}
"""Ending of a file -> function that reads it."""

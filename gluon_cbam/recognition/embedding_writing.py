"""Writing files of embeddings from the parts of a run, one part in memory at a time."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path
from typing import IO, Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np

from gluon_cbam.common.files import PathLike, atomic_paths
from gluon_cbam.common.printable import spreadsheet_cell

from .embedding_formats import COLUMNS, about_text, ending_of, written_files

_DATE = (1980, 1, 1, 0, 0, 0)  # of the members of an archive, so that the same embeddings give the same bytes


class EmbeddingRows(NamedTuple):
    """Some embeddings with their images.

    Attributes:
        embeddings: (n, D) float32.
        norms: (n,) float32.
        images: (file, number or None, label) of each.
    """

    embeddings: np.ndarray
    norms: np.ndarray
    images: Sequence[Tuple[str, Any, str]]


class EmbeddingTable(NamedTuple):
    """Embeddings that are read part by part.

    Attributes:
        total: number of embeddings.
        dimension: numbers of an embedding.
        parts: reads the parts, in their order.
        about: what made them.
    """

    total: int
    dimension: int
    parts: Callable[[], Iterable[EmbeddingRows]]
    about: Dict[str, Any]


def write_embeddings(path: PathLike, table: EmbeddingTable) -> List[Path]:
    """Write a file of embeddings, and the files beside it; the same embeddings give the same bytes.

    Args:
        path: ``.npy``, ``.npz`` or ``.csv``, see :mod:`.embedding_formats`; existing files are replaced.
        table: the embeddings.

    Returns:
        The files.

    Raises:
        UsageError: another ending.
        TransferError: the disk is full; nothing is left.
    """
    files = written_files(path)
    with atomic_paths(*files) as temporaries:
        _WRITERS[ending_of(path)](temporaries, table)
    return files


def _write_npy(files: Sequence[Path], table: EmbeddingTable) -> None:
    with open(files[0], 'wb') as file:
        _write_array(file, np.dtype(np.float32), (table.total, table.dimension), (p.embeddings for p in table.parts()))
    _write_rows(files[1], table, 0)
    files[2].write_text(about_text(table.about) + '\n', encoding='utf-8')


def _write_csv(files: Sequence[Path], table: EmbeddingTable) -> None:
    _write_rows(files[0], table, table.dimension)
    files[1].write_text(about_text(table.about) + '\n', encoding='utf-8')


def _write_npz(files: Sequence[Path], table: EmbeddingTable) -> None:
    def arrays(take: Callable[[EmbeddingRows], Any], kind: Any) -> Iterator[np.ndarray]:
        return (np.array(take(part), kind) for part in table.parts())

    rows: Tuple[int, ...] = (table.total,)
    floats, integers = np.dtype(np.float32), np.dtype(np.int64)
    texts = {name: np.dtype(f'<U{max(1, _longest(table, column))}') for name, column in (('files', 0), ('labels', 2))}
    with zipfile.ZipFile(files[0], 'w', zipfile.ZIP_STORED, allowZip64=True) as archive:

        def add(name: str, kind: np.dtype, shape: Tuple[int, ...], parts: Iterable[np.ndarray]) -> None:
            with archive.open(zipfile.ZipInfo(f'{name}.npy', _DATE), 'w', force_zip64=True) as file:
                _write_array(file, kind, shape, parts)

        add('embeddings', floats, (*rows, table.dimension), arrays(lambda part: part.embeddings, floats))
        add('norms', floats, rows, arrays(lambda part: part.norms, floats))
        add('numbers', integers, rows, arrays(_numbers, integers))
        add('files', texts['files'], rows, arrays(lambda part: [image[0] for image in part.images], texts['files']))
        add('labels', texts['labels'], rows, arrays(lambda part: [image[2] for image in part.images], texts['labels']))
        about = np.array(about_text(table.about))
        add('about', about.dtype, (), [about])


def _numbers(part: EmbeddingRows) -> List[int]:
    return [-1 if number is None else number for _, number, _ in part.images]


def _longest(table: EmbeddingTable, column: int) -> int:
    return max((len(image[column]) for part in table.parts() for image in part.images), default=1)


def _write_array(file: IO[bytes], kind: np.dtype, shape: Tuple[int, ...], parts: Iterable[np.ndarray]) -> None:
    """Write an array in numpy's format, from its parts along the first axis."""
    header = {'descr': np.lib.format.dtype_to_descr(kind), 'fortran_order': False, 'shape': shape}
    np.lib.format.write_array_header_1_0(file, header)
    for part in parts:
        file.write(np.ascontiguousarray(part, kind).tobytes())


def _write_rows(path: Path, table: EmbeddingTable, dimension: int) -> None:
    """Write a CSV file with a row for each image, and the first ``dimension`` numbers of its embedding."""
    with open(path, 'w', encoding='utf-8', errors='surrogateescape', newline='') as file:
        rows = csv.writer(file, lineterminator='\n')
        rows.writerow([*COLUMNS, *(f'e{number}' for number in range(dimension))])
        for part in table.parts():
            for (name, number, label), norm, embedding in zip(part.images, part.norms, part.embeddings):
                numbers = [str(value) for value in (norm, *embedding[:dimension])]
                rows.writerow([spreadsheet_cell(name), number, spreadsheet_cell(label), *numbers])


_WRITERS: Dict[str, Callable[[Sequence[Path], EmbeddingTable], None]] = {
    '.npy': _write_npy,
    '.npz': _write_npz,
    '.csv': _write_csv,
}

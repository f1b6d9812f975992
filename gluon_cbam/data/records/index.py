r"""The ``.idx`` file next to a ``.rec`` file: a line ``key \t byte offset`` for each record."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import List, NamedTuple

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_path
from gluon_cbam.common.printable import printable

from .faces import find_pictures
from .format import MAGIC_BYTES, Fault, HeaderColumns, Headers, read_headers, scan
from .growing_array import count_repeated


class Index(NamedTuple):
    """The lines of an ``.idx`` file.

    Attributes:
        keys: (lines,) int64, the key of each record.
        offsets: (lines,) int64, the offset of each record in bytes.
    """

    keys: np.ndarray
    offsets: np.ndarray


class Salvaged(NamedTuple):
    """The result of indexing a damaged file.

    Attributes:
        records: number of intact records.
        faults: offsets at which no intact record begins.
        lost: number of bytes of the file that belong to no intact record.
    """

    records: int
    faults: List[Fault]
    lost: int


def index_path(path: PathLike) -> Path:
    """The path of the index of a ``.rec`` file.

    Args:
        path: path of the ``.rec`` file.

    Returns:
        The same path with the suffix ``.idx``.
    """
    return Path(path).with_suffix('.idx')


def read_index(path: PathLike) -> Index:
    """Read the index of a file.

    Args:
        path: path of the ``.rec`` file.

    Returns:
        The keys and offsets, in the order of the lines.

    Raises:
        DataError: the index is missing or damaged.
    """
    index = index_path(path)
    if not index.is_file():
        raise DataError(f'{index} is missing: {_remedy(path)}')
    keys, offsets = array('q'), array('q')
    with open(index, 'rb') as file:
        for number, line in enumerate(file, 1):
            try:
                key, offset = line.split(b'\t')
                keys.append(int(key))
                offsets.append(int(offset))
            except (ValueError, OverflowError):
                raise DataError(f'{index}: line {number} is not "key <tab> offset": {_remedy(path)}') from None
    return Index(np.asarray(keys), np.asarray(offsets))


def check_index(path: PathLike, index: Index, offsets: np.ndarray) -> None:
    """Check that an index lists the records of a file, each once and under a unique key.

    Args:
        path: path of the ``.rec`` file, for messages.
        index: the index of the file.
        offsets: (records,) int64, offset of each record in bytes, increasing.

    Raises:
        DataError: a key occurs twice, or a record is missing, unknown or listed twice.
    """
    if count_repeated(index.keys):
        raise DataError(f'{index_path(path)} lists a key twice: {_remedy(path)}')
    if not np.array_equal(np.sort(index.offsets), offsets):
        raise DataError(
            f'{index_path(path)} lists {len(index.offsets)} records that are not the {len(offsets)} of {path}: '
            f'{_remedy(path)}'
        )


def _remedy(path: PathLike) -> str:
    return f"rebuild it with 'cbam data index {path}'"


def rebuild_index(path: PathLike) -> int:
    """Write the ``.idx`` of a ``.rec`` file.

    The keys are the indices of the records; for insightface's files, the ids, which its identity records refer to.

    Args:
        path: path of the ``.rec`` file.

    Returns:
        The number of records.

    Raises:
        UsageError: there is no such file.
        DataError: the file is damaged.
    """
    with open(existing_file(path), 'rb') as file:
        headers = read_headers(Path(path), file.fileno())
        _write_index(path, headers, file.fileno())
    return len(headers.offsets)


def salvage_index(path: PathLike) -> Salvaged:
    """Write the ``.idx`` of a damaged ``.rec`` file, with the intact records only.

    Args:
        path: path of the ``.rec`` file.

    Returns:
        The numbers of intact records and lost bytes, and the faults.

    Raises:
        UsageError: there is no such file.
        DataError: no record is intact.
    """
    columns, faults, lost = HeaderColumns(), [], existing_file(path).stat().st_size
    with open(path, 'rb') as file:
        for chunk in scan(file.fileno()):
            columns.add(chunk)
            faults += chunk.faults
            lost -= chunk.stored
        if not len(columns):
            raise DataError(f'{path}: no whole record in {lost} bytes')
        _write_index(path, columns.joined(), file.fileno())
    return Salvaged(len(columns), faults, lost)


def existing_file(path: PathLike) -> Path:
    """Check that a ``.rec`` file exists; its content may be damaged.

    Args:
        path: path of the ``.rec`` file.

    Returns:
        The path, as a Path.

    Raises:
        UsageError: there is no such file, or it is of another kind, such as a tar file: it neither begins with a
            record nor has the name of records.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(f'no record file {str(path)!r}')
    if file.suffix.lower() != '.rec':
        with open(file, 'rb') as source:
            if source.read(len(MAGIC_BYTES)) != MAGIC_BYTES:
                raise UsageError(
                    f"{printable(file)} is no record file: make one of a data set with 'cbam data pack'; check and "
                    'stats also take sets of boxes, and with --masks those of masks'
                )
    return file


def _write_index(path: PathLike, headers: Headers, descriptor: int) -> None:
    faces = find_pictures(headers, descriptor) is not None and not count_repeated(headers.ids)
    keys = headers.ids.tolist() if faces else range(len(headers.offsets))
    with atomic_path(index_path(path)) as temporary, open(temporary, 'w', encoding='ascii') as file:
        file.writelines(f'{key}\t{offset}\n' for key, offset in zip(keys, headers.offsets.tolist()))

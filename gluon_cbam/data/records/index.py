r"""The ``.idx`` file next to a ``.rec`` file: ``key \t byte offset`` of a record a line."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Iterable, List, NamedTuple

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_path

from .format import Fault, read_headers, scan
from .growing_array import GrowingArray, count_repeated


class Index(NamedTuple):
    """The lines of an ``.idx`` file.

    Attributes:
        keys: (lines,) int64.
        offsets: (lines,) int64, in bytes.
    """

    keys: np.ndarray
    offsets: np.ndarray


class Salvaged(NamedTuple):
    """What the index of a damaged file lists.

    Attributes:
        records: whole records.
        faults: places between them where none begins.
        lost: bytes of the file that belong to no whole record.
    """

    records: int
    faults: List[Fault]
    lost: int


def index_path(path: PathLike) -> Path:
    """The path of the index of a ``.rec`` file.

    Args:
        path: of the ``.rec`` file.
    """
    return Path(path).with_suffix('.idx')


def read_index(path: PathLike) -> Index:
    """Keys and offsets in the index of a file.

    Args:
        path: of the ``.rec`` file.

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
    """Check that an index lists the records of a file, each once and under a key of its own.

    Args:
        path: of the ``.rec`` file, for messages.
        index: what was read.
        offsets: (records,) int64, where the records begin, rising.

    Raises:
        DataError: it does not.
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
    """Write the ``.idx`` of a ``.rec`` file again; keys are the records' numbers.

    Args:
        path: of the ``.rec`` file.

    Returns:
        The number of records.

    Raises:
        UsageError: there is no such file.
        DataError: the file is damaged.
    """
    with open(existing_file(path), 'rb') as file:
        offsets = read_headers(Path(path), file.fileno()).offsets
    _write_index(path, offsets)
    return len(offsets)


def salvage_index(path: PathLike) -> Salvaged:
    """Write the ``.idx`` of a damaged ``.rec`` file again with the records whose structure is whole.

    Args:
        path: of the ``.rec`` file.

    Raises:
        UsageError: there is no such file.
        DataError: no record is whole.
    """
    offsets, faults, lost = GrowingArray(np.int64), [], existing_file(path).stat().st_size
    with open(path, 'rb') as file:
        for chunk in scan(file.fileno()):
            offsets.append(chunk.offsets)
            faults += chunk.faults
            lost -= chunk.stored
    if not len(offsets):
        raise DataError(f'{path}: no whole record in {lost} bytes')
    _write_index(path, offsets.joined())
    return Salvaged(len(offsets), faults, lost)


def existing_file(path: PathLike) -> Path:
    """Check that a ``.rec`` file exists.

    Args:
        path: of the ``.rec`` file.

    Returns:
        The path.

    Raises:
        UsageError: there is no such file.
    """
    if not Path(path).is_file():
        raise UsageError(f'no record file {str(path)!r}')
    return Path(path)


def _write_index(path: PathLike, offsets: Iterable[int]) -> None:
    with atomic_path(index_path(path)) as temporary, open(temporary, 'w', encoding='ascii') as file:
        file.writelines(f'{number}\t{offset}\n' for number, offset in enumerate(offsets))

"""Arrays of a state that no process has as a whole: ``.npy`` files of rows in the order of classes, without pickle.

They are written and read in pieces, and do not depend on how the rows are sharded, so that a run resumes on another
number of devices or processes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Mapping

import numpy as np

from gluon_cbam.common.damage import reading
from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import atomic_path, sha256
from gluon_cbam.training.sharding.row_table import RowTable

Tables = Mapping[str, RowTable]
"""Name of an array -> its rows."""
NO_TABLES: Tables = {}


def table_path(params: Path, name: str) -> Path:
    """The path of an array of a state.

    Args:
        params: the path of the state's parameters.
        name: the name of the array.
    """
    return params.with_suffix(f'.{name}.npy')


def write_tables(params: Path, tables: Tables) -> Dict[str, str]:
    """Write the arrays of a state, each atomically; the other processes call :func:`take_part` at the same time.

    Args:
        params: the path of the state's parameters.
        tables: the arrays.

    Returns:
        Name -> SHA-256.

    Raises:
        TransferError: the disk is full.
    """
    hashes = {}
    for name, table in tables.items():
        with atomic_path(table_path(params, name)) as temporary, open(temporary, 'wb') as file:
            header = {'descr': np.lib.format.dtype_to_descr(table.dtype), 'fortran_order': False, 'shape': table.shape}
            np.lib.format.write_array_header_1_0(file, header)
            for piece in table.pieces():
                file.write(piece.tobytes())
            file.flush()
            hashes[name] = sha256(temporary)
    return hashes


def take_part(tables: Tables) -> None:
    """Give the rows of this process to the one that writes."""
    for table in tables.values():
        for _ in table.pieces():
            pass


def check_tables(params: Path, hashes: Mapping[str, str]) -> None:
    """Compare the arrays of a state with their hashes.

    Raises:
        DataError: one is missing or damaged.
    """
    for name, expected in hashes.items():
        path = table_path(params, name)
        if not path.is_file():
            raise DataError(f'{path} is missing')
        if sha256(path) != expected:
            raise DataError(f'{path} is damaged')


def restore_tables(params: Path, tables: Tables) -> None:
    """Restore the rows that this process has.

    Args:
        params: the path of the state's parameters, whose hashes were compared.
        tables: the arrays to restore.

    Raises:
        DataError: an array is missing or of another shape.
    """
    for name, table in tables.items():
        path = table_path(params, name)
        if not path.is_file():
            raise DataError(f'{path} is missing: was it saved with another loss head or --optimizer?')
        with reading(path, 'not an array of numpy'):
            rows = np.load(str(path), mmap_mode='r', allow_pickle=False)
        if rows.shape != table.shape:
            raise DataError(f'{path} is {rows.shape}, this run has {table.shape}: is it of another loss head?')
        table.restore(rows)

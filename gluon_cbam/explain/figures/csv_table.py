"""The data of a report as CSV files, which spreadsheets read."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Iterable

import numpy as np

from gluon_cbam.common.files import atomic_path
from gluon_cbam.common.printable import spreadsheet_cell


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]], exact: bool = False) -> None:
    """Write a table.

    Args:
        path: the file.
        header: the names of the columns.
        rows: the cells of each row: text, whole numbers, floats, which get six digits, NaN or None for an empty cell.
        exact: write floats with all their digits, for tables from which figures are computed.
    """
    with atomic_path(path) as temporary, open(temporary, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(map(_cell, header))
        writer.writerows([_cell(value, exact) for value in row] for row in rows)


def _cell(value: Any, exact: bool = False) -> Any:
    if isinstance(value, str):
        return spreadsheet_cell(value)
    if isinstance(value, (float, np.floating)):
        return '' if np.isnan(value) else repr(float(value)) if exact else f'{value:.6g}'
    return value

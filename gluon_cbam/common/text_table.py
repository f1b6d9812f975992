"""Human-readable tables: aligned columns of text."""

from __future__ import annotations

from typing import Collection, Sequence

from .printable import printable


def aligned(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Align the columns of a table; each is as wide as its widest cell.

    Args:
        rows: the cells of each row, the header first; what is not printable in them is written as escapes.
        left: numbers of the columns that are flush left; the others are flush right.

    Returns:
        A line for each row, without a final line break.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(*rows)]
    pads = [str.ljust if column in left else str.rjust for column in range(len(widths))]
    return '\n'.join('  '.join(pad(*cell) for pad, cell in zip(pads, zip(row, widths))).rstrip() for row in rows)

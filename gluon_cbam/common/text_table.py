"""Tables for people: columns of text."""

from __future__ import annotations

from typing import Collection, Sequence


def aligned(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Lines of columns as wide as their widest cell.

    Args:
        rows: the heads first.
        left: columns that are flush left; the others are flush right.
    """
    widths = [max(map(len, cells)) for cells in zip(*rows)]
    pads = [str.ljust if column in left else str.rjust for column in range(len(widths))]
    return '\n'.join('  '.join(pad(*cell) for pad, cell in zip(pads, zip(row, widths))).rstrip() for row in rows)

"""Names of files, and other text from outside, as text that a terminal or a page shows as it is.

A name may hold line breaks, which break "one line for each image", escape sequences, which a terminal obeys, and bytes
that are no text, which cannot be encoded.
"""

from __future__ import annotations

import os

from .types import OpenablePath


def printable(text: OpenablePath, keep: str = '') -> str:
    r"""Write the characters of a text that are not printable as ``ascii()`` does.

    Args:
        text: any text or path, such as a name with a line break or with a byte that is not UTF-8.
        keep: characters that stay as they are, such as the line breaks of a text of several lines.

    Returns:
        The text on one line: ``'a\nb'`` becomes ``'a\\nb'``; letters of any language stay.

    Example:
        >>> printable('caf\udce9.png')
        'caf\\udce9.png'
    """
    text = os.fspath(text) if isinstance(text, (str, os.PathLike)) else str(text)
    if text.isprintable():
        return text
    return ''.join(letter if letter.isprintable() or letter in keep else ascii(letter)[1:-1] for letter in text)


def spreadsheet_cell(text: str) -> str:
    """Write a text as a cell of a table that a spreadsheet does not take for a formula, as OWASP recommends.

    Args:
        text: any text.

    Returns:
        The printable text, with an apostrophe before it where it begins like a formula.
    """
    text = printable(text)
    return f"'{text}" if text.startswith(_FORMULAS) else text


_FORMULAS = tuple('=+-@\uff1d\uff0b\uff0d\uff20')  # spreadsheets take the full-width forms too

"""Reading YAML and JSON that anybody may have written: plain values alone, of bounded size, depth and expansion.

A plain value is None, a bool, an int of 64 bits, a finite float, a str, or a list or a mapping by str of these. Parsers
of other modules accept more: dates, binary data, values that contain themselves, aliases that expand to gigabytes.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from itertools import count
from typing import Any, Dict, List, Optional, Tuple, Union

from .errors import DataError
from .files import open_regular
from .quoting import shown
from .types import OpenablePath

MAX_BYTES = 1 << 22
"""Largest size of a document in bytes, where its reader sets no other."""
MAX_DEPTH = 64
"""Deepest nesting of lists and mappings."""

_MAX_INT = 2**64
_MAX_DIGITS = 128  # of a number as it is written; converting a longer text takes quadratic time


class DocumentError(DataError):
    """A document that is damaged, or holds more than plain values.

    Args:
        where: path or URL of the document.
        problem: the problem.
        line: its line, from 1; None where it is not known.
        detail: what the parser says.
    """

    def __init__(self, where: str, problem: str, line: Optional[int] = None, detail: Optional[str] = None) -> None:
        place = f', line {line}' if line else ''
        super().__init__(f'{where}: {problem}{place}{f" ({detail})" if detail else ""}')
        self.problem, self.line, self.detail = problem, line, detail


def read_text(path: OpenablePath, max_bytes: int = MAX_BYTES, regular: bool = True) -> str:
    """Read a text file of bounded size.

    Args:
        path: path of the file, in UTF-8.
        max_bytes: largest size of the file.
        regular: whether pipes and devices are refused; reading from them may never end.

    Returns:
        The text.

    Raises:
        DocumentError: the file is too large, is not a regular file, or is not in UTF-8.
        OSError: it cannot be read.
    """
    on_disk = path if isinstance(path, (str, os.PathLike)) else None
    try:
        opened = open_regular(path) if regular or on_disk is None else open(on_disk, 'rb')  # noqa: SIM115 (closed below)
    except (DataError, IsADirectoryError):
        raise DocumentError(str(path), 'not a file, but a folder, a pipe or a device') from None
    with opened as file:
        content = file.read(max_bytes + 1)
    return decoded(content, str(path), max_bytes)


def decoded(text: Union[str, bytes], where: str, max_bytes: int = MAX_BYTES) -> str:
    """Decode a document, after a check of its size.

    Args:
        text: the document; text is returned as it is.
        where: path or URL of the document, for messages.
        max_bytes: largest size.

    Returns:
        The text.

    Raises:
        DocumentError: the document is too large, or is not in UTF-8.
    """
    if len(text) > max_bytes:
        raise DocumentError(where, f'larger than the {max_bytes} bytes that it may have')
    try:
        return text.decode('utf-8') if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        raise DocumentError(where, f'not in UTF-8, at byte {error.start}') from None


def parse_json(text: Union[str, bytes], where: str, max_bytes: int = MAX_BYTES) -> Any:
    """Parse JSON.

    Args:
        text: the document.
        where: path or URL of the document, for messages.
        max_bytes: largest size.

    Returns:
        A plain value.

    Raises:
        DocumentError: it is not JSON, too large or nested too deeply; a key is given twice; or a number is not finite
            or has more than 64 bits.
    """
    try:
        value = json.loads(
            decoded(text, where, max_bytes),
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_number,
            object_pairs_hook=_mapping,
        )
        _check_nesting(value)
    except DocumentError:
        raise
    except RecursionError:
        raise DocumentError(where, f'nested deeper than {MAX_DEPTH} levels') from None
    except ValueError as error:
        raise DocumentError(where, f'not JSON ({error})') from None
    return value


def read_json(path: OpenablePath, max_bytes: int = MAX_BYTES) -> Any:
    """Read a JSON file.

    Args:
        path: path of the file, in UTF-8.
        max_bytes: largest size of the file.

    Returns:
        A plain value.

    Raises:
        DataError: the file does not exist, or see :func:`parse_json`.
    """
    try:
        return parse_json(read_text(path, max_bytes), str(path), max_bytes)
    except FileNotFoundError:
        raise DataError(f'{path} is missing') from None


def check_integer(value: int) -> int:
    """Check that an integer has at most 64 bits.

    Raises:
        ValueError: it has more.
    """
    if abs(value) >= _MAX_INT:
        raise ValueError(f'{shown(value)} has more than 64 bits')
    return value


def check_number(value: float) -> float:
    """Check that a number is finite.

    Raises:
        ValueError: it is not.
    """
    if not math.isfinite(value):
        raise ValueError(f'{value} is not a finite number')
    return value


def check_digits(text: str) -> str:
    """Check the length of a number as it is written.

    Raises:
        ValueError: it is too long.
    """
    if len(text) > _MAX_DIGITS:
        raise ValueError(f'a number of {len(text)} digits')
    return text


def check_characters(text: str) -> str:
    """Check that a text can be encoded: JSON and YAML can escape half a character, which nothing can write.

    Raises:
        ValueError: it cannot.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f'{shown(text)} has half a character (a surrogate without its pair)') from None
    return text


def _integer(text: str) -> int:
    return check_integer(int(check_digits(text)))


def _number(text: str) -> float:
    return check_number(float(check_digits(text)))


def _mapping(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """A mapping, each of whose keys is given once."""
    values = dict(pairs)
    if len(values) != len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f'{shown(twice)} is given twice')
    return values


def _check_nesting(value: Any) -> None:
    """Raise RecursionError for a value that is nested too deeply; checks the characters of all texts."""
    level = [value]
    for depth in count():
        check_characters(''.join(item for item in level if isinstance(item, str)))
        lists = [item for item in level if isinstance(item, list)]
        mappings = [item for item in level if isinstance(item, dict)]
        if not lists and not mappings:
            return
        if depth == MAX_DEPTH:
            raise RecursionError
        level = [inner for item in lists for inner in item]
        level += [inner for item in mappings for pair in item.items() for inner in pair]

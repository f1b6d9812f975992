"""Reading a long JSON list one item at a time: the memory is that of the text and of one item."""

from __future__ import annotations

import json
import re
from typing import Any, Iterator

from .documents import MAX_DEPTH, PLAIN_JSON, DocumentError, check_nesting, read_text
from .errors import DataError
from .files import PathLike

_SPACE = re.compile(r'[ \t\r\n]*')


def json_items(path: PathLike, max_bytes: int) -> Iterator[Any]:
    """Read the items of a file that holds one JSON list.

    Args:
        path: path of the file, in UTF-8.
        max_bytes: largest size of the file.

    Yields:
        A plain value for each item, in their order.

    Raises:
        DataError: the file does not exist, is too large, or is no JSON list; or an item is not plain, see
            :func:`.documents.parse_json`. The message has the number of the item, from 0.
    """
    try:
        text = read_text(path, max_bytes)
    except FileNotFoundError:
        raise DataError(f'{path} is missing') from None
    decoder, place = json.JSONDecoder(**PLAIN_JSON), _after(text, 0)
    if text[place : place + 1] != '[':
        raise DocumentError(str(path), 'not a JSON list')
    place, number = _after(text, place + 1), 0
    ended = text[place : place + 1] == ']'
    while not ended:
        try:
            value, place = decoder.raw_decode(text, place)
            check_nesting(value)
        except RecursionError:
            raise DocumentError(str(path), f'item {number} is nested deeper than {MAX_DEPTH} levels') from None
        except ValueError as error:
            raise DocumentError(str(path), f'item {number} is not JSON ({error})') from None
        yield value
        place, number = _after(text, place), number + 1
        separator, place = text[place : place + 1], _after(text, place + 1)
        if separator not in (',', ']'):
            raise DocumentError(str(path), f'no comma follows item {number - 1}')
        ended = separator == ']'
    if _after(text, place + (not number)) != len(text):
        raise DocumentError(str(path), 'text follows the list')


def _after(text: str, place: int) -> int:
    """The place of the next character that is no space."""
    found = _SPACE.match(text, place)
    return found.end() if found else len(text)

"""Reading long JSON lists one item at a time, in the memory of one item: a list, or the lists of an object.

:mod:`.documents` reads whole documents of a few megabytes. COCO's annotations and results have hundreds.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import IO, Any, Callable, Dict, Iterator, Mapping

from .damage import reading
from .documents import DocumentError, check_number
from .files import open_regular
from .quoting import shown
from .types import OpenablePath

MAX_ITEM = 1 << 23
"""The most characters of an item of a list, and of another value."""
_CHUNK = 1 << 20  # bytes
_OF_NUMBER = 3  # characters that may follow the beginning of a number and be no number yet: 1e+ before 1e+5
_SPACE = re.compile(r'[ \t\n\r]*')
_Add = Callable[[Any], None]


def read_lists(path: OpenablePath, add: Mapping[str, _Add]) -> Dict[str, int]:
    """Read the lists of a JSON object.

    Args:
        path: path of the file, in UTF-8.
        add: member -> what is called with each item of its list. Other members are skipped.

    Returns:
        The number of items of each list of ``add`` that the object has.

    Raises:
        DataError: it is not a JSON object, has a member twice, a member of ``add`` that is no list, an item of more
            than :data:`MAX_ITEM` characters, or a number that is not finite; or ``add`` raised a ValueError. The
            message names the member and the item.
        OSError: the file cannot be read.
    """
    counts: Dict[str, int] = {}
    with open_regular(path) as file, reading(path):
        stream = _Stream(file, str(path))
        for name in stream.members():
            if name in counts:
                raise DocumentError(str(path), f'{shown(name)} is given twice')
            if stream.peek() == '[':
                counts[name] = stream.items(name, add.get(name, _skip))
            elif name in add:
                raise DocumentError(str(path), f'{name} is no list')
            else:
                stream.value(name)
    return {name: counts[name] for name in add if name in counts}


def read_list(path: OpenablePath, add: _Add, name: str = 'item') -> int:
    """Read a JSON list.

    Args:
        path: path of the file, in UTF-8.
        add: what is called with each item.
        name: what an item is called in messages, with its number.

    Returns:
        The number of items.

    Raises:
        DataError: it is not a JSON list, or see :func:`read_lists`.
        OSError: the file cannot be read.
    """
    with open_regular(path) as file, reading(path):
        stream = _Stream(file, str(path))
        if stream.peek() != '[':
            raise DocumentError(str(path), 'no JSON list')
        count = stream.items(name, add)
        stream.end()
        return count


def _skip(item: Any) -> None:
    pass


class _Stream:
    """A position in the text of a file, of which a part is held."""

    def __init__(self, file: IO[bytes], where: str) -> None:
        self._file, self._where = file, where
        self._text, self._at, self._ended = '', 0, False
        self._utf8 = codecs.getincrementaldecoder('utf-8-sig')()
        self._scan = json.JSONDecoder(parse_constant=lambda text: check_number(float(text))).raw_decode

    def members(self) -> Iterator[str]:
        """The names of the members; the value of each must be read before the next is asked for."""
        self._expect('{', 'no JSON object')
        if self.peek() == '}':
            self._at += 1
        else:
            while True:
                name = self.value('a name')
                if not isinstance(name, str):
                    raise DocumentError(self._where, f'not JSON (a member is named by {shown(name)})')
                self._expect(':', f'not JSON (no colon after {shown(name)})')
                yield name
                if self._next(f'after {shown(name)}', '}'):
                    break
        self.end()

    def end(self) -> None:
        """Refuse what follows the object or the list."""
        if self.peek():
            raise DocumentError(self._where, 'not JSON (something follows its end)')

    def items(self, name: str, add: _Add) -> int:
        """Read a list; returns the number of its items."""
        self._at += 1
        if self.peek() == ']':
            self._at += 1
            return 0
        count = 0
        while True:
            try:
                add(self.value(f'{name}[{count}]'))
            except ValueError as error:
                if isinstance(error, DocumentError):
                    raise
                raise DocumentError(self._where, f'{name}[{count}]: {error}') from None
            count += 1
            if self._next(f'after {name}[{count - 1}]', ']'):
                return count

    def value(self, name: str) -> Any:
        """Read a value."""
        self.peek()
        while True:
            try:
                value, end = self._scan(self._text, self._at)
                length = end - self._at
                if len(self._text) - end > _OF_NUMBER or not self._fill():
                    self._at += length
                    return value
            except RecursionError:
                raise DocumentError(self._where, f'{name}: nested too deeply') from None
            except ValueError as error:  # it is wrong, or its end was not read yet
                if len(self._text) - self._at > MAX_ITEM:
                    raise DocumentError(
                        self._where, f'{name}: not JSON, or longer than {MAX_ITEM} characters'
                    ) from None
                if not self._fill():
                    raise DocumentError(self._where, f'{name}: not JSON ({error})') from None

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match is not None  # it may be empty
            self._at = match.end()
            if self._at < len(self._text) or not self._fill():
                return self._text[self._at : self._at + 1]

    def _next(self, place: str, end: str) -> bool:
        """Step over a comma, or over the end of what contains it; whether it was the end."""
        found = self.peek()
        if found not in (',', end) or not found:
            raise DocumentError(self._where, f'not JSON ({place} follows {shown(found)})')
        self._at += 1
        return found == end

    def _expect(self, character: str, problem: str) -> None:
        if self.peek() != character:
            raise DocumentError(self._where, problem)
        self._at += 1

    def _fill(self) -> bool:
        """Read more of the file, at least as much as is held, and drop what was used; whether there was more."""
        if self._ended:
            return False
        data = self._file.read(max(_CHUNK, len(self._text) - self._at))
        self._ended = not data
        self._text, self._at = self._text[self._at :] + self._utf8.decode(data, self._ended), 0
        return not self._ended

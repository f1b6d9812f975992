"""The operations of a pickle and their arguments, in bounded time: :mod:`pickletools` has the table of operations.

A ``str`` of Python 2 becomes a text of as many letters, its bytes in Latin-1.
"""

from __future__ import annotations

import codecs
import pickletools
from typing import IO, Any, Callable, Container, Dict, Iterator, Tuple

from .damage import Damaged
from .quoting import shown

_MOST_DIGITS = 128  # int() takes quadratic time for digits


def operations(stream: IO[bytes], allowed: Container[str]) -> Iterator[Tuple[str, Any]]:
    """Read the operations of one pickle, as :func:`pickletools.genops` does.

    Args:
        stream: an open binary file, at the beginning of the pickle; afterwards at its end.
        allowed: names of the operations that are read.

    Yields:
        Name and argument of each operation.

    Raises:
        Damaged: an operation is not allowed, or the pickle is damaged; the readers of arguments raise others, too.
    """
    name = ''
    while name != 'STOP':
        code = stream.read(1)
        if code not in _BY_CODE:
            raise Damaged(f'a damaged pickle, {f"no operation is {code!r}" if code else "it ends early"}')
        name, argument = _BY_CODE[code].name, _BY_CODE[code].arg
        if name not in allowed:
            raise Damaged(f'the pickle uses {name}')
        read = _ARGUMENTS.get(name, argument.reader if argument else None)
        yield name, read(stream) if read else None


def _line(stream: IO[bytes], most: int = -1) -> bytes:
    """The argument of an operation that a line has, without its end."""
    line = stream.readline(most)
    if not line.endswith(b'\n'):
        raise Damaged(f'a damaged pickle, no end of the line {shown(line)}')
    return line[:-1]


def _integer(stream: IO[bytes]) -> int:
    """A number in decimal digits; protocols 0 and 1 write booleans so."""
    digits = _line(stream, _MOST_DIGITS)
    booleans = {b'00': False, b'01': True}
    return booleans[digits] if digits in booleans else int(digits[:-1] if digits.endswith(b'L') else digits)


def _string(stream: IO[bytes]) -> str:
    """A ``str`` of Python 2 as its ``repr``, which protocol 0 writes."""
    line = _line(stream)
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise Damaged(f'a damaged pickle, a string without quotes {shown(line)}')
    return codecs.escape_decode(line[1:-1])[0].decode('latin-1')


_BY_CODE = {row.code.encode('latin-1'): row for row in pickletools.opcodes}
_ARGUMENTS: Dict[str, Callable[[IO[bytes]], Any]] = {
    **dict.fromkeys(('INT', 'LONG', 'PUT', 'GET'), _integer),
    'STRING': _string,
}
"""Name of the operation -> the reader of its argument, where pickletools' own is not bounded or not for bytes."""

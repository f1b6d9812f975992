"""The outermost level of an ONNX file, read without any package: whether it is whole, and what it says about itself.

An ONNX file is a protobuf message; its fields follow each other, each after a tag. Only the texts of
``metadata_props`` (field 14) are decoded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator, Tuple, Union

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike

_GRAPH, _METADATA = 7, 14
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


class _Damaged(Exception):
    """What is wrong, as a part of a line."""


def read_metadata(path: PathLike) -> Dict[str, str]:
    """The texts that an ONNX file carries, by name.

    Raises:
        UsageError: there is no such file.
        DataError: it is no ONNX file, or it was cut.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f'no file {str(path)!r}')
    data = memoryview(path.read_bytes())
    texts, graphs = {}, 0
    try:
        for number, value in _fields(data):
            if number == _METADATA and isinstance(value, memoryview):
                entry = {key: bytes(text).decode() for key, text in _fields(value) if isinstance(text, memoryview)}
                texts[entry.get(1, '')] = entry.get(2, '')
            graphs += number == _GRAPH
        if graphs != 1:
            raise _Damaged('it holds no graph')
    except (_Damaged, UnicodeDecodeError) as error:
        raise DataError(f'{path}: no whole ONNX file: {error}') from None
    return texts


def _fields(data: memoryview) -> Iterator[Tuple[int, Union[int, memoryview]]]:
    """(number, value) of every field of a message."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        if not 1 <= number < 1 << 16 or kind not in (_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES):
            raise _Damaged(f'no field begins at byte {position - 1}')
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        size, position = _varint(data, position) if kind == _LENGTH else ({_EIGHT_BYTES: 8}.get(kind, 4), position)
        if position + size > len(data):
            raise _Damaged(f'field {number} needs {size} bytes, {len(data) - position} are left')
        yield number, data[position : position + size]
        position += size


def _varint(data: memoryview, position: int) -> Tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
    raise _Damaged('it ends within a number')

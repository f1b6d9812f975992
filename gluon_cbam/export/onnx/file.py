"""The metadata and precision of an ONNX file, read without ``onnx``, and a check that it is as it was written.

An ONNX file is the protobuf message ``ModelProto``, a sequence of fields that each begin with a tag. Of the graph only
the types of its operators and constants are decoded, and of the rest the entries of ``metadata_props``. One of these is
the SHA-256 of everything else: an engine would run a file with damaged weights.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple, Optional, Tuple, Union

from gluon_cbam.common.damage import Damaged, reading
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.export.precision import FLOAT16, FLOAT32, INT8

_GRAPH, _METADATA = 7, 14  # numbers of fields in onnx.proto, as those below
_NODE, _CONSTANT, _OPERATOR, _TYPE = 1, 5, 4, 2
_HALF = 10  # TensorProto.FLOAT16
_DIGEST = 'gluon_cbam.sha256'  # the key of the entry with the hash of all other fields
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


class FileContents(NamedTuple):
    """What a file says of its network.

    Attributes:
        metadata: value by key.
        precision: the precision of its numbers, see :mod:`gluon_cbam.export.precision`.
    """

    metadata: Dict[str, str]
    precision: str


def read_metadata(path: PathLike) -> Dict[str, str]:
    """Read the metadata properties of an ONNX file; see :func:`read_contents`."""
    return read_contents(path).metadata


def read_contents(path: PathLike) -> FileContents:
    """Read the metadata properties and the precision of an ONNX file.

    Args:
        path: the path of the file.

    Returns:
        What the file says of its network.

    Raises:
        UsageError: there is no such file.
        DataError: it is not an ONNX file, it is truncated, or its content is not what was written.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f'no file {str(path)!r}')
    texts: Dict[str, str] = {}
    precisions = []
    with reading(path, 'not a complete ONNX file'):
        data = memoryview(path.read_bytes())
        for number, value in _fields(data):
            if number == _METADATA and isinstance(value, memoryview):
                key, text = _entry(value)
                texts[key] = text
            if number == _GRAPH and isinstance(value, memoryview):
                precisions.append(_precision(value))
        if len(precisions) != 1:
            raise Damaged('it has no graph')
    stated: Optional[str] = texts.get(_DIGEST)  # files of former versions have none
    if stated not in (None, _digest(data)):
        raise DataError(f'{path}: is not as cbam export wrote it (its SHA-256 differs): export it again')
    return FileContents(texts, precisions[0])


def write_model(model: Any, path: PathLike) -> None:
    """Write a model with the hash of its content.

    Args:
        model: an ``onnx.ModelProto``; gets one more metadata property.
        path: the path of the file.
    """
    model.metadata_props.add(key=_DIGEST, value=_digest(memoryview(model.SerializeToString())))
    Path(path).write_bytes(model.SerializeToString())


def _digest(data: memoryview) -> str:
    """The SHA-256 of all fields of a file but its own entry."""
    content = hashlib.sha256()
    for number, value in _fields(data):
        if isinstance(value, int):
            content.update(f'{number} {value} '.encode())
        elif number != _METADATA or _entry(value)[0] != _DIGEST:
            content.update(f'{number} {len(value)} '.encode())
            content.update(value)
    return content.hexdigest()


def _entry(value: memoryview) -> Tuple[str, str]:
    """The key and the value of a metadata property."""
    found = {number: bytes(text).decode() for number, text in _fields(value) if isinstance(text, memoryview)}
    return found.get(1, ''), found.get(2, '')


def _precision(graph: memoryview) -> str:
    """The precision of a graph, by its operators that quantize and by the type of its constants."""
    found = FLOAT32
    for number, value in _fields(graph):
        if number == _NODE and isinstance(value, memoryview):
            if any(key == _OPERATOR and text == b'QuantizeLinear' for key, text in _fields(value)):
                return INT8
        elif number == _CONSTANT and isinstance(value, memoryview) and (_TYPE, _HALF) in _fields(value):
            found = FLOAT16
    return found


def _fields(data: memoryview) -> Iterator[Tuple[int, Union[int, memoryview]]]:
    """(number, value) of every field of a message."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        if not 1 <= number < 1 << 16 or kind not in (_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES):
            raise Damaged(f'no field begins at byte {position - 1}')
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        size, position = _varint(data, position) if kind == _LENGTH else ({_EIGHT_BYTES: 8}.get(kind, 4), position)
        if position + size > len(data):
            raise Damaged(f'field {number} needs {size} bytes, {len(data) - position} are left')
        yield number, data[position : position + size]
        position += size


def _varint(data: memoryview, position: int) -> Tuple[int, int]:
    """A base-128 varint, lowest bits first, and the position after it."""
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
    raise Damaged('it ends within a number')

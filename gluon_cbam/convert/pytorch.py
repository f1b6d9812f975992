"""Read the tensors of files that ``torch.save`` wrote, without torch and without running code.

Two formats: the zip archive of torch 1.6 and later (``NAME/data.pkl`` and a member ``NAME/data/KEY`` for each storage),
and the one before: pickles of a magic number, a version, the machine, the object and the storages' keys, then each
storage's number of elements (int64) and its elements, little endian. In both, the object's pickle names storages by
persistent ids ``('storage', type, key, device, elements[, view])``, and tensors are views of storages.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from gluon_cbam.common import pickles
from gluon_cbam.common.damage import Damaged, reading
from gluon_cbam.common.pickles import Foreign
from gluon_cbam.common.quoting import shown, shown_name

from .state_dicts import find

_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C.to_bytes(10, 'little'), 1001
_MOST_AXES = 32  # of a numpy array
_MOST_LETTERS = 1000  # of the name of a parameter
_MOST_SHARED = 16  # elements of all tensors for each byte of the file; tensors share storages
ZIP = b'PK\x03\x04'
"""How a file of torch 1.6 and later begins, and any other zip archive."""


class _Elements(NamedTuple):
    """The element type of a storage."""

    dtype: str
    decode: Callable[[np.ndarray], np.ndarray] = lambda array: array


def _from_bfloat16(array: np.ndarray) -> np.ndarray:
    """The bits of bfloat16 numbers as float32."""
    return (array.astype('<u4') << 16).view('<f4')


_STORAGES = {
    'FloatStorage': _Elements('<f4'),
    'HalfStorage': _Elements('<f2'),
    'BFloat16Storage': _Elements('<u2', _from_bfloat16),
    'DoubleStorage': _Elements('<f8'),
    'LongStorage': _Elements('<i8'),
    'IntStorage': _Elements('<i4'),
    'ShortStorage': _Elements('<i2'),
    'CharStorage': _Elements('i1'),
    'ByteStorage': _Elements('u1'),
    'BoolStorage': _Elements('?'),
}


@dataclass(frozen=True)
class _Storage:
    """A storage as described by a persistent id; count and start in elements."""

    elements: _Elements
    key: str
    count: int
    start: int

    @property
    def bytes(self) -> int:
        """The size of the storage."""
        return self.count * np.dtype(self.elements.dtype).itemsize


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage; offset and strides in elements."""

    storage: _Storage
    offset: int
    shape: Tuple[int, ...]
    stride: Tuple[int, ...]


_Content = Tuple[Any, Callable[[_Storage], np.ndarray]]

_GLOBALS: Dict[str, Any] = {
    'collections OrderedDict': pickles.mapping,
    'torch._utils _rebuild_tensor': lambda *view: _Tensor(*view[:4]),
    'torch._utils _rebuild_tensor_v2': lambda *view: _Tensor(*view[:4]),
    'torch._utils _rebuild_parameter': lambda tensor, *_: tensor,
    **{f'{place} {name}': kind for place in ('torch', 'torch.cuda') for name, kind in _STORAGES.items()},
}


def read(path: Path, state_dict: Optional[str] = None) -> Dict[str, np.ndarray]:
    """Read the tensors of a state_dict.

    Args:
        path: the path of a state_dict, or of a checkpoint that holds one; see :mod:`.state_dicts`.
        state_dict: the name of the state_dict in a checkpoint that holds several; default the plain model.

    Returns:
        Name -> array, read-only, of the type of the tensor; bfloat16 as float32.

    Raises:
        UsageError: it has no state_dict of this name.
        DataError: the file is damaged, shorter than it states, needs more than tensors and plain data, or holds no
            state_dict.
    """
    with reading(path, 'not a PyTorch file of tensors'):
        with open(path, 'rb') as file:
            is_zip = file.read(4) == ZIP
        with (_zip_file if is_zip else _legacy_file)(path) as (value, flat_of):
            tensors = _tensors(find(path, value, state_dict))
            arrays = {name: _array(tensor, flat_of(tensor.storage)) for name, tensor in tensors.items()}
        total, size = sum(array.size for array in arrays.values()), path.stat().st_size
        if total > _MOST_SHARED * size:  # views take no memory, but each is read
            raise Damaged(f'tensors of {total} elements in a file of {size} bytes')
        return arrays


def _tensors(entries: Mapping[Any, Any]) -> Dict[str, _Tensor]:
    """The tensors of a state_dict, by name."""
    for name, tensor in entries.items():
        if not isinstance(name, str) or len(name) > _MOST_LETTERS:
            raise Damaged(f'a tensor of the name {shown(name)}')
        if not isinstance(tensor.storage, _Storage):
            raise _no_tensor(tensor.storage)
        if not _counts(tensor.offset, *_sizes(tensor.shape), *_sizes(tensor.stride)):
            raise Damaged(f'a tensor of shape {shown(tensor.shape)} and strides {shown(tensor.stride)}')
    return dict(entries)


def _no_tensor(value: Any) -> Damaged:
    """The error for what stands in the place of a tensor's part."""
    return value.refusal() if isinstance(value, Foreign) else Damaged('a damaged pickle, a tensor without storage')


def _sizes(value: Any) -> Tuple[Any, ...]:
    """The numbers of a shape or of strides; one that is no count if they are no short tuple."""
    return value if isinstance(value, tuple) and len(value) <= _MOST_AXES else (-1,)


@contextmanager
def _zip_file(path: Path) -> Iterator[_Content]:
    """The object that the file holds, and a function from a storage to its elements, for the zip archive."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        # torch stores without compression, so that nothing in the file can be larger than the file
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise Damaged('it is compressed, which torch.save never does')
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise Damaged('its members state more bytes than the file has')
        roots = [member.filename[:-8] for member in members if member.filename.endswith('/data.pkl')]
        if len(roots) != 1:
            raise Damaged(f'a zip archive with {len(roots)} data.pkl instead of one')
        if f'{roots[0]}byteorder' in archive.namelist() and archive.read(f'{roots[0]}byteorder') != b'little':
            raise Damaged('it was written by a big-endian machine')
        flats: Dict[str, np.ndarray] = {}

        def flat_of(storage: _Storage) -> np.ndarray:
            if storage.key not in flats:
                member = archive.getinfo(f'{roots[0]}data/{storage.key}')
                if member.file_size != storage.bytes:
                    raise Damaged(
                        f'storage {shown_name(storage.key)} has {member.file_size} bytes instead of '
                        f'{shown(storage.bytes)}'
                    )
                flats[storage.key] = _decoded(archive.read(member), 0, storage)
            return flats[storage.key]

        yield pickles.load(io.BytesIO(archive.read(f'{roots[0]}data.pkl')), _GLOBALS, _storage), flat_of


@contextmanager
def _legacy_file(path: Path) -> Iterator[_Content]:
    """Like :func:`_zip_file`, for the older format."""
    data = path.read_bytes()
    stream = io.BytesIO(data)
    seen: Dict[str, _Storage] = {}

    def storage(reference: Any) -> _Storage:
        entry = _storage(reference)
        return replace(seen.setdefault(entry.key, entry), start=entry.start)

    if _MAGIC not in data[:32]:
        raise Damaged('neither a zip archive nor of the format before it')
    _, version, _, value, keys = (pickles.load(stream, _GLOBALS, storage) for _ in range(5))
    if version != _VERSION:
        raise Damaged(f'its format has the version {shown(version)} instead of {_VERSION}')
    begin = stream.tell()
    flats: Dict[str, np.ndarray] = {}

    def flat_of(storage: _Storage) -> np.ndarray:
        if not flats:
            for key, at in _beginnings(data, begin, [seen[key] for key in keys]):
                flats[key] = _decoded(data, at, seen[key])
        return flats[storage.key]

    yield value, flat_of


def _beginnings(data: bytes, position: int, storages: Iterable[_Storage]) -> Iterator[Tuple[str, int]]:
    """Key and beginning of each storage after the pickles."""
    for storage in storages:
        if position + 8 > len(data):
            raise Damaged(f'it ends before storage {shown_name(storage.key)}')
        (count,) = struct.unpack_from('<q', data, position)
        position += 8
        if count != storage.count or position + storage.bytes > len(data):
            name = shown_name(storage.key)
            raise Damaged(f'storage {name} of {shown(storage.count)} elements is cut off or of another size')
        yield storage.key, position
        position += storage.bytes


def _storage(reference: Any) -> _Storage:
    """The storage that a persistent id names."""
    if not isinstance(reference, tuple) or len(reference) not in (5, 6) or reference[0] != 'storage':
        raise Damaged('a damaged pickle, a persistent id that is not of a storage')
    _, elements, key, _, count, view = (*reference, None)[:6]
    start = view[1] if isinstance(view, tuple) and len(view) > 1 else 0
    if isinstance(elements, Foreign):
        raise elements.refusal()
    if not isinstance(elements, _Elements) or not isinstance(key, str) or not _counts(count, start):
        raise Damaged('a damaged pickle, a storage of unknown type or size')
    return _Storage(elements, key, count, start)


def _counts(*values: Any) -> bool:
    """Whether all values are integers from 0."""
    return all(type(value) is int and value >= 0 for value in values)


def _decoded(data: bytes, begin: int, storage: _Storage) -> np.ndarray:
    """The elements of a storage, (count,)."""
    flat = np.frombuffer(data, storage.elements.dtype, storage.count, begin) if storage.count else np.zeros(0)
    return storage.elements.decode(flat.astype(storage.elements.dtype, copy=False))


def _array(tensor: _Tensor, flat: np.ndarray) -> np.ndarray:
    """A tensor as a view of its storage, after a check of its bounds: a size in the file never allocates memory."""
    shape, stride = tensor.shape, tensor.stride
    if len(shape) != len(stride):
        raise Damaged(f'a tensor of shape {shown(shape)} and strides {shown(stride)}')
    begin, count = tensor.storage.start + tensor.offset, math.prod(shape)
    end = begin + sum((size - 1) * step for size, step in zip(shape, stride)) + 1 if count else 0
    if count > len(flat) or end > len(flat):
        raise Damaged(f'a tensor of shape {shown(shape)} in a storage of {len(flat)} elements')
    strides = [step * flat.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(flat[begin:], shape, strides, writeable=False)

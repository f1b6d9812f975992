"""CIFAR-10 and CIFAR-100 in the versions for C and for Python, unpacked or in their archives.

A record of the version for C is the label (of CIFAR-100: the coarse and the fine one) and 3 x 32 x 32 bytes, the planes
of red, green and blue. The version for Python holds such planes in pickles, which are read without running code.
Source: A. Krizhevsky, "The CIFAR-10 dataset" and "The CIFAR-100 dataset", the pages that they are published on.
"""

from __future__ import annotations

import io
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common import pickles
from gluon_cbam.common.damage import Damaged, reading
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import read_regular
from gluon_cbam.common.pickled_arrays import PickledArray, array_globals
from gluon_cbam.common.quoting import shown

from ..parts import check_names
from ..tars import is_tar, members
from .sets import ArrayOptions, ArrayPart, ArraySet

_SIDE = 32
_BYTES = 3 * _SIDE * _SIDE  # of an image
_MOST_BYTES = 1 << 28  # of a file; the training file of CIFAR-100 has 154 MB
_BYTES_OF_OPERATION = 16  # of a pickle; an image takes about five operations
_LONGEST_NAME = 100  # characters
_PEEKED = 4  # members of an archive by which it is recognized
_BATCH = 10_000  # images in each published file of CIFAR-10
_PUBLISHED = {'train': 50_000, 'val': 10_000}  # images
_FINE, _COARSE = 'fine', 'coarse'
_Labels = Dict[str, np.ndarray]


class Version(NamedTuple):
    """A version of a data set.

    Attributes:
        name: its name in messages.
        folder: the folder that its archive holds.
        train: the files of the training images.
        test: the file of the test images.
        labels: the kinds of labels in the order of their bytes.
        names: the files of the names of the classes; of pickles one for all kinds.
        pickled: whether it is the version for Python.
    """

    name: str
    folder: str
    train: Tuple[str, ...]
    test: str
    labels: Tuple[str, ...]
    names: Tuple[str, ...]
    pickled: bool

    @property
    def files(self) -> Tuple[str, ...]:
        """All files that are read."""
        return (*self.train, self.test, *self.names)

    @property
    def options(self) -> Tuple[str, ...]:
        """The options that it has."""
        return ('labels-of',) if len(self.labels) > 1 else ()


_TEN = tuple(f'data_batch_{number}' for number in range(1, 6))
VERSIONS = (
    Version(
        'CIFAR-10 (binary)', 'cifar-10-batches-bin', tuple(f'{name}.bin' for name in _TEN), 'test_batch.bin', (_FINE,),
        ('batches.meta.txt',), False,
    ),
    Version('CIFAR-10 (Python)', 'cifar-10-batches-py', _TEN, 'test_batch', (_FINE,), ('batches.meta',), True),
    Version(
        'CIFAR-100 (binary)', 'cifar-100-binary', ('train.bin',), 'test.bin', (_COARSE, _FINE),
        ('coarse_label_names.txt', 'fine_label_names.txt'), False,
    ),
    Version('CIFAR-100 (Python)', 'cifar-100-python', ('train',), 'test', (_COARSE, _FINE), ('meta',), True),
)  # fmt: skip
"""The versions that are published."""


def is_cifar(version: Version, source: Path) -> bool:
    """Whether a path is the data set in this version: its archive, its folder, or the folder that holds it.

    Args:
        version: the version.
        source: path of the file or folder.
    """
    if source.is_file() and is_tar(source):
        return any(member.name.split('/')[0] == version.folder for member in islice(members(source), _PEEKED))
    return _folder(version, source) is not None


def read_cifar(version: Version, source: Path, options: ArrayOptions) -> ArraySet:
    """Read the data set in this version.

    Args:
        version: the version.
        source: its archive, its folder, or the folder that holds it.
        options: ``labels_of``: ``fine`` or ``coarse`` of CIFAR-100; default ``fine``.

    Returns:
        Its contents, ``train`` and ``val``.

    Raises:
        UsageError: there are no such labels.
        DataError: a file is missing or damaged, or a pickle asks for more than plain data.
    """
    kind = options.labels_of or _FINE
    if kind not in (_FINE, _COARSE):
        raise UsageError(f'--labels-of is {_FINE} or {_COARSE}, got {kind!r}')
    folder = _folder(version, source) or source / version.folder
    contents = _contents(version, source, folder)
    read: Callable[[Path, bytes, Version], Tuple[np.ndarray, _Labels]] = _pickled if version.pickled else _binary
    names_path = folder / version.names[0 if version.pickled else version.labels.index(kind)]
    classes = _names(version, names_path, contents[names_path.name], kind)
    parts = []
    for split, names in (('train', version.train), ('val', (version.test,))):
        batches = [read(folder / name, contents.pop(name), version) for name in names]
        for name, (_, labels_of) in zip(names, batches):
            if labels_of[kind].max() >= len(classes):
                fault = f'label {labels_of[kind].max()}, and {names_path} names {len(classes)} classes'
                raise DataError(f'{folder / name}: {fault}')
        _refuse_cut(folder, names, [len(pixels) for pixels, _ in batches])
        planes = np.concatenate([pixels for pixels, _ in batches]).reshape(-1, 3, _SIDE, _SIDE)
        labels = np.concatenate([labels[kind] for _, labels in batches])
        parts.append(ArrayPart(split, folder / names[0], planes.transpose(0, 2, 3, 1), labels))
    return ArraySet(parts, classes, notes=_notes(version, kind, parts))


def _refuse_cut(folder: Path, names: Sequence[str], counts: Sequence[int]) -> None:
    """Refuse a batch with fewer images than the published batches beside it; made sets may have any number.

    Raises:
        DataError: a batch is shorter.
    """
    least = min(counts)
    if least < max(counts) == _BATCH:
        path = folder / names[counts.index(least)]
        raise DataError(f'{path}: {least} images, and {_BATCH} in batches beside it: it is cut, copy it again')


def _folder(version: Version, source: Path) -> Optional[Path]:
    """The folder of the files; None if there is none."""
    for folder in (source, source / version.folder):
        if all((folder / name).is_file() for name in (version.train[0], version.names[0])):
            return folder
    return None


def _contents(version: Version, source: Path, folder: Path) -> Dict[str, bytes]:
    """The contents of the files by their names."""
    found: Dict[str, bytes] = {}
    if source.is_dir():
        found = {name: read_regular(folder / name, _MOST_BYTES) for name in version.files if (folder / name).is_file()}
    else:
        wanted = {f'{version.folder}/{name}': name for name in version.files}
        for member in members(source, _MOST_BYTES):
            if member.name in wanted and member.kind == 'file':
                if member.size > _MOST_BYTES:
                    raise DataError(f'{source / member.name}: {member.size} bytes, the most is {_MOST_BYTES}')
                found[wanted[member.name]] = member.read()
    missing = next((name for name in version.files if name not in found), None)
    if missing is not None:
        raise DataError(f'{folder / missing} is missing: it is part of {version.name}')
    return found


def _binary(path: Path, content: bytes, version: Version) -> Tuple[np.ndarray, _Labels]:
    """The planes and labels of a file of the version for C."""
    size = len(version.labels) + _BYTES
    if not content or len(content) % size:
        raise DataError(
            f'{path}: {len(content)} bytes are no whole number of records of {size}: it is cut or another file'
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    labels = {kind: records[:, place].astype(np.int64) for place, kind in enumerate(version.labels)}
    return records[:, len(version.labels) :], labels


def _pickled(path: Path, content: bytes, version: Version) -> Tuple[np.ndarray, _Labels]:
    """The planes and labels of a file of the version for Python."""
    values = _dictionary(path, content)
    with reading(path, f'no batch of {version.name}'):
        data = values.get('data')
        planes = data.array() if isinstance(data, PickledArray) else np.empty(0)
        if planes.dtype != np.uint8 or planes.ndim != 2 or planes.shape[1] != _BYTES or not len(planes):
            raise Damaged(f'data is no array of rows of {_BYTES} bytes')
        labels = {}
        for kind in version.labels:
            name = f'{kind}_labels' if len(version.labels) > 1 else 'labels'
            numbers = values.get(name)
            if not isinstance(numbers, list) or not all(type(each) is int and 0 <= each < 256 for each in numbers):
                raise Damaged(f'{name} is no list of labels')
            if len(numbers) != len(planes):
                raise Damaged(f'{len(numbers)} {name} for {len(planes)} images')
            labels[kind] = np.array(numbers, np.int64)
    return planes, labels


def _dictionary(path: Path, content: bytes) -> Dict[str, Any]:
    """The dictionary that a file of the version for Python holds."""
    with reading(path, 'no pickle of plain data'):
        most = len(content) // _BYTES_OF_OPERATION + (1 << 16)
        value = pickles.load(io.BytesIO(content), array_globals(2 * len(content)), strict=True, most_operations=most)
        if not isinstance(value, dict):
            raise Damaged(f'it holds no dictionary, but {shown(value)}')
        return value


def _names(version: Version, path: Path, content: bytes, kind: str) -> List[str]:
    """The names of the classes in a file."""
    if version.pickled:
        key = f'{kind}_label_names' if len(version.labels) > 1 else 'label_names'
        names = _dictionary(path, content).get(key)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DataError(f'{path}: {key} is no list of names')
    else:
        with reading(path, 'no text'):
            names = [line.strip() for line in content.decode('utf-8').split('\n') if line.strip()]
    if not names or len(set(names)) < len(names):
        raise DataError(f'{path}: it names no classes, or one twice')
    longest = max(map(len, names))
    if longest > _LONGEST_NAME:
        raise DataError(f'{path}: the name of a class has {longest} characters, the most is {_LONGEST_NAME}')
    check_names(names, f'correct {path}')
    return names


def _notes(version: Version, kind: str, parts: List[ArrayPart]) -> List[str]:
    notes = [f'classes: the {kind} labels; the others are of --labels-of'] if len(version.labels) > 1 else []
    counts = {part.name: len(part.labels) for part in parts}
    if counts != _PUBLISHED:
        found, published = (
            ', '.join(f'{count} {name}' for name, count in each.items()) for each in (counts, _PUBLISHED)
        )
        notes.append(f'warning: {found} images, where the published set has {published}')
    return notes

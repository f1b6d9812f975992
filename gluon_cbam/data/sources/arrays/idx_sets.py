"""Data sets in the format IDX: which files belong together, their splits, and the names of their classes.

The files of a split are those of MNIST, ``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte``, with ``t10k`` or
``test`` for the test images, and perhaps the name of the set before it, as in EMNIST. Dots for hyphens and gzip are
usual, too.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.quoting import shown
from gluon_cbam.data.class_names import names_in

from ..left_out import LeftOut, kind_of_file
from .class_numbers import checked_labels
from .idx_file import read_idx
from .known_sets import known_set
from .pixel_values import to_pixels
from .sets import ArrayOptions, ArrayPart, ArraySet

_NAME = re.compile(
    r'(?P<prefix>.*?)(?P<split>[a-z0-9]+)[-_.](?P<role>images|labels)[-_.]idx[1-4][-_.](?:u?byte|short|int|float|double)'
    r'(?:\.gz)?',
    re.IGNORECASE,
)
_SPLITS = {'train': 'train', 'training': 'train', 't10k': 'val', 'test': 'val', 'val': 'val', 'validation': 'val'}
_TRANSPOSED = 'emnist'
_CHANNELS = (1, 3)


class _Pair(NamedTuple):
    """The files of a split, and further files of the same roles, such as those that were unpacked."""

    images: Path
    labels: Path
    copies: Tuple[Tuple[Path, Path], ...] = ()


class _Name(NamedTuple):
    """What the name of a file says: the set, the split, and ``images`` or ``labels``."""

    prefix: str
    split: str
    role: str


def is_idx(source: Path) -> bool:
    """Whether a file, or a file in a folder or in its ``raw/``, has a name of the format.

    Args:
        source: path of the file or folder.
    """
    return bool(_parsed(source.name)) if source.is_file() else _folder(source) is not None


def read_idx_set(source: Path, options: ArrayOptions) -> ArraySet:
    """Read the data set in a folder.

    Args:
        source: the folder; or one of the files of the set, where the folder holds several sets.
        options: ``transpose`` and ``value_range``.

    Returns:
        Its contents: ``train``, and ``val`` of the test images.

    Raises:
        UsageError: the folder holds several sets, an image file without its labels, or two files for one that differ.
        DataError: a file is damaged, or the files do not fit together.
    """
    folder = source.parent if source.is_file() else _folder(source)
    assert folder is not None  # see is_idx
    prefix, pairs = _pairs(source, folder)
    transpose = options.transpose if options.transpose is not None else prefix.lower().startswith(_TRANSPOSED)
    parts = [_read(split, pair, transpose, options) for split, pair in pairs.items()]
    notes = ['rows and columns of the images are exchanged, as EMNIST stores them'] if transpose else []
    mapping = folder / f'{prefix}mapping.txt'
    used = {path.name for pair in pairs.values() for path in (pair.images, pair.labels)}
    if mapping.is_file():
        first, classes = _read_mapping(mapping)
        used.add(mapping.name)
        notes.append(f'classes: the characters of {mapping.name}')
    else:
        known = known_set(folder, prefix, [part.labels for part in parts])
        first, classes = (known.first, list(known.classes)) if known else (0, [])
        notes += [f'classes: those of {known.name}'] if known else []
    if first:
        notes.append(f'labels count from {first}, class indices from 0')
    return ArraySet(parts, classes, first, notes, _left_out(folder, used))


def _folder(source: Path) -> Optional[Path]:
    """The folder of the files: the source itself or its ``raw/``, as torchvision has it; None without such files."""
    for folder in (source, source / 'raw'):
        if folder.is_dir() and any(_parsed(name) for name in os.listdir(folder)):
            return folder
    return None


def _parsed(name: str) -> Optional[_Name]:
    match = _NAME.fullmatch(name)
    return _Name(match['prefix'], match['split'].lower(), match['role'].lower()) if match else None


def _pairs(source: Path, folder: Path) -> Tuple[str, Dict[str, _Pair]]:
    """What the names of the files of the set begin with, and the files of each split, the training split first."""
    files: Dict[_Name, List[Path]] = {}
    for file in sorted(os.listdir(folder)):  # of two, the one without .gz is the first
        parsed = _parsed(file)
        if parsed:
            files.setdefault(parsed, []).append(folder / file)
    prefix = _prefix(source, files)
    pairs: Dict[str, _Pair] = {}
    for name in sorted((name for name in files if name.prefix == prefix), key=lambda name: _SPLITS.get(name.split, '')):
        split, pair = _SPLITS.get(name.split), _pair(name, files)
        if split is None:
            raise UsageError(f'{files[name][0]}: {name.split!r} is no split; known: {", ".join(_SPLITS)}')
        if pairs.setdefault(split, pair) != pair:
            raise UsageError(f'{pairs[split].images} and {pair.images} are both for the {split} split: keep one')
    return prefix, pairs


def _prefix(source: Path, files: Dict[_Name, List[Path]]) -> str:
    """What the names of the files of the set begin with."""
    own = _parsed(source.name) if source.is_file() else None
    if own is not None:
        return own.prefix
    prefixes = sorted({name.prefix for name in files})
    if len(prefixes) > 1:
        first = next(paths[0] for name, paths in files.items() if name.prefix == prefixes[0])
        sets = ', '.join(shown(prefix) for prefix in prefixes)
        raise UsageError(f'{source}: files of {len(prefixes)} sets ({sets}): name one file of a set, such as {first}')
    return prefixes[0]


def _pair(name: _Name, files: Dict[_Name, List[Path]]) -> _Pair:
    """The files of the split of a name."""
    images, labels = (files.get(name._replace(role=role)) for role in ('images', 'labels'))
    if not images or not labels:
        raise UsageError(f'{files[name][0]} has no file of {"labels" if images else "images"} beside it')
    copies = ((first, copy) for first, *others in (images, labels) for copy in others)
    return _Pair(images[0], labels[0], tuple(copies))


def _read(split: str, pair: _Pair, transpose: bool, options: ArrayOptions) -> ArrayPart:
    """The images and labels of a split."""
    for path, copy in pair.copies:
        _refuse_other(path, copy)
    values = _image_axes(read_idx(pair.images), pair.images)
    labels = checked_labels(read_idx(pair.labels), pair.labels)
    if len(values) != len(labels):
        raise DataError(f'{pair.images} holds {len(values)} images and {pair.labels} {len(labels)} labels')
    pixels = to_pixels(values, options.value_range, pair.images)
    return ArrayPart(split, pair.images, pixels.swapaxes(1, 2) if transpose else pixels, labels)


def _refuse_other(path: Path, copy: Path) -> None:
    """Refuse a copy with other contents: images of one set could get the labels of another.

    Raises:
        UsageError: the contents differ. A damaged copy is left out.
    """
    try:
        values = read_idx(copy)
    except DataError:
        return
    if not np.array_equal(values, read_idx(path)):
        raise UsageError(f'{path} and {copy} are for the same split, and hold different numbers: keep one')


def _image_axes(values: np.ndarray, path: Path) -> np.ndarray:
    """Images as (N, H, W) or (N, H, W, 3), of files whose fourth axis, or second of four, is the channel."""
    shape = values.shape
    if not 3 <= len(shape) <= 4:
        raise DataError(f'{path}: an array of the shape {shape}, and not images of height, width and perhaps channels')
    if min(shape) == 0:
        raise DataError(f'{path}: it holds no images, the shape is {shape}')
    if len(shape) == 4:
        places = [axis for axis in (1, 3) if shape[axis] in _CHANNELS]
        if len(places) != 1:
            raise DataError(f'{path}: in the shape {shape}, either the second or the last axis must be 1 or 3 channels')
        values = np.moveaxis(values, places[0], 3)
        values = values[..., 0] if values.shape[3] == 1 else values
    return values


def _read_mapping(path: Path) -> Tuple[int, List[str]]:
    """The first label, and the names of the classes: the characters whose codes follow each label."""
    names: Dict[int, str] = {}
    for number, line in enumerate(names_in(path), 1):
        fields = line.split()
        if len(fields) < 2 or not all(field.isascii() and field.isdigit() and len(field) < 7 for field in fields):
            raise DataError(f'{path}: line {number} is no label and codes of characters: {shown(line)}')
        label, *codes = map(int, fields)
        name = ''.join(chr(code) if code < 0x110000 else ' ' for code in codes)
        if not name.isprintable() or ' ' in name or label in names or name in names.values():
            raise DataError(f'{path}: line {number} names no character, or a label or character twice: {shown(line)}')
        names[label] = name
    first = min(names, default=-1)
    if first not in (0, 1) or sorted(names) != list(range(first, first + len(names))):
        raise DataError(f'{path}: the labels are not numbered from 0 or 1 on without gaps')
    return first, [names[label] for label in sorted(names)]


def _left_out(folder: Path, used: set) -> LeftOut:
    """The other files in the folder."""
    left_out = LeftOut()
    for name in sorted(os.listdir(folder)):
        if name not in used and (folder / name).is_file():
            kind = kind_of_file(name)
            left_out.add(kind if kind in ('hidden', 'junk') else 'unknown', name)
    return left_out

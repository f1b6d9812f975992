"""Merging sets of faces: ``cbam data merge`` does."""

from __future__ import annotations

from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.limits import MAX_CLASSES
from gluon_cbam.data.records.duplicates import Duplicates, find_duplicates, image_hash, repeats
from gluon_cbam.data.records.parallel import map_offsets
from gluon_cbam.data.records.recordio import read_record

from .copying import copy_pictures
from .record_sets import RECORDS_FILE, FaceRecords, Progress, check_exact, writing_faces

_PIECE = 256  # pictures that a process hashes at a time


class MergedSet(NamedTuple):
    """A set that was merged.

    Attributes:
        path: path of its records.
        pictures: number of its pictures that were written.
        dropped: number of its pictures that were left out.
        identities: number of its identities.
        first_label: the label that its identity 0 has in the new set.
    """

    path: Path
    pictures: int
    dropped: int
    identities: int
    first_label: int


class Merged(NamedTuple):
    """The new set.

    Attributes:
        path: path of the records.
        pictures: number of pictures.
        identities: number of identities, with those that have no picture any more.
        empty: number of identities without pictures.
        duplicates: pictures that occur more than once in the sets.
        sets: the sets, in the order of the labels.
    """

    path: Path
    pictures: int
    identities: int
    empty: int
    duplicates: Duplicates
    sets: List[MergedSet]


def merge(
    sources: Sequence[PathLike],
    output: PathLike,
    drop_duplicates: bool = False,
    shuffle: bool = False,
    seed: int = 0,
    workers: int = 1,
    progress: Progress = lambda items, total, name: items,
    overwrite: bool = False,
) -> Merged:
    """Merge sets of faces: the labels of each follow those of the sets before it.

    Pictures are equal where their encoded bytes are. Equal pictures of two labels hint at one person in both sets;
    which it is cannot be told from the pictures alone, and the labels stay apart.

    Args:
        sources: the ``.rec`` files of the sets, or their folders.
        output: folder of the new set, created if it does not exist.
        drop_duplicates: leave out pictures that occurred before.
        shuffle: write the pictures in random order, without header and identity records.
        seed: random seed of the order.
        workers: number of processes that hash pictures.
        progress: wraps an iteration for a progress bar; called with (items, number of items, name).
        overwrite: whether the files of the new set may exist.

    Returns:
        What was written.

    Raises:
        UsageError: a set does not exist, the output is one of them, or exists.
        DataError: a set is damaged, or the sizes of the pictures differ.
    """
    sets = [FaceRecords(source) for source in sources]
    path = Path(output) / RECORDS_FILE
    _check(sets, path)
    bounds = np.cumsum([0, *(each.identities for each in sets)])
    if bounds[-1] > MAX_CLASSES:
        raise DataError(f'{bounds[-1]} identities, the limit is {MAX_CLASSES}')
    labels = [each.labels + first for each, first in zip(sets, bounds)]
    hashes = [_hashes(each, workers, progress) for each in sets]
    repeated = repeats(np.concatenate(hashes)) & drop_duplicates
    kept = [~part for part in np.split(repeated, np.cumsum([len(each) for each in sets])[:-1])]
    left = [part[keep] for part, keep in zip(labels, kept)]
    with_pictures = len(np.unique(np.concatenate(left)))
    if not shuffle:
        check_exact(int(sum(map(len, left))), with_pictures)
    with writing_faces(path, sets[0].size, int(bounds[-1]), _names(sets), not shuffle, overwrite) as writer:
        copy_pictures(writer, sets, labels, [np.flatnonzero(keep) for keep in kept], shuffle, seed, progress)
    merged = [
        MergedSet(each.records.path, len(part), len(each) - len(part), each.identities, int(first))
        for each, part, first in zip(sets, left, bounds)
    ]
    duplicates = find_duplicates([each.records.path for each in sets], hashes, labels)
    total = int(bounds[-1])
    return Merged(path, sum(each.pictures for each in merged), total, total - with_pictures, duplicates, merged)


def _check(sets: Sequence[FaceRecords], path: Path) -> None:
    """Check that sets can be merged into a file."""
    for each in sets:
        if each.folder.resolve() == path.parent.resolve():
            raise UsageError(f'{path.parent} is one of the sets to merge: write to another folder')
        if each.size != sets[0].size:
            first, other = (f'{part.size[0]} x {part.size[1]} in {part.folder}' for part in (sets[0], each))
            raise DataError(f'the pictures have different sizes (height x width): {first}, {other}')
    paths = [each.records.path.resolve() for each in sets]
    if len(set(paths)) < len(paths):
        raise UsageError(f'a set is given twice: {", ".join(str(each.records.path) for each in sets)}')


def _hashes(faces: FaceRecords, workers: int, progress: Progress) -> np.ndarray:
    """A hash of each picture: (pictures,) uint64."""
    offsets = faces.records.offsets
    pieces = np.array_split(offsets, -(-len(offsets) // _PIECE))
    results = map_offsets(faces.records.path, pieces, _hash_pictures, workers)
    return np.concatenate(list(progress(results, len(pieces), f'hash {faces.folder.name}')))


def _hash_pictures(path: str, offsets: np.ndarray) -> np.ndarray:
    with open(path, 'rb') as file:
        hashes = [image_hash(read_record(file.fileno(), offset).image) for offset in offsets.tolist()]
    return np.frombuffer(b''.join(hashes), '<u8')


def _names(sets: Sequence[FaceRecords]) -> Optional[List[str]]:
    """The names of all identities: with the folder before them where two sets have one name; None without names."""
    if all(each.names is None for each in sets):
        return None
    names = [each.names or [str(label) for label in range(each.identities)] for each in sets]
    joined = [name for part in names for name in part]
    if len(set(joined)) < len(joined):
        folders = [f'{number}_{each.folder.name}' for number, each in enumerate(sets)]
        joined = [f'{folder}/{name}' for folder, part in zip(folders, names) for name in part]
    return joined

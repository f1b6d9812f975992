"""Selecting a part of a set of faces, and splitting it by identity: ``cbam data select`` does."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Union

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike, refuse_existing

from .copying import copy_pictures
from .record_sets import RECORDS_FILE, FaceRecords, Progress, check_exact, set_files, writing_faces

HELD_OUT = 'val'
NumberOrShare = Union[int, float]
"""How many of some things: an int for a number, a float between 0 and 1 for a share."""


class Selected(NamedTuple):
    """A set that was written.

    Attributes:
        path: path of its records.
        pictures: number of pictures.
        identities: number of identities with pictures.
    """

    path: Path
    pictures: int
    identities: int


def select(
    source: PathLike,
    output: PathLike,
    min_pictures: int = 1,
    max_pictures: Optional[int] = None,
    identities: Optional[NumberOrShare] = None,
    val_identities: Optional[NumberOrShare] = None,
    keep_labels: bool = False,
    shuffle: bool = False,
    seed: int = 0,
    progress: Progress = lambda items, total, name: items,
    overwrite: bool = False,
) -> List[Selected]:
    """Write a part of a set of faces as a new set, in insightface's format.

    Args:
        source: the ``.rec`` file of the set, or its folder.
        output: folder of the new set, ``train.rec``; held-out identities are written to ``val/val.rec`` in it.
        min_pictures: identities with fewer pictures are left out.
        max_pictures: number of pictures of an identity that are taken at random; default all.
        identities: number or share of the identities that are taken at random; default all.
        val_identities: number or share of these that are held out; default none.
        keep_labels: keep the labels, so that labels without pictures exist. By default, the identities of each new set
            are numbered anew from 0, in the order of their labels, and ``classes.txt`` has their names, or the labels
            that they had where there are no names.
        shuffle: write the pictures in random order, without header and identity records.
        seed: random seed of all choices.
        progress: wraps the pictures for a progress bar; called with (items, number of items, name).
        overwrite: whether the files of the new sets may exist.

    Returns:
        The new sets, the held-out one last.

    Raises:
        UsageError: the set does not exist, the output is its folder or exists, or nothing is left for a set.
        DataError: the set is damaged.
    """
    faces, output = FaceRecords(source), Path(output)
    if faces.folder.resolve() in (output.resolve(), (output / HELD_OUT).resolve()):
        raise UsageError(f'{output} has the set itself in {faces.folder}: write to another folder')
    random = np.random.RandomState(seed)
    parts = _choose(faces, min_pictures, identities, val_identities, random)
    taken = _at_most(faces.labels, max_pictures, random)
    paths = {'train': output / RECORDS_FILE, HELD_OUT: output / HELD_OUT / f'{HELD_OUT}.rec'}
    refuse_existing([file for name in parts for file in set_files(paths[name])], overwrite)
    done = []
    for name, chosen in parts.items():
        labels = _new_labels(faces, chosen, keep_labels)
        numbers = np.flatnonzero((labels >= 0) & taken)
        if not shuffle:
            check_exact(len(numbers), len(chosen))
        count = faces.identities if keep_labels else len(chosen)
        names = _names(faces, chosen, keep_labels)
        with writing_faces(paths[name], faces.size, count, names, not shuffle, overwrite) as writer:
            copy_pictures(writer, [faces], [labels], [numbers], shuffle, seed, progress)
        done.append(Selected(paths[name], len(numbers), len(chosen)))
    return done


def _choose(
    faces: FaceRecords,
    min_pictures: int,
    identities: Optional[NumberOrShare],
    val_identities: Optional[NumberOrShare],
    random: np.random.RandomState,
) -> Dict[str, np.ndarray]:
    """Name of each new set -> the identities in it, increasing."""
    chosen = np.flatnonzero(np.bincount(faces.labels, minlength=faces.identities) >= max(min_pictures, 1))
    if not len(chosen):
        raise UsageError(f'{faces.records.path} has no identity with {min_pictures} pictures')
    if identities is not None:
        count = _count(identities, len(chosen), '--identities')
        chosen = np.sort(random.permutation(chosen)[:count])
    if val_identities is None:
        return {'train': chosen}
    count = _count(val_identities, len(chosen), '--val-identities')
    if count == len(chosen):
        raise UsageError(f'--val-identities {val_identities:g} leaves none of {count} identities for training')
    shuffled = random.permutation(chosen)
    return {'train': np.sort(shuffled[count:]), HELD_OUT: np.sort(shuffled[:count])}


def _count(wanted: NumberOrShare, available: int, option: str) -> int:
    """A number of identities, given as a number or a share."""
    count = wanted if isinstance(wanted, int) else round(wanted * available)
    if not 1 <= count <= available:
        raise UsageError(f'{option} {wanted:g} gives {count} of {available} identities')
    return count


def _at_most(labels: np.ndarray, most: Optional[int], random: np.random.RandomState) -> np.ndarray:
    """Whether a picture is among the first of its identity in a random order: (pictures,) bool."""
    if most is None:
        return np.ones(len(labels), bool)
    order = np.lexsort([random.permutation(len(labels)), labels])
    begins = np.concatenate([[True], np.diff(labels[order]) != 0])
    firsts = np.maximum.accumulate(np.where(begins, np.arange(len(labels)), 0))
    taken = np.zeros(len(labels), bool)
    taken[order] = np.arange(len(labels)) - firsts < most
    return taken


def _new_labels(faces: FaceRecords, chosen: np.ndarray, keep: bool) -> np.ndarray:
    """The label of each picture in a new set, (pictures,) int64: -1 for pictures that are not in it."""
    new = np.full(faces.identities, -1, np.int64)
    new[chosen] = chosen if keep else np.arange(len(chosen))
    return new[faces.labels]


def _names(faces: FaceRecords, chosen: np.ndarray, keep: bool) -> Optional[List[str]]:
    if keep:
        return faces.names
    return [faces.names[label] if faces.names else str(label) for label in chosen.tolist()]

"""Converting verification sets from any form into another: ``cbam data pairs`` does."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, refuse_existing
from gluon_cbam.common.listing import listed
from gluon_cbam.data.records.duplicates import image_hash

from .archived_sets import write_archived
from .pairing import draw_pairs
from .pickled_sets import PROTOCOLS, write_pickled
from .record_sets import RECORDS_FILE, FaceRecords, Progress
from .verification_sets import DEFAULT_FOLDS, FILE_ENDINGS, Pictures, VerificationSet, open_verification_set


class ConvertedSet(NamedTuple):
    """A verification set that was written.

    Attributes:
        path: path of the file.
        pairs: number of pairs.
        same: number of pairs of one person.
        pictures: number of pictures in the file.
        folds: number of folds.
        size: height and width of the pictures, in pixels.
        identical: the first pairs whose pictures are the same bytes.
        identicals: number of such pairs.
    """

    path: Path
    pairs: int
    same: int
    pictures: int
    folds: int
    size: Tuple[int, int]
    identical: List[int]
    identicals: int


class _OfRecords:
    """Some pictures of a set of faces in records."""

    def __init__(self, faces: FaceRecords, numbers: np.ndarray) -> None:
        self._faces, self._numbers = faces, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, number: int) -> bytes:
        return bytes(self._faces.records.image(int(self._numbers[number])))


def convert(
    source: PathLike,
    output: PathLike,
    folder: Optional[PathLike] = None,
    pairs: Optional[int] = None,
    folds: int = DEFAULT_FOLDS,
    seed: int = 0,
    protocol: int = PROTOCOLS[-1],
    progress: Progress = lambda items, total, name: items,
    overwrite: bool = False,
) -> ConvertedSet:
    """Write a verification set, after all of its pictures were decoded.

    Args:
        source: a verification set, see :func:`.verification_sets.open_verification_set`; or with ``pairs`` a set of
            faces in records, from which pairs are drawn.
        output: ``.bin`` for insightface or ``.npz``, the form without pickles, which keeps the folds and stores a
            picture of several pairs once.
        folder: the folder of the pictures of a list of pairs.
        pairs: number of pairs of each kind in a fold that are drawn from records.
        folds: number of folds that are drawn.
        seed: random seed of the draw.
        protocol: protocol of the pickle in a ``.bin``, one of :data:`.pickled_sets.PROTOCOLS`.
        progress: wraps the pictures for a progress bar; called with (items, number of items, name).
        overwrite: whether the output may exist.

    Returns:
        What was written.

    Raises:
        UsageError: the source does not exist or is of another kind, the output exists or has another ending.
        DataError: the source is damaged, a picture cannot be decoded, or the sizes of the pictures differ.
    """
    path = Path(output)
    if path.suffix.lower() not in FILE_ENDINGS:
        raise UsageError(f'{path}: a verification set is written to {listed(FILE_ENDINGS, "or")}, not {path.suffix!r}')
    refuse_existing([path], overwrite)
    found = _opened(source, folder, pairs, folds, seed)
    size = _check_pictures(found, progress)
    identical = _identical(found)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == '.bin':
        count = 2 * len(found.pairs)
        write_pickled(path, [found.pictures[number] for number in found.pairs.ravel()], found.same, protocol)
    else:
        count = len(found)
        write_archived(path, [found.pictures[number] for number in range(count)], found.pairs, found.same, found.folds)
    same = int(found.same.sum())
    return ConvertedSet(path, len(found.pairs), same, count, found.folds, size, identical[:10], len(identical))


def _opened(
    source: PathLike, folder: Optional[PathLike], pairs: Optional[int], folds: int, seed: int
) -> VerificationSet:
    """A verification set, or one that is drawn from records."""
    path = Path(source)
    records = path.suffix.lower() == '.rec' or (path / RECORDS_FILE).is_file()
    if pairs is None:
        if records:
            raise UsageError(f'{source} has no pairs: --pairs N draws N of each kind for each fold')
        return open_verification_set(source, folder)
    if not records:
        raise UsageError(f'{source} has its pairs: --pairs draws them from a .rec file of faces')
    faces = FaceRecords(source)
    drawn, same = draw_pairs(faces.labels, pairs, folds, seed)
    used, places = np.unique(drawn, return_inverse=True)
    pictures: Pictures = _OfRecords(faces, used)
    return VerificationSet(faces.records.path, pictures, places.reshape(-1, 2).astype(np.int64), same, folds)


def _check_pictures(found: VerificationSet, progress: Progress) -> Tuple[int, int]:
    """Decode all pictures, and return their common height and width."""
    sizes: Dict[Tuple[int, int], str] = {}
    for number in progress(range(len(found)), len(found), 'check'):
        height, width = found.load(number).shape[:2]
        sizes.setdefault((height, width), found.picture_name(number))
        if len(sizes) > 1:
            first, other = (f'{name} has {size[0]} x {size[1]} pixels' for size, name in sizes.items())
            raise DataError(f'the pictures of a verification set have one size (height x width): {first}, {other}')
    return next(iter(sizes))


def _identical(found: VerificationSet) -> List[int]:
    """The numbers of the pairs whose two pictures are the same bytes."""
    hashes = np.array([image_hash(found.pictures[number]) for number in range(len(found))])
    first, second = (hashes[found.pairs[:, side]] for side in (0, 1))
    return np.flatnonzero(first == second).tolist()

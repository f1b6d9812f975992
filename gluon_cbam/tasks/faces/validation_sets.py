"""The verification sets that a network is validated on: one file, or all of a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Dict, List, Sequence

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike, sha256
from gluon_cbam.common.natural_sort import naturally_sorted
from gluon_cbam.data.faces.pair_lists import lists_in
from gluon_cbam.data.faces.verification_sets import FILE_ENDINGS, VerificationSet, open_verification_set
from gluon_cbam.data.loading.evaluation import load_all

from .metrics.verification import check_protocol

_FIRST = ('lfw', 'cfp_ff', 'cfp_fp', 'agedb_30')  # insightface's order


class ValidationSets:
    """Verification sets; ``len`` is the number of their pairs.

    Attributes:
        path: the file or folder.
        sets: the sets in their order.

    Args:
        path: the file or folder.
        sets: the sets.
    """

    def __init__(self, path: Path, sets: Sequence[VerificationSet]) -> None:
        self.path, self.sets = path, list(sets)

    def __len__(self) -> int:
        return sum(len(each.pairs) for each in self.sets)

    @property
    def names(self) -> List[str]:
        """The names of the sets."""
        return [each.name for each in self.sets]

    def fingerprint(self) -> str:
        """A short hash of the names and pairs of all sets; the pictures are not read."""
        hashed = hashlib.sha256()
        for each in self.sets:
            hashed.update(f'{each.name} {len(each)} {each.folds}\n'.encode())
            hashed.update(each.pairs.astype('<i8').tobytes() + each.same.astype('<u1').tobytes())
        return hashed.hexdigest()[:16]

    def contents(self) -> str:
        """A SHA-256 of the encoded pictures of all sets."""
        hashed = hashlib.sha256()
        for each in self.sets:
            for number in range(len(each)):
                picture = each.pictures[number]
                hashed.update(f'{len(picture)}\n'.encode())
                hashed.update(picture)
        return hashed.hexdigest()

    def digest(self) -> str:
        """A SHA-256 of the files: of a single file, its own; of several, of their names and hashes."""
        hashes = [(each.path.name, sha256(each.path)) for each in self.sets]
        if len(hashes) == 1:
            return hashes[0][1]
        return hashlib.sha256(''.join(f'{name} {value}\n' for name, value in hashes).encode()).hexdigest()

    def check_images(self, workers: int) -> None:
        """Decode every picture once.

        Raises:
            DataError: a picture cannot be decoded.
        """
        for each in self.sets:
            load_all(each.load, len(each), workers)

    def sample_images(self, count: int) -> List[np.ndarray]:
        """Pictures of all sets, evenly spaced: (H, W, 3) uint8 RGB."""
        places = [(each, number) for each in self.sets for number in range(len(each))]
        count = min(count, len(places))
        return [each.load(number) for each, number in (places[index * len(places) // count] for index in range(count))]


def open_validation_sets(path: PathLike) -> ValidationSets:
    """Open verification sets.

    Args:
        path: a file, or a folder of files, ``.bin`` and ``.npz``; a folder with a list of pairs is one set. The order
            is that of insightface, lfw, cfp_ff, cfp_fp and agedb_30, then the others by name.

    Raises:
        UsageError: there is no set, or two have one name.
        DataError: a set is damaged, lacks a kind of pair, or has fewer pairs than folds.
    """
    place = Path(path)
    if not place.is_dir() or lists_in(place):
        return ValidationSets(place, [_opened(place)])
    names = naturally_sorted([file.name for file in place.iterdir() if file.suffix.lower() in FILE_ENDINGS])
    if not names:
        raise UsageError(
            f'{place}: no verification set in it ({", ".join(FILE_ENDINGS)}): give a file or another folder'
        )
    sets = [_opened(place / name) for name in sorted(names, key=_rank)]
    of_name: Dict[str, VerificationSet] = {}
    for each in sets:
        first = of_name.setdefault(each.name, each)
        if first is not each:
            raise UsageError(f'{first.path} and {each.path} have one name: leave one of them')
    return ValidationSets(place, sets)


def _opened(path: Path) -> VerificationSet:
    """A set that can be scored; found now, and not after an epoch of training."""
    found = open_verification_set(path)
    check_protocol(found.same, found.folds, str(found.path))
    return found


def _rank(name: str) -> int:
    stem = Path(name).stem
    return _FIRST.index(stem) if stem in _FIRST else len(_FIRST)

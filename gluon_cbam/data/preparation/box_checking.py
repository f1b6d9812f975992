"""Checking pictures with boxes in any format: the annotations, every picture, and pictures that occur twice."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import Any, DefaultDict, Dict, List, NamedTuple, Optional, Sequence, Tuple

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.parallel import ordered_map, process_pool
from gluon_cbam.common.printable import printable
from gluon_cbam.data.boxes.faults import Faults
from gluon_cbam.data.boxes.formats import read_boxes
from gluon_cbam.data.boxes.reading import Progress, read_options
from gluon_cbam.data.boxes.sets import BoxPart, BoxSet, Picture, check_part
from gluon_cbam.data.decoding import decode, image_size
from gluon_cbam.data.records.duplicates import image_hash

from .box_sources import fits

_REPORTED = 10  # groups of equal pictures


class CheckedPart(NamedTuple):
    """The faults of a split.

    Attributes:
        name: its name.
        pictures: number of pictures.
        boxes: number of boxes.
        empty: number of pictures without boxes.
        faults: what is wrong, and warnings.
    """

    name: str
    pictures: int
    boxes: int
    empty: int
    faults: Faults

    def as_dict(self) -> Dict[str, Any]:
        """The part for JSON."""
        return {**self._asdict(), 'faults': self.faults.as_dict()}


@dataclass
class EqualPictures:
    """Pictures with the same bytes.

    Attributes:
        pictures: number of pictures that repeat an earlier one.
        across: number of groups in several splits.
        first: the paths of the first groups.
    """

    pictures: int
    across: int
    first: List[List[str]]


@dataclass
class CheckedSet:
    """The result of a check.

    Attributes:
        boxes: the set that was read.
        parts: the faults of each split.
        equal: pictures that occur more than once; None if they were not searched for.
    """

    boxes: BoxSet
    parts: List[CheckedPart]
    equal: Optional[EqualPictures]

    def ok(self, strict: bool = False) -> bool:
        """Whether nothing is wrong; ``strict`` counts pictures that occur twice."""
        repeated = strict and self.equal is not None and self.equal.pictures
        return not repeated and not any(part.faults.wrong for part in self.parts)


def check_boxes(
    source: PathLike,
    form: Optional[str] = None,
    root: Optional[PathLike] = None,
    classes_file: Optional[PathLike] = None,
    classes: Optional[int] = None,
    decoding: bool = True,
    duplicates: bool = True,
    pictures: bool = True,
    workers: int = 1,
    progress: Progress = lambda items, total, name: items,
) -> CheckedSet:
    """Check pictures with boxes.

    Args:
        source: a file or folder in one of :data:`gluon_cbam.data.boxes.formats.FORMATS`, or a tar file.
        form: name of the format; default the one that is recognized.
        root: the folder or tar file that the names of the pictures are relative to; default where the format has them.
        classes_file: names of the classes in the order of the class indices; default those of the data.
        classes: boxes must be of the first classes, as many as this; default all that are named.
        decoding: whether to decode every picture; otherwise its header is read.
        duplicates: whether to search for pictures with the same bytes.
        pictures: whether to read the pictures at all.
        workers: number of processes.
        progress: wraps what takes long.

    Returns:
        The faults, and the pictures that occur more than once.

    Raises:
        UsageError: the source does not exist or is of no known format.
        DataError: a file of annotations is damaged.
    """
    boxes = read_boxes(source, form, read_options(root, classes_file, progress))
    seen: DefaultDict[bytes, List[Tuple[str, str]]] = defaultdict(list)
    parts = []
    for part in boxes.parts:
        faults = check_part(part, boxes.classes[:classes])
        if pictures:
            _check_pictures(part, faults, seen, decoding, workers, progress)
        columns = part.columns
        empty = int((columns.counts == 0).sum())
        parts.append(CheckedPart(part.name, len(columns), len(columns.boxes), empty, faults))
    return CheckedSet(boxes, parts, _equal(list(seen.values())) if duplicates and pictures else None)


def _check_pictures(
    part: BoxPart,
    faults: Faults,
    seen: DefaultDict[bytes, List[Tuple[str, str]]],
    decoding: bool,
    workers: int,
    progress: Progress,
) -> None:
    """Read the pictures of a part, and collect them by their hashes."""
    count = len(part.columns)
    with process_pool(workers) as pool:
        jobs = map(part.pictures.picture, range(count))
        done = ordered_map(pool, partial(_inspect, decoding), jobs, prefetch=16 * workers)
        for number, (fault, size, digest) in enumerate(progress(done, count, part.name)):
            image = part.columns[number]
            if fits(image, fault, size, part, number, faults):
                seen[digest].append((part.name, printable(str(part.root / image.name))))


def _inspect(decoding: bool, picture: Picture) -> Tuple[Optional[str], Tuple[int, int], bytes]:
    """Why a picture cannot be read, its size, and a hash of its bytes."""
    try:
        data = picture.read()
        size = decode(data, 'bad').shape[:2] if decoding else image_size(data, 'bad')
        return None, size, image_hash(data)
    except OSError as error:
        return error.strerror or str(error), (0, 0), b''
    except DataError as error:
        return str(error).partition(': ')[2], (0, 0), b''


def _equal(groups: Sequence[List[Tuple[str, str]]]) -> EqualPictures:
    repeated = [group for group in groups if len(group) > 1]
    across = sum(len({part for part, _ in group}) > 1 for group in repeated)
    first = [[path for _, path in group[:_REPORTED]] for group in repeated[:_REPORTED]]
    return EqualPictures(sum(len(group) - 1 for group in repeated), across, first)

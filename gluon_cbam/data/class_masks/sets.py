"""A set of pictures with masks as it was read: the examples of each split, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Dict, List, NamedTuple, Optional, Protocol, Sequence, Tuple

import numpy as np

from gluon_cbam.common.damage import reading
from gluon_cbam.common.errors import DataError
from gluon_cbam.data.boxes.faults import Faults, Kind
from gluon_cbam.data.boxes.sets import Picture
from gluon_cbam.data.records.recordio import read_record
from gluon_cbam.data.sources.file_paths import FileBytes, FilePath, file_bytes
from gluon_cbam.data.sources.left_out import LeftOut

from .png import decode_mask
from .values import counts_of, no_classes

KINDS: Dict[str, Kind] = {
    'missing': Kind(True, 'pictures or masks missing'),
    'picture': Kind(True, 'pictures that cannot be read'),
    'mask': Kind(True, 'masks that cannot be read'),
    'size': Kind(True, 'masks of another size than their picture'),
    'class': Kind(True, 'masks with values that are no class'),
    'annotation': Kind(True, 'annotations that are no region'),
    'nothing': Kind(False, 'masks whose pixels are all ignored'),
}
"""The kinds of faults, in the order of reports."""
_VALUES_NAMED = 4


class MaskSource(Protocol):
    """The mask of a picture, which any process can read."""

    @property
    def where(self) -> str:
        """Its file, for messages."""

    def read(self, size: Tuple[int, int]) -> np.ndarray:
        """Read the mask of a picture of a size: (H, W) uint8.

        Raises:
            OSError: the file cannot be read.
            DataError: it is no mask.
        """


class MaskFile(NamedTuple):
    """A PNG.

    Attributes:
        where: path of the file, which may be in a tar file.
        file: gives its bytes.
        table: the class of each of its 256 values; None where they are the classes.
    """

    where: str
    file: FileBytes
    table: Optional[bytes] = None

    @classmethod
    def of(cls, path: FilePath, table: Optional[bytes] = None) -> MaskFile:
        """The mask in a file."""
        return cls(str(path), file_bytes(path), table)

    def read(self, size: Tuple[int, int]) -> np.ndarray:
        """See :class:`MaskSource`."""
        values = decode_mask(self.file.read(), self.where)
        return values if self.table is None else np.frombuffer(self.table, np.uint8)[values]


class RecordMask(NamedTuple):
    """The mask in a record.

    Attributes:
        path: path of the ``.rec`` file.
        offset: offset of the record in bytes.
        number: index of the record, for messages.
    """

    path: str
    offset: int
    number: int

    @property
    def where(self) -> str:
        """See :class:`MaskSource`."""
        return f'{self.path}: record {self.number} at offset {self.offset}'

    def read(self, size: Tuple[int, int]) -> np.ndarray:
        """See :class:`MaskSource`."""
        with open(self.path, 'rb') as file, reading(self.path):
            record = read_record(file.fileno(), self.offset)
        return decode_mask(record.mask, self.where)


class MaskExample(NamedTuple):
    """A picture and its mask.

    Attributes:
        name: path of the picture, relative to the root of its part; of a record, a name made of its number.
        picture: gives its bytes.
        mask: gives its mask.
    """

    name: str
    picture: Picture
    mask: MaskSource


@dataclass(frozen=True)
class MaskPart:
    """The examples of a split.

    Attributes:
        name: ``train``, ``val``, ``test``, or another name.
        root: the folder that the names of the pictures are relative to, which may be in a tar file, or the file of
            records.
        examples: the examples in their order.
        faults: what the reader could not take.
    """

    name: str
    root: FilePath
    examples: Sequence[MaskExample]
    faults: Faults = field(default_factory=lambda: Faults(KINDS))

    def chosen(self, numbers: Sequence[int], name: Optional[str] = None) -> MaskPart:
        """Some of the examples, as a part of its own, without the faults."""
        examples = [self.examples[number] for number in numbers]
        return replace(self, name=name or self.name, examples=examples, faults=Faults(KINDS))


@dataclass
class MaskSet:
    """A set of pictures with masks.

    Attributes:
        format: name of its format, a key of :data:`gluon_cbam.data.class_masks.formats.FORMATS`.
        classes: names of the classes, in the order of their values; None where nothing names them.
        parts: the splits, at least one.
        left_out: files that are not used.
    """

    format: str
    classes: Optional[Tuple[str, ...]]
    parts: List[MaskPart]
    left_out: LeftOut = field(default_factory=LeftOut)


class Misfit(NamedTuple):
    """A fault of an example.

    Attributes:
        kind: a key of :data:`KINDS`.
        where: the file.
        reason: what is wrong.
    """

    kind: str
    where: str
    reason: str


class FittingMask(NamedTuple):
    """The mask of a picture.

    Attributes:
        mask: (H, W) uint8; None with a misfit.
        counts: (256,) number of pixels with each value.
        misfit: why it does not fit; None if it does.
    """

    mask: Optional[np.ndarray]
    counts: np.ndarray
    misfit: Optional[Misfit] = None


def fitting_mask(source: MaskSource, size: Tuple[int, int], classes: Optional[int]) -> FittingMask:
    """Read the mask of a picture, and compare it with the picture and the classes.

    Args:
        source: the mask.
        size: height and width of the picture.
        classes: number of classes; None for any.
    """
    nothing = np.zeros(256, np.int64)
    try:
        mask = source.read(size)
    except FileNotFoundError:
        return FittingMask(None, nothing, Misfit('missing', source.where, 'there is no such mask'))
    except (OSError, DataError) as error:
        reason = getattr(error, 'strerror', None) or str(error)
        reason = reason[len(source.where) + 2 :] if reason.startswith(f'{source.where}: ') else reason
        return FittingMask(None, nothing, Misfit('mask', source.where, reason))
    if mask.shape != tuple(size):
        turned = ', with the sides exchanged, as EXIF data turn pictures' if mask.shape == tuple(size[::-1]) else ''
        reason = f'{mask.shape[1]} x {mask.shape[0]} pixels, but {size[1]} x {size[0]} of the picture{turned}'
        return FittingMask(None, nothing, Misfit('size', source.where, reason))
    counts = counts_of(mask)
    unknown = no_classes(counts, classes)
    if unknown:
        found = ', '.join(f'{value} ({pixels} pixels)' for value, pixels in unknown[:_VALUES_NAMED])
        more = f' and {len(unknown) - _VALUES_NAMED} more' if len(unknown) > _VALUES_NAMED else ''
        reason = f'values {found}{more}, but the classes are 0..{(classes or 255) - 1}, and 255 is ignored'
        return FittingMask(None, counts, Misfit('class', source.where, reason))
    return FittingMask(mask, counts)

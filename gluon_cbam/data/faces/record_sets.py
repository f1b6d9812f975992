"""Sets of faces in records: reading them for a new set, and writing a set in insightface's format.

A set is a folder with ``train.rec``, ``train.idx`` and ``property``, see :mod:`gluon_cbam.data.records.faces`, and
``classes.txt`` with the names of the identities where they are known. A set in random order has neither a header nor
identity records, which need the pictures of an identity together.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike, atomic_paths, refuse_existing
from gluon_cbam.common.folders import made_folder
from gluon_cbam.common.limits import MAX_CLASSES
from gluon_cbam.data.class_names import CLASSES_FILE, names_beside
from gluon_cbam.data.datasets.masks import remove_masks
from gluon_cbam.data.decoding import image_size
from gluon_cbam.data.records.faces import PROPERTY_FILE, find_property
from gluon_cbam.data.records.growing_array import GrowingArray
from gluon_cbam.data.records.labels import wrong_classes
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter, index_path

RECORDS_FILE = 'train.rec'
_EXACT = 1 << 24  # float32 represents all integers up to it
Progress = Callable[[Iterable, int, str], Iterable]


class FaceRecords:
    """The pictures of a set and their identities.

    Args:
        path: the ``.rec`` file, or the folder that has ``train.rec``.

    Attributes:
        records: the pictures.
        labels: (pictures,) int64, the identity of each picture.
        identities: number of identities that ``property`` states; without one, the largest label plus one.
        size: height and width of the first picture in pixels, which ``property`` has to state.
        names: names of the identities; None where there is no ``classes.txt``.

    Raises:
        UsageError: there is no such file.
        DataError: it is damaged, a label is no identity or beyond ``property``, or there is another number of names or
            another size of pictures.
    """

    def __init__(self, path: PathLike) -> None:
        file = Path(path) / RECORDS_FILE if Path(path).is_dir() else Path(path)
        self.records = RecordFile(file, label_index=0, faces=True)
        stated = find_property(file.parent)
        wrong = wrong_classes(self.records.labels, stated.identities if stated else MAX_CLASSES)
        if wrong:
            where = f'{file}: record {wrong.number} at offset {self.records.offset(wrong.number)} {wrong.reason}'
            limit = f' that {file.parent / PROPERTY_FILE} states' if stated else ''
            raise DataError(f'{where}{limit} ({wrong.records} of {len(self.records)} pictures)')
        self.labels = self.records.labels.astype(np.int64)
        self.identities = stated.identities if stated else int(self.labels.max()) + 1
        self.size = image_size(bytes(self.records.image(0)), f'{file}: its first picture')
        if stated and stated.size != self.size:
            raise DataError(
                f'{file.parent / PROPERTY_FILE} states pictures of {stated.height} x {stated.width} pixels (height x '
                f'width), the first in {file} has {self.size[0]} x {self.size[1]}: correct its line'
            )
        self.names = names_beside(file).names
        if self.names is not None and len(self.names) != self.identities:
            raise DataError(
                f'{file.parent / CLASSES_FILE} has {len(self.names)} names for {self.identities} identities'
            )

    def __len__(self) -> int:
        return len(self.records)

    @property
    def folder(self) -> Path:
        """The folder of the set."""
        return self.records.path.parent


class FaceWriter:
    """Appends pictures, and keeps which are of one identity.

    Attributes:
        labels: number of identities up to the largest label so far.
        pictures: number of pictures.
    """

    def __init__(self, records: RecordWriter, ordered: bool) -> None:
        self._records, self._ordered = records, ordered
        self._firsts = GrowingArray(np.int64)
        self._last = -1
        self.labels = self.pictures = 0

    def write(self, label: int, image: bytes, others: Sequence[float] = ()) -> None:
        """Append a picture; those of an identity follow each other, if identity records are written.

        Args:
            label: its identity.
            image: the encoded picture, stored as it is.
            others: its further labels.
        """
        self.pictures += 1
        if self._ordered and label != self._last:
            self._firsts.append(np.array([self.pictures]))
            self._last = label
        self.labels = max(self.labels, label + 1)
        labels = [float(label), *others] if len(others) else float(label)
        self._records.write(labels, image, self.pictures if self._ordered else None)

    def finish(self) -> None:
        """Append the header and the identity records."""
        if not self._ordered:
            return
        bounds = np.append(self._firsts.joined(), self.pictures + 1)
        check_exact(self.pictures, len(bounds) - 1)
        end = self.pictures + 1
        self._records.write([end, end + len(bounds) - 1], b'', 0)
        for number in range(len(bounds) - 1):
            self._records.write(bounds[number : number + 2].tolist(), b'', end + number)


def check_exact(pictures: int, identities: int) -> None:
    """Check that the numbers of a set can be labels, which are float32.

    Args:
        pictures: number of pictures.
        identities: number of identities.

    Raises:
        DataError: they cannot; the message says what to do.
    """
    if pictures + identities + 1 > _EXACT:
        raise DataError(
            f'{pictures} pictures of {identities} identities: identity records number both in float32, which is exact '
            f'up to {_EXACT}: write the pictures in random order (--shuffle), which needs no identity records'
        )


@contextmanager
def writing_faces(
    path: Path,
    size: Tuple[int, int],
    identities: Optional[int] = None,
    names: Optional[Sequence[str]] = None,
    ordered: bool = True,
    overwrite: bool = False,
) -> Iterator[FaceWriter]:
    """Write a set of faces; its files get their final names when the block ends without an error.

    Args:
        path: path of the ``.rec`` file; its folder is created.
        size: height and width of the pictures, in pixels.
        identities: number of identities; default as many as the labels number.
        names: names of the identities; default none.
        ordered: whether a header and identity records are written, which need the pictures of each identity together.
        overwrite: whether the files may exist.

    Yields:
        The writer.

    Raises:
        UsageError: a file exists.
        DataError: there are too many pictures for identity records.
        TransferError: the disk is full.
    """
    refuse_existing(set_files(path), overwrite)
    texts = set_files(path)[2:] if names is not None else set_files(path)[2:3]
    with made_folder(path.parent), atomic_paths(*texts) as temporary, RecordWriter(path) as records:
        writer = FaceWriter(records, ordered)
        yield writer
        writer.finish()
        stated = writer.labels if identities is None else identities
        temporary[0].write_text(f'{stated},{size[0]},{size[1]}\n')
        if names is not None:
            temporary[1].write_text(''.join(f'{name}\n' for name in names), encoding='utf-8')
        for old in set_files(path)[2:]:  # those of an older set must not stand beside the new records
            old.unlink(missing_ok=True)
    remove_masks(path)


def set_files(path: Path) -> List[Path]:
    """The files of a set: records, index, ``property``, ``classes.txt``.

    Args:
        path: path of the ``.rec`` file.
    """
    return [path, index_path(path), path.parent / PROPERTY_FILE, path.parent / CLASSES_FILE]

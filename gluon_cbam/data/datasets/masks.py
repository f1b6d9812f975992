"""Object masks of a ``.rec`` file, in the same folder: ``val.masks.npz`` for ``val.rec``.

A NumPy archive without pickles: ``ids`` (records,) int64, the ids of the records; ``size`` (2,) int64, height and
width in pixels; ``bits`` (records, ceil(height * width / 8)) uint8, the masks flattened row by row and packed, eight
pixels a byte, the first in the highest bit (``numpy.packbits``).
"""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike, atomic_path
from gluon_cbam.data.records.recordio import RecordFile


def masks_path(path: PathLike) -> Path:
    """The path of the masks of a ``.rec`` file.

    Args:
        path: path of the ``.rec`` file.
    """
    return Path(path).with_suffix('.masks.npz')


def remove_masks(path: PathLike) -> None:
    """Remove the masks of a ``.rec`` file that is written anew without masks, since they are of other records.

    Args:
        path: path of the ``.rec`` file.
    """
    masks_path(path).unlink(missing_ok=True)


def write_masks(path: PathLike, ids: Sequence[int], masks: Sequence[np.ndarray]) -> None:
    """Write masks atomically; the same masks give the same bytes.

    Args:
        path: path of the archive.
        ids: ids of the records.
        masks: (records, H, W) bool, in the order of ``ids``.
    """
    stacked = np.asarray(masks, bool)
    bits = np.packbits(stacked.reshape(len(stacked), -1), axis=1)
    size = np.asarray(stacked.shape[1:], np.int64)
    file = io.BytesIO()  # zipfile prints a traceback where a full disk refuses the end of a file
    np.savez_compressed(file, ids=np.asarray(ids, np.int64), size=size, bits=bits)
    with atomic_path(path) as temporary:
        temporary.write_bytes(file.getvalue())  # Python 3.12.1 may crash when it collects a view of it


class MaskFile:
    """The masks of a ``.rec`` file, by record.

    Args:
        records: the record file.
        path: path of the archive; by default, :func:`masks_path` of the file.

    Raises:
        DataError: there is no archive, it is damaged, or a record has no mask.
    """

    def __init__(self, records: RecordFile, path: Optional[PathLike] = None) -> None:
        self.path = Path(path) if path is not None else masks_path(records.path)
        ids, self.size, self._bits = _read(self.path)
        rows = {int(number): row for row, number in enumerate(ids)}
        missing = [int(number) for number in records.ids if int(number) not in rows]
        if missing:
            raise DataError(
                f'{self.path} has no mask for {len(missing)} of the {len(records)} records of {records.path}, '
                f'the first with id {missing[0]}: masks and records must come from one run'
            )
        self._rows = np.array([rows[int(number)] for number in records.ids])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> np.ndarray:
        """The mask of a record by its index in the file: (H, W) bool."""
        height, width = self.size
        bits = np.unpackbits(self._bits[self._rows[number]])[: height * width]
        return bits.reshape(height, width).astype(bool)


def _read(path: Path) -> Tuple[np.ndarray, Tuple[int, int], np.ndarray]:
    """The ids, (height, width) and bits of an archive."""
    if not path.is_file():
        raise DataError(f"no masks {str(path)!r}: 'cbam data shapes' writes them next to its records")
    try:
        with np.load(str(path), allow_pickle=False) as archive:
            ids, size, bits = (archive[name] for name in ('ids', 'size', 'bits'))
        height, width = (int(length) for length in size)
        if bits.dtype != np.uint8 or bits.shape != (len(ids), -(-height * width // 8)) or not len(set(ids)) == len(ids):
            raise ValueError(f'bits {bits.dtype} {bits.shape} for {len(ids)} masks of {height} x {width}')
    except (KeyError, TypeError, ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f'{path}: not an archive of masks ({error})') from None
    return ids, (height, width), bits

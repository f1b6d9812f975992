"""What a record file holds: classes, sizes, formats, means and standard deviations of the channels."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Callable, NamedTuple, Optional, Tuple

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.data.loading.preprocessing import decode

from .columns import Column
from .inspection import inspect, look_at
from .recordio import RecordFile, read_record

_PIECE = 64  # sampled records that a process looks at in one go
_MOST_CLASSES = 1 << 24  # whole numbers that float32 tells apart
_GREY = ('1', 'L', 'LA', 'I', 'I;16')  # modes of Pillow


def statistics(
    path: PathLike,
    sample: Optional[int] = None,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict:
    """Statistics of a record file, in one pass and bounded memory.

    Args:
        path: of the ``.rec`` file.
        sample: look at as many images, chosen at random; default all. Labels are always counted in full.
        seed: of the choice.
        workers: processes that decode.
        progress: told how many bytes of the file, or images of the sample, are done, and how many there are.

    Returns:
        For JSON: ``file``; ``records``; ``images`` looked at; ``bad`` ones among them; ``width``, ``height``,
        ``aspect`` (width over height) and ``bytes``, each with ``min``, ``median`` and ``max``; ``formats`` and
        ``modes`` (images of each, as Pillow names them), ``grey`` and ``cmyk`` images; ``mean`` and ``std`` of the
        channels R, G, B over all pixels, as parts of the brightest; ``classes`` as of :func:`class_counts`. None stands
        for what cannot be told.

    Raises:
        UsageError: there is no such file.
        DataError: its structure is damaged.
    """
    path = Path(path)
    totals = _Totals()
    if sample is None:
        labels = _look_at_all(path, totals, workers, progress)
    else:
        labels = _look_at_some(path, totals, sample, seed, workers, progress)
    return {'file': str(path), 'records': len(labels), **totals.as_dict(), 'classes': class_counts(labels)}


def _look_at_all(path: Path, totals: _Totals, workers: int, progress) -> np.ndarray:
    if not path.is_file():
        raise UsageError(f'no record file {str(path)!r}')
    labels = Column(np.float32)
    for chunk, measured in inspect(path, _measure, workers):
        if chunk.faults:
            fault = chunk.faults[0]
            raise DataError(f'{path}: record {fault.number} at offset {fault.offset}: {fault.reason}')
        labels.append(chunk.labels)
        totals.add(measured)
        progress(chunk.end, path.stat().st_size)
    if not len(labels):
        raise DataError(f'{path}: the file is empty')
    return labels.joined()


def _look_at_some(path: Path, totals: _Totals, sample: int, seed: int, workers: int, progress) -> np.ndarray:
    records = RecordFile(path, indexed=False)
    chosen = np.sort(np.random.RandomState(seed).permutation(len(records))[:sample])
    offsets = np.fromiter((records.offset(number) for number in chosen), np.int64, len(chosen))
    pieces = np.array_split(offsets, -(-len(offsets) // _PIECE))
    for number, measured in enumerate(look_at(path, pieces, _measure, workers), 1):
        totals.add(measured)
        progress(number * len(offsets) // len(pieces), len(offsets))
    return records.labels


def class_counts(labels: np.ndarray) -> Optional[dict]:
    """How many images each class has.

    Args:
        labels: (N,), class numbers from 0.

    Returns:
        ``count``, up to the greatest number; ``images`` by number; ``min``, ``median`` and ``max`` of them; the numbers
        that are ``empty``. None if a label is no class number.
    """
    with np.errstate(invalid='ignore'):
        if not ((labels >= 0) & (labels < _MOST_CLASSES) & (labels == np.floor(labels))).all():
            return None
    images = np.bincount(labels.astype(np.int64))
    empty = np.flatnonzero(images == 0).tolist()
    return {'count': len(images), 'images': images.tolist(), **_spread(images), 'empty': empty}


def _spread(values: np.ndarray) -> dict:
    low, median, high = (float(function(values)) for function in (np.min, np.median, np.max))
    return {'min': low, 'median': median, 'max': high}


class _Measured(NamedTuple):
    """Of some images: (n, 3) width, height, bytes; images by format and mode; sums over their pixels."""

    sizes: np.ndarray
    kinds: Counter
    pixels: int
    sums: np.ndarray
    squares: np.ndarray
    bad: int


def _measure(path: str, offsets: np.ndarray) -> _Measured:
    sizes, kinds, bad = [], Counter(), 0
    pixels, sums, squares = 0, np.zeros(3), np.zeros(3)
    with open(path, 'rb') as file:
        for offset in offsets.tolist():
            image = read_record(file.fileno(), offset).image
            try:
                decoded = decode(image, '')
            except DataError:
                bad += 1
                continue
            height, width = decoded.shape[:2]
            mean, std = (values[:, 0] for values in cv2.meanStdDev(decoded))
            sizes.append((width, height, len(image)))
            kinds[_kind(image)] += 1
            pixels += width * height
            sums += width * height * mean
            squares += width * height * (std**2 + mean**2)
    return _Measured(np.asarray(sizes, np.int32).reshape(-1, 3), kinds, pixels, sums, squares, bad)


def _kind(image: bytes) -> Tuple[str, str]:
    """Format and mode of an encoded image, read from its header."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # it has been decoded already
    try:
        with Image.open(io.BytesIO(image)) as header:
            return header.format, header.mode
    except (OSError, SyntaxError, ValueError):  # Pillow reads fewer kinds than OpenCV
        return 'unknown', 'unknown'


class _Totals:
    """What was measured of all images together."""

    def __init__(self):
        self._sizes = Column(np.int32)
        self._kinds = Counter()
        self._pixels = self._bad = 0
        self._sums, self._squares = np.zeros(3), np.zeros(3)

    def add(self, measured: _Measured) -> None:
        self._sizes.append(measured.sizes)
        self._kinds.update(measured.kinds)
        self._pixels += measured.pixels
        self._sums += measured.sums
        self._squares += measured.squares
        self._bad += measured.bad

    def as_dict(self) -> dict:
        sizes = self._sizes.joined().reshape(-1, 3)
        about = {'images': len(sizes) + self._bad, 'bad': self._bad}
        columns = {'width': sizes[:, 0], 'height': sizes[:, 1], 'bytes': sizes[:, 2]}
        columns['aspect'] = sizes[:, 0] / np.maximum(sizes[:, 1], 1)
        about.update({name: _spread(values) if len(sizes) else None for name, values in columns.items()})
        for name, place in (('formats', 0), ('modes', 1)):
            about[name] = dict(sum((Counter({kind[place]: n}) for kind, n in self._kinds.items()), Counter()))
        about['grey'] = sum(about['modes'].get(mode, 0) for mode in _GREY)
        about['cmyk'] = about['modes'].get('CMYK', 0)
        mean = self._sums / max(self._pixels, 1)
        std = np.sqrt(np.maximum(self._squares / max(self._pixels, 1) - mean**2, 0))
        about.update(
            {name: (values / 255).tolist() if self._pixels else None for name, values in (('mean', mean), ('std', std))}
        )
        return about

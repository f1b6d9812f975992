"""Statistics of a record file: classes, sizes, formats, means and standard deviations of the channels."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple
from typing import Counter as CounterType

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike
from gluon_cbam.data.decoding import decode

from .faces import find_pictures
from .format import HeaderColumns
from .growing_array import GrowingArray
from .identities import pictures_of_identities
from .index import existing_file
from .label_hints import label_hints
from .labels import are_classes, checked_index, label_counts, unfit_for_classes, wrong_counts
from .parallel import map_chunks, map_offsets
from .recordio import RecordFile, read_record

_PIECE = 64  # number of sampled records in a task of a process
_GRAY = ('1', 'L', 'LA', 'I', 'I;16')  # modes of Pillow
_Progress = Callable[[int, int], None]


def statistics(
    path: PathLike,
    sample: Optional[int] = None,
    seed: int = 0,
    workers: int = 1,
    progress: _Progress = lambda done, total: None,
    label_index: Optional[int] = None,
) -> dict:
    """Statistics of a record file, in one pass and bounded memory.

    Args:
        path: path of the ``.rec`` file.
        sample: number of images to measure, chosen at random; by default, all. All labels are counted in either case.
        seed: random seed of the choice.
        workers: number of processes that decode.
        progress: called with (done, total), in bytes of the file or in images of the sample.
        label_index: the label of a record that is a class, from 0; default the only one, or the first of a picture of
            insightface.

    Returns:
        A dictionary of values for JSON: ``file``; ``records``; ``images``, the number of measured images; ``bad`` ones
        among them; ``width``, ``height``, ``aspect`` (width over height) and ``bytes``, each with ``min``, ``median``
        and ``max``; ``formats`` and ``modes`` (number of images by Pillow's name); numbers of ``grey`` and ``cmyk``
        images; ``mean`` and
        ``std`` of the channels R, G, B over all pixels, in 0..1; ``classes``, see :func:`class_counts`;
        ``label_counts``, number of labels -> number of records; ``identities``, the number of insightface's identity
        records, which are left out as its header is; ``identity_pictures``, see :func:`.pictures_of_identities`, of
        such files; ``unfit``, why the labels are not those of classes;
        ``warnings``, see :func:`.label_hints.label_hints`. A value that is unknown is None.

    Raises:
        UsageError: there is no such file.
        DataError: the file is empty, its structure is damaged, or a record has no label of that index.
    """
    file = existing_file(path)
    checked_index(label_index)
    totals = _Totals()
    if sample is None:
        columns = _measure_all(file, totals, workers, progress, label_index or 0)
    else:
        columns = _measure_sample(file, totals, sample, seed, workers, progress, label_index)
    labels, counts, identities = columns
    too_few = wrong_counts(counts, label_index) if label_index is not None else None
    if too_few:
        raise DataError(
            f'{file}: record {too_few.number} {too_few.reason} ({too_few.records} of {len(counts)} records): '
            f'--label-index {label_index} is counted from 0'
        )
    unfit = unfit_for_classes(labels, counts, 0 if label_index is None and identities is not None else label_index)
    return {
        'file': str(file), 'records': len(labels), **totals.as_dict(),
        'classes': None if unfit else class_counts(labels), 'label_counts': label_counts(counts),
        'identities': identities,
        'identity_pictures': None if identities is None else pictures_of_identities(labels),
        'unfit': f'record {unfit.number} {unfit.reason}' if unfit else None,
        'warnings': [] if unfit else label_hints(labels, str(file)),
    }  # fmt: skip


class _Labels(NamedTuple):
    """Label and number of labels of each record with an image, and the number of insightface's identity records."""

    labels: np.ndarray
    counts: np.ndarray
    identities: Optional[int]


def _measure_all(path: Path, totals: _Totals, workers: int, progress: _Progress, label_index: int) -> _Labels:
    """Measure every image."""
    columns = HeaderColumns()
    for chunk, measured in map_chunks(path, _measure, workers, label_index):
        if chunk.faults:
            raise chunk.faults[0].error(path)
        columns.add(chunk)
        totals.add(measured)
        progress(chunk.end, path.stat().st_size)
    if not len(columns):
        raise DataError(f'{path}: the file is empty')
    headers = columns.joined()
    with open(path, 'rb') as file:
        pictures = find_pictures(headers, file.fileno())
    if pictures is None:
        return _Labels(headers.labels, headers.counts, None)
    others = int(np.count_nonzero(~pictures))
    totals.remove_bad(others)
    return _Labels(headers.labels[pictures], headers.counts[pictures], others - 1)


def _measure_sample(
    path: Path,
    totals: _Totals,
    sample: int,
    seed: int,
    workers: int,
    progress: _Progress,
    label_index: Optional[int],
) -> _Labels:
    """Measure images chosen at random; the labels are those of all records of the file."""
    records = RecordFile(path, indexed=False, label_index=label_index)
    chosen = np.sort(np.random.RandomState(seed).permutation(len(records))[:sample])
    offsets = records.offsets[chosen]
    pieces = np.array_split(offsets, -(-len(offsets) // _PIECE))
    for number, measured in enumerate(map_offsets(path, pieces, _measure, workers), 1):
        totals.add(measured)
        progress(number * len(offsets) // len(pieces), len(offsets))
    return _Labels(records.labels, records.label_counts, records.identities)


def class_counts(labels: np.ndarray) -> Optional[dict]:
    """The number of images of each class.

    Args:
        labels: (N,) float32, class indices.

    Returns:
        ``count`` of classes, up to the largest index; ``images`` of each class; their ``min``, ``median`` and ``max``;
        the indices of ``empty`` classes. None if a label is not a class index.
    """
    if not are_classes(labels).all():
        return None
    images = np.bincount(labels.astype(np.int64))
    empty = np.flatnonzero(images == 0).tolist()
    return {'count': len(images), 'images': images.tolist(), **_quantiles(images), 'empty': empty}


def _quantiles(values: np.ndarray) -> Dict[str, float]:
    return {'min': float(np.min(values)), 'median': float(np.median(values)), 'max': float(np.max(values))}


class _Measured(NamedTuple):
    """Measurements of some images: (n, 3) width, height, bytes; number by format and mode; sums over all pixels."""

    sizes: np.ndarray
    kinds: CounterType[Tuple[str, str]]
    pixels: int
    sums: np.ndarray
    squares: np.ndarray
    bad: int


def _measure(path: str, offsets: np.ndarray) -> _Measured:
    sizes, bad = [], 0
    kinds: CounterType[Tuple[str, str]] = Counter()
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

    Image.MAX_IMAGE_PIXELS = None  # the image was decoded before
    try:
        with Image.open(io.BytesIO(image)) as header:
            return header.format or 'unknown', header.mode
    except (OSError, SyntaxError, ValueError):  # Pillow reads fewer variants than OpenCV
        return 'unknown', 'unknown'


class _Totals:
    """Accumulates the measurements of all images."""

    def __init__(self) -> None:
        self._sizes = GrowingArray(np.int32)
        self._kinds: CounterType[Tuple[str, str]] = Counter()
        self._pixels = self._bad = 0
        self._sums, self._squares = np.zeros(3), np.zeros(3)

    def add(self, measured: _Measured) -> None:
        self._sizes.append(measured.sizes)
        self._kinds.update(measured.kinds)
        self._pixels += measured.pixels
        self._sums += measured.sums
        self._squares += measured.squares
        self._bad += measured.bad

    def remove_bad(self, records: int) -> None:
        """Leave out records that have no image and need none."""
        self._bad -= records

    def as_dict(self) -> dict:
        sizes = self._sizes.joined().reshape(-1, 3)
        about: Dict[str, Any] = {'images': len(sizes) + self._bad, 'bad': self._bad}
        columns = {'width': sizes[:, 0], 'height': sizes[:, 1], 'bytes': sizes[:, 2]}
        columns['aspect'] = sizes[:, 0] / np.maximum(sizes[:, 1], 1)
        about.update({name: _quantiles(values) if len(sizes) else None for name, values in columns.items()})
        formats, modes = (self._images_by(position) for position in (0, 1))
        about.update(formats=formats, modes=modes)
        about['grey'] = sum(modes.get(mode, 0) for mode in _GRAY)
        about['cmyk'] = modes.get('CMYK', 0)
        mean = self._sums / max(self._pixels, 1)
        std = np.sqrt(np.maximum(self._squares / max(self._pixels, 1) - mean**2, 0))
        for name, values in (('mean', mean), ('std', std)):
            about[name] = (values / 255).tolist() if self._pixels else None
        return about

    def _images_by(self, position: int) -> Dict[str, int]:
        """The number of images by format (position 0 of the key) or mode (position 1)."""
        images: CounterType[str] = Counter()
        for kind, count in self._kinds.items():
            images[kind[position]] += count
        return dict(images)

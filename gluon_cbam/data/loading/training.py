"""Training batches; order and pixels depend only on seed and epoch, for any number of threads and processes."""

from __future__ import annotations

import ctypes
import logging
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Dict, Generator, Iterator, List, NamedTuple, Optional, Tuple

import mxnet as mx
import numpy as np
from mxnet.base import _LIB, check_call

from gluon_cbam.common.errors import DataError, UsageError, closest
from gluon_cbam.common.parallel import ordered_map
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.compat.renamed import renamed_attributes
from gluon_cbam.data.decoding import image_threads
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.recordio import RecordFile

from .augmentation import AUGMENTATIONS, augment
from .order import Order, RandomOrder
from .preprocessing import Preprocessing

_log = logging.getLogger('gluon_cbam.data')
_SLICE = 4  # images that a thread decodes at a time: fewer cost more switches, more leave threads idle at the end
_PREFETCHED_BATCHES = 2
_ORDER, _PIXELS = range(2)  # independent streams of random numbers


class Batch(NamedTuple):
    """Images to train on.

    Attributes:
        images: (N, H, W, 3) uint8 RGB on the CPU; :class:`Normalize` turns them into the network's input on the
            device, so that a quarter of the bytes is transferred.
        labels: (N,) float32, on the CPU.
    """

    images: mx.nd.NDArray
    labels: mx.nd.NDArray


class Normalize(mx.gluon.HybridBlock):
    """Normalizes a batch: (N, H, W, 3) uint8 RGB to (N, 3, H, W), with the values of :class:`Preprocessing`.

    Args:
        preprocessing: gives the mean and standard deviation of the channels.
        dtype: data type of the result.
    """

    def __init__(self, preprocessing: Preprocessing, dtype: str = 'float32'):
        super().__init__()
        self._mean, self._std, self._dtype = preprocessing.mean, preprocessing.std, dtype

    def hybrid_forward(self, F: OpNamespace, images: Tensor) -> Tensor:
        """Scale and transpose a batch."""
        x = F.image.to_tensor(images)  # (N, 3, H, W) in 0..1
        x = F.image.normalize(x, self._mean, self._std)
        return x if self._dtype == 'float32' else F.cast(x, self._dtype)


@dataclass
class BadRecords:
    """The records of a run that cannot be decoded, up to a limit.

    Attributes:
        limit: maximum number of records that may be skipped; default 0.
        numbers: indices of the bad records, each once, in the order in which they were found.
    """

    limit: int = 0
    numbers: List[int] = field(default_factory=list)

    def add(self, found: Dict[int, str]) -> None:
        """Count and log the records that were not known to be bad.

        Args:
            found: index of the record -> the fault, with the name of the record.

        Raises:
            DataError: there are more than the limit.
        """
        for number, fault in found.items():
            if number in self.numbers:
                continue
            if len(self.numbers) >= self.limit:
                raise self.too_many(fault)
            self.numbers.append(number)
            _log.warning('%s: skipped (%d of at most %d)', fault, len(self.numbers), self.limit)

    def too_many(self, fault: str) -> DataError:
        """The error for a record beyond the limit.

        Args:
            fault: the fault of that record, with its name.

        Returns:
            The error, which the caller raises.
        """
        if self.limit:
            return DataError(f'{fault}: one bad record more than --max-bad-records {self.limit}')
        return DataError(f'{fault}: pack the image again, or skip such records with --max-bad-records')


@dataclass(frozen=True)
class TrainingData:
    """The batches of each epoch of a training run.

    The order of an epoch is a permutation of all records that depends only on the seed and the epoch. A step takes the
    next ``batch_size`` records of it, and process ``rank`` its share of these: any number of processes trains on the
    same batches, all do the same number of steps, and an epoch can be resumed in the middle at no cost. The last
    incomplete batch is left out; its records differ in each epoch. The random numbers of the augmentation depend only
    on the seed, the epoch and the position in the order: with one version of OpenCV, pixels are bitwise the same in
    every run, on any number of threads and processes, and after a resume.

    A record whose image cannot be decoded is replaced by the next good one in the order of the epoch, which is then
    used twice; ``bad`` counts it. (MXNet 1.9.1's ImageRecordIter ends the epoch, or crashes the process.) Labels are
    not checked: see :meth:`RecordFile.check_labels`.

    Attributes:
        records: the record file.
        batch_size: number of images in a step, over all devices and processes.
        preprocessing: preprocessing of the validation images; training uses its image size.
        augmentation: a key of :data:`AUGMENTATIONS`.
        seed: random seed of the order and the augmentation.
        workers: number of threads that decode.
        rank: rank of this process in its process group, from 0.
        processes: number of processes in the group.
        bad: counts the bad records that this process finds.
        cutoff: see :func:`.augmentation.augment`.
        order: the order of the records in an epoch; default every record once, at random.

    Raises:
        UsageError: unknown augmentation, a cutoff that is negative or hides the image, fewer records
            than one batch, or a batch that the processes cannot share.
    """

    records: RecordFile
    batch_size: int
    preprocessing: Preprocessing
    augmentation: str
    seed: int
    workers: int
    rank: int = 0
    processes: int = 1
    bad: BadRecords = field(default_factory=BadRecords)
    cutoff: int = 0
    order: Optional[Order] = None

    def __post_init__(self) -> None:
        if self.augmentation not in AUGMENTATIONS:
            raise UsageError(f'unknown augmentation {self.augmentation!r}: {closest(self.augmentation, AUGMENTATIONS)}')
        if not 0 <= self.cutoff <= self.preprocessing.image_size:
            raise UsageError(f'cutoff must be in 0..{self.preprocessing.image_size} pixels, got {self.cutoff}')
        if self.batch_size % self.processes:
            raise UsageError(f'{self.processes} workers cannot share a batch of {self.batch_size} images evenly')
        if len(self) == 0:
            raise UsageError(
                f'a batch of {self.batch_size} needs at least as many records, {self.records.path} has '
                f'{len(self.epoch_order)}: use a smaller --batch-size'
            )

    def __len__(self) -> int:
        return len(self.epoch_order) // self.batch_size

    @property
    def epoch_order(self) -> Order:
        """The order of the records in an epoch."""
        return RandomOrder(len(self.records)) if self.order is None else self.order

    def epoch(self, number: int, skip: int = 0) -> Generator[Batch, None, None]:
        """The batches of this process in an epoch; a few of them are prefetched.

        Args:
            number: index of the epoch, from 0.
            skip: number of batches to skip at the beginning, to resume in the middle of an epoch.

        Yields:
            The batches.

        Raises:
            DataError: more records than ``bad`` allows cannot be decoded; the message names the record and its offset.
                It is raised in place of the batch that the record belongs to.
        """
        epoch = _Epoch(self, number)
        steps = range(skip, len(self))
        slices_per_batch = -(-epoch.share // _SLICE)
        prefetch = max(_PREFETCHED_BATCHES * slices_per_batch, 2 * self.workers)
        empty = (batch_slice for step in steps for batch_slice in epoch.slices(step))
        with image_threads(self.workers) as pool, closing(
            ordered_map(pool, epoch.fill, empty, prefetch, group_size=slices_per_batch)
        ) as filled:
            for _ in steps:
                slices, found = zip(*islice(filled, slices_per_batch))
                for bad in found:
                    self.bad.add(bad)
                yield Batch(slices[0].images, mx.nd.array(slices[0].labels))


def _memory(array: mx.nd.NDArray) -> np.ndarray:
    """The memory of a uint8 array on the CPU, to be written to before the array is used elsewhere.

    Writing here avoids ``mx.nd.array``, which takes ten times as long as the copy that it makes.
    """
    pointer = ctypes.c_void_p()
    check_call(_LIB.MXNDArrayGetData(array.handle, ctypes.byref(pointer)))
    return np.ctypeslib.as_array(ctypes.cast(pointer, ctypes.POINTER(ctypes.c_uint8)), shape=array.shape)


class _Slice(NamedTuple):
    """A few images of a batch, which one thread decodes.

    Attributes:
        images: images of the whole batch, uint8.
        pixels: the memory of ``images``.
        labels: labels of the whole batch.
        rows: indices of the slice within the batch.
        first: position of row 0 in the order of the epoch.
    """

    images: mx.nd.NDArray
    pixels: np.ndarray
    labels: np.ndarray
    rows: range
    first: int


class _Epoch:
    """The order and the random numbers of an epoch, for the threads."""

    def __init__(self, data: TrainingData, number: int):
        self._data, self._number = data, number
        self.share = data.batch_size // data.processes
        self._order = data.epoch_order(self._random(_ORDER))

    def slices(self, step: int) -> Iterator[_Slice]:
        """The slices of the batch of this process in a step, not decoded yet."""
        size = self._data.preprocessing.image_size
        images = mx.nd.empty((self.share, size, size, 3), dtype='uint8')
        pixels, labels = _memory(images), np.empty(self.share, np.float32)
        first = step * self._data.batch_size + self._data.rank * self.share
        for row in range(0, self.share, _SLICE):
            yield _Slice(images, pixels, labels, range(row, min(row + _SLICE, self.share)), first)

    def fill(self, batch_slice: _Slice) -> Tuple[_Slice, Dict[int, str]]:
        """Decode and augment the images of a slice; returns it with the faults of bad records by index.

        The consumer of the batches counts them, in the order of the epoch and not in the order of the threads.
        """
        found: Dict[int, str] = {}
        for row in batch_slice.rows:
            self._fill_row(batch_slice, row, found)
        return batch_slice, found

    def _fill_row(self, batch_slice: _Slice, row: int, found: Dict[int, str]) -> None:
        """Decode and augment one image.

        A separate function, so that its pixels are freed before the next image is decoded into the same memory: two
        images in turn do not fit into a core's cache (measured: 5 % of the loader's time).
        """
        data, position = self._data, batch_slice.first + row
        number, pixels = self._good_record(position, found)
        rng = self._random(_PIXELS, position)
        batch_slice.pixels[row] = augment(data.augmentation, pixels, data.preprocessing, rng, data.cutoff)
        batch_slice.labels[row] = data.records.labels[number]

    def _good_record(self, position: int, found: Dict[int, str]) -> Tuple[int, np.ndarray]:
        """Index and pixels of the first good record from a position in the order on, wrapping around at its end."""
        for further in range(len(self._order)):
            number = int(self._order[(position + further) % len(self._order)])
            try:
                return number, decode_record(self._data.records, number)
            except DataError as error:
                found[number] = str(error)
                if len(found) > self._data.bad.limit:
                    raise self._data.bad.too_many(str(error)) from None
        raise DataError(f'{self._data.records.path}: no image can be decoded')

    def _random(self, purpose: int, position: int = 0) -> np.random.Generator:
        """A generator for a purpose and a position; Philox is counter-based, so any position costs the same."""
        key, counter = (self._data.seed, self._number), (0, position, purpose, 0)
        return np.random.Generator(np.random.Philox(key=key, counter=counter))


__getattr__ = renamed_attributes(__name__, {'Normalise': 'data.loading.training.Normalize'})

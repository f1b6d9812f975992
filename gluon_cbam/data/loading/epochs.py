"""The epochs of training on record files; order and random numbers depend only on seed and epoch.

:class:`RecordBatches` is the base of the training batches of all tasks: a task adds what a label is, and how image and
label are augmented. :mod:`gluon_cbam.data.loading.training` has images with a number as their label.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Callable, Dict, Generator, Iterator, List, NamedTuple, Optional, Sequence, Tuple, TypeVar, Union

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.parallel import ordered_map
from gluon_cbam.data.decoding import SMALL_PIXELS, EncodedImage, Reduced, SmallImage, image_threads
from gluon_cbam.data.records.images import open_record
from gluon_cbam.data.records.recordio import RecordFile

from .bad_records import BadRecords
from .batch_slices import BatchSlice, memory_of
from .draws import PositionedGenerators, up_to
from .order import Order, RandomOrder
from .preprocessing import Preprocessing

# images that a thread decodes at a time: fewer cost more switches, more leave threads idle at the end
_SLICE, _SLICE_OF_SMALL = 8, 32
_PREFETCHED_BATCHES = 2
_ONE_SIZE = 10  # batches in a row, as GluonCV's RandomTransformDataLoader
_ORDER, _PIXELS, _SIZES = range(3)  # independent streams of random numbers

_Self = TypeVar('_Self', bound='RecordBatches')


class Example(NamedTuple):
    """A record to train on.

    Attributes:
        number: index of the record.
        image: its image, which is not decoded yet.
    """

    number: int
    image: Union[EncodedImage, SmallImage]

    @property
    def size(self) -> Tuple[int, int]:
        """Height and width of the pixels."""
        return self.image.height, self.image.width

    def pixels(self, rows: Optional[int] = None, fast: bool = False) -> np.ndarray:
        """Decode the image, see :meth:`gluon_cbam.data.decoding.EncodedImage.pixels`: (H, W, 3) uint8 RGB."""
        try:
            return self.image.pixels(rows, fast)
        except DataError as error:
            raise _BadRecord(self.number, str(error)) from None

    def reduced(self, height: float, width: float, rows: int) -> Optional[Reduced]:
        """Decode the image in a smaller size, see :meth:`gluon_cbam.data.decoding.EncodedImage.reduced`."""
        try:
            return self.image.reduced(height, width, rows)
        except DataError as error:
            raise _BadRecord(self.number, str(error)) from None


class _BadRecord(Exception):
    """The image of a record cannot be decoded: the arguments are its index and the fault."""


Load = Callable[[int], Example]
"""From a position in the order of an epoch to the first good record from there on."""
MakeRow = Callable[[], Tuple[np.ndarray, Any]]
"""Makes a row of a batch: (height, width, 3) uint8 RGB, and its label."""


@dataclass(frozen=True)
class RecordBatches(ABC):
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
        records: the records.
        batch_size: number of images in a step, over all devices and processes.
        preprocessing: preprocessing of the validation images; training uses its image size.
        augmentation: name of the augmentation, a key of the table of the subclass.
        seed: random seed of the order and the augmentation.
        workers: number of threads that decode.
        rank: rank of this process in its process group, from 0.
        processes: number of processes in the group.
        bad: counts the bad records that this process finds.
        order: the order of the records in an epoch; default every record once, at random.
        image_sizes: sizes in pixels of square images, of which ten batches in a row have one at random, which depends
            on the seed, the epoch and the batch; default none: all have that of ``preprocessing``.

    Raises:
        UsageError: fewer records than one batch, or a batch that the processes cannot share.
    """

    records: Any
    batch_size: int
    preprocessing: Preprocessing
    augmentation: str
    seed: int
    workers: int
    rank: int = 0
    processes: int = 1
    bad: BadRecords = field(default_factory=BadRecords)
    order: Optional[Order] = None
    image_sizes: Sequence[int] = ()

    def __post_init__(self) -> None:
        if self.batch_size % self.processes:
            raise UsageError(f'{self.processes} workers cannot share a batch of {self.batch_size} images evenly')
        if len(self) == 0:
            raise UsageError(
                f'a batch of {self.batch_size} needs at least as many records, {self.records.path} has '
                f'{len(self.epoch_order)}: use a smaller --batch-size'
            )

    @property
    def file(self) -> RecordFile:
        """The record file."""
        return self.records

    # what a task adds

    @abstractmethod
    def planned(self, position: int, load: Load, rng: np.random.Generator) -> MakeRow:
        """Plan a row of a batch from headers and labels; called by threads.

        What many operations on a few numbers can do should be done here, and what needs pixels by the result: a few
        rows are planned in turn before the first of them is made.

        Args:
            position: the place of the row in the order of the epoch.
            load: reads a record, usually the one at ``position``, without decoding its image.
            rng: the random numbers of this position.

        Returns:
            Makes the row, of the size of ``self.preprocessing``. Where an image that it decodes is damaged, the
            row is planned anew with another record.
        """

    @abstractmethod
    def batch(self, images: mx.nd.NDArray, labels: Sequence[Any]) -> Any:
        """Make a batch of its rows.

        Args:
            images: (N, height, width, channels) uint8 on the CPU.
            labels: the label of each row.

        Returns:
            A named tuple of arrays on the CPU, each with one row for each image.
        """

    def __len__(self) -> int:
        return len(self.epoch_order) // self.batch_size

    @property
    def epoch_order(self) -> Order:
        """The order of the records in an epoch."""
        return RandomOrder(len(self.records)) if self.order is None else self.order

    def of_size(self: _Self, image_size: int) -> _Self:
        """The same batches, all of square images of one size, in pixels."""
        return replace(self, preprocessing=replace(self.preprocessing, image_size=image_size), image_sizes=())

    def numbers(self, epoch: int, step: int) -> List[int]:
        """The records of a batch over all processes, for messages.

        Args:
            epoch: index of the epoch, from 0.
            step: index of the batch in the epoch, from 0.

        Returns:
            The indices of the records in their order; one that cannot be decoded is replaced by the next.
        """
        first = step * self.batch_size
        return [int(number) for number in _Epoch(self, epoch).order[first : first + self.batch_size]]

    def epoch(self, number: int, skip: int = 0) -> Generator[Any, None, None]:
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
        slices_per_batch = -(-epoch.share // epoch.slice_size)
        prefetch = max(_PREFETCHED_BATCHES * slices_per_batch, 2 * self.workers)
        empty = (batch_slice for step in steps for batch_slice in epoch.slices(step))
        with image_threads(self.workers) as pool, closing(
            ordered_map(pool, epoch.fill, empty, prefetch, group_size=slices_per_batch)
        ) as filled:
            for _ in steps:
                slices, found = zip(*islice(filled, slices_per_batch))
                for bad in found:
                    self.bad.add(bad)
                yield self.batch(slices[0].images, slices[0].labels)


class _Epoch:
    """The order and the random numbers of an epoch, for the threads."""

    def __init__(self, data: RecordBatches, number: int):
        self._data, self._number = data, number
        self.share = data.batch_size // data.processes
        self._pixels, self._sizes = (PositionedGenerators((data.seed, number), use) for use in (_PIXELS, _SIZES))
        self.order = data.epoch_order(PositionedGenerators((data.seed, number), _ORDER).new(0))
        height, width = data.preprocessing.shape
        self.slice_size = _SLICE_OF_SMALL if height * width <= SMALL_PIXELS else _SLICE

    def slices(self, step: int) -> Iterator[BatchSlice]:
        """The slices of the batch of this process in a step, not decoded yet."""
        data = self._sized(step)
        images = mx.nd.empty((self.share, *data.preprocessing.shape, data.preprocessing.channels), dtype='uint8')
        pixels, labels = memory_of(images), [None] * self.share
        first = step * self._data.batch_size + self._data.rank * self.share
        for row in range(0, self.share, self.slice_size):
            rows = range(row, min(row + self.slice_size, self.share))
            yield BatchSlice(images, pixels, labels, rows, first, data.planned)

    def _sized(self, step: int) -> RecordBatches:
        """The data, of the image size of a step."""
        sizes = self._data.image_sizes
        if not sizes:
            return self._data
        return self._data.of_size(sizes[up_to(self._sizes.new(step // _ONE_SIZE), len(sizes) - 1)])

    def fill(self, batch_slice: BatchSlice) -> Tuple[BatchSlice, Dict[int, str]]:
        """Decode and augment the images of a slice; returns it with the faults of bad records by index.

        The consumer of the batches counts them, in the order of the epoch and not in the order of the threads.
        """
        found: Dict[int, str] = {}
        # in turn: many operations on a few numbers take several times as long while files and pixels fill the caches
        read = {row: self._good_record(batch_slice.first + row, found) for row in batch_slice.rows}
        plans = [self._plan(batch_slice, row, example, found) for row, example in read.items()]
        for row, make in zip(batch_slice.rows, plans):
            self._fill_row(batch_slice, row, make, found)
        return batch_slice, found

    def _plan(self, batch_slice: BatchSlice, row: int, example: Example, found: Dict[int, str]) -> MakeRow:
        """Plan a row, whose own example was read."""
        position = batch_slice.first + row

        def load(place: int) -> Example:
            return example if place == position else self._good_record(place, found)

        return batch_slice.planned(position, load, self._pixels.moved(row - batch_slice.rows.start, position))

    def _fill_row(self, batch_slice: BatchSlice, row: int, make: MakeRow, found: Dict[int, str]) -> None:
        """Decode and augment one image.

        A separate function, so that its pixels are freed before the next image is decoded into the same memory: two
        images in turn do not fit into a core's cache (measured: 5 % of the loader's time).
        """
        while True:
            try:
                pixels, batch_slice.labels[row] = make()
                batch_slice.pixels[row] = self._data.preprocessing.to_channels(pixels)
                return
            except _BadRecord as bad:
                self._note(found, *bad.args)
                example = self._good_record(batch_slice.first + row, found)
                make = self._plan(batch_slice, row, example, found)

    def _good_record(self, position: int, found: Dict[int, str]) -> Example:
        """The first record from a position in the order on that is not known as bad, wrapping around at its end."""
        for further in range(len(self.order)):
            number = int(self.order[(position + further) % len(self.order)])
            if number in found:
                continue
            try:
                return Example(number, open_record(self._data.file, number))
            except DataError as error:
                self._note(found, number, str(error))
        raise DataError(f'{self._data.records.path}: no image can be decoded')

    def _note(self, found: Dict[int, str], number: int, fault: str) -> None:
        """Note a bad record."""
        found[number] = fault
        if len(found) > self._data.bad.limit:
            raise self._data.bad.too_many(fault)

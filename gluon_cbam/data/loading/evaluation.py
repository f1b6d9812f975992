"""Evaluation batches, which contain each record exactly once."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.parallel import ordered_map
from gluon_cbam.data.decoding import image_threads
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.recordio import RecordFile


def check_images(records: RecordFile, workers: int) -> None:
    """Check that every image of a file can be decoded.

    Args:
        records: the record file.
        workers: number of threads.

    Raises:
        DataError: an image cannot be decoded; the message names the record and its offset.
    """
    load_all(partial(decode_record, records), len(records), workers)


def load_all(load: Callable[[int], np.ndarray], count: int, workers: int) -> None:
    """Load every image of a set once, and keep none.

    Args:
        load: function from the number of an image to its pixels; called by threads.
        count: number of images.
        workers: number of threads.

    Raises:
        DataError: see ``load``.
    """

    def check(number: int) -> None:  # so that no pixels wait
        load(number)

    with image_threads(workers) as pool:
        for _ in ordered_map(pool, check, range(count), prefetch=16 * workers):
            pass


@dataclass(frozen=True)
class EvaluationBatch:
    """Images to evaluate.

    Attributes:
        images: (batch size, 3, H, W) float32, or the shape and type that the preprocessing returns; rows from ``count``
            on are zeros.
        labels: (count,) int64.
        count: number of images in the batch.
    """

    images: np.ndarray
    labels: np.ndarray
    count: int


def evaluation_batches(
    records: RecordFile,
    batch_size: int,
    preprocessing: Callable[[np.ndarray], np.ndarray],
    workers: int,
    numbers: Optional[range] = None,
) -> Iterator[EvaluationBatch]:
    """Batches of equal size with each record of a file, or of a part of it, exactly once and in order.

    No record is skipped: an image that cannot be decoded raises an error.

    Args:
        records: the record file.
        batch_size: number of images in a batch; the last batch is padded with zeros.
        preprocessing: called with the (H, W, 3) uint8 RGB pixels of every image, such as a :class:`.Preprocessing`.
        workers: number of threads that decode.
        numbers: indices of the records to evaluate; by default, all. A process of a group evaluates
            ``range(rank, len(records), processes)``.

    Yields:
        The batches.

    Raises:
        DataError: an image cannot be decoded; the message names the record.
    """
    numbers = range(len(records)) if numbers is None else numbers

    def load(number: int) -> np.ndarray:
        return preprocessing(decode_record(records, number))

    labels = records.labels[numbers.start : numbers.stop : numbers.step].astype(np.int64)
    done = 0
    for images, count in image_batches(load, numbers, batch_size, workers):
        yield EvaluationBatch(images, labels[done : done + count], count)
        done += count


def image_batches(
    load: Callable[[int], np.ndarray], numbers: Sequence[int], batch_size: int, workers: int
) -> Iterator[Tuple[np.ndarray, int]]:
    """Prepared images, loaded ahead by threads, in batches of one size.

    Args:
        load: from a number to a row of a batch; called by threads.
        numbers: of the images, in their order.
        batch_size: images a batch; the last batch is padded with zeros.
        workers: number of threads.

    Yields:
        A batch, (batch size, ...), and how many of its rows are images.
    """
    prefetch = 2 * batch_size + workers
    with image_threads(workers) as pool, closing(ordered_map(pool, load, numbers, prefetch)) as images:
        for _ in range(0, len(numbers), batch_size):
            chunk = list(islice(images, batch_size))
            yield _stack(chunk, batch_size), len(chunk)


def _stack(images: List[np.ndarray], batch_size: int) -> np.ndarray:
    stacked = np.zeros((batch_size, *images[0].shape), images[0].dtype)
    stacked[: len(images)] = images
    return stacked

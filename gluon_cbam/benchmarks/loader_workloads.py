"""Workloads without a network: the training loader, and JPEG decoding alone as its lower bound."""

from __future__ import annotations

from concurrent.futures import Executor
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Callable, Dict, Iterator, Sequence

import cv2
import numpy as np

from gluon_cbam.data.decoding import image_threads
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.tasks import DEFAULT

from .context import BenchmarkContext
from .workload import Workload

if TYPE_CHECKING:
    from gluon_cbam.data.loading.epochs import RecordBatches


def _images(context: BenchmarkContext) -> RecordBatches:
    """Random resized crops with random horizontal flips."""
    from gluon_cbam.data.loading.training import TrainingData

    preprocessing = Preprocessing(context.image_size).of_channels(context.channels)
    return TrainingData(
        RecordFile(context.record_path), context.batch, preprocessing, 'imagenet', seed=0, workers=context.workers,
        decode=context.decode,
    )  # fmt: skip


def _pictures_with_boxes(context: BenchmarkContext) -> RecordBatches:
    """The augmentation of SSD."""
    from gluon_cbam.data.boxes.records import BoxRecords
    from gluon_cbam.data.loading.box_training import DetectionData

    preprocessing = Preprocessing(context.image_size, resize='stretch').of_channels(context.channels)
    return DetectionData(
        BoxRecords(context.record_path), context.batch, preprocessing, 'ssd', seed=0, workers=context.workers
    )


_OF_TASKS: Dict[str, Callable[[BenchmarkContext], RecordBatches]] = {'detection': _pictures_with_boxes}
"""Task -> its training batches; other tasks have those of images. The pixels of one file can be read for any task."""


@contextmanager
def training_loader(context: BenchmarkContext) -> Iterator[Workload]:
    """An epoch of training batches of the task.

    Args:
        context: description of the measurement, with ``data``.

    Yields:
        The workload.
    """
    data, epochs = _OF_TASKS.get(context.task or DEFAULT, _images)(context), count()

    def epoch() -> None:
        for batch in data.epoch(next(epochs)):
            batch.images.wait_to_read()

    yield Workload(len(data) * data.batch_size, epoch, lambda: None, f'{context.workers} threads')


@contextmanager
def bare_decoding(context: BenchmarkContext) -> Iterator[Workload]:
    """``cv2.imdecode`` of the same images, read into memory beforehand, on the same number of threads.

    Args:
        context: description of the measurement, with ``data``.

    Yields:
        The workload.
    """
    records = RecordFile(context.record_path)
    images = [np.frombuffer(records[number].image, np.uint8) for number in range(len(records))]
    workers = context.workers
    with image_threads(workers) as pool:  # the memory settings of the loader's threads speed this up too
        yield Workload(len(images), lambda: decode_all(images, pool, workers), lambda: None, f'{workers} threads')


def decode_all(images: Sequence[np.ndarray], pool: Executor, workers: int) -> None:
    """Decode images on a pool of threads, split evenly.

    Args:
        images: the encoded images, (n,) uint8 each.
        pool: the pool of threads.
        workers: number of threads.
    """

    def decode(first: int) -> None:
        for image in images[first::workers]:
            cv2.imdecode(image, cv2.IMREAD_COLOR)

    list(pool.map(decode, range(workers)))

"""Workloads without a network: the training loader, and JPEG decoding alone as its lower bound."""

from __future__ import annotations

from concurrent.futures import Executor
from contextlib import contextmanager
from itertools import count
from typing import Iterator, Sequence

import cv2
import numpy as np

from gluon_cbam.data.decoding import image_threads
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile

from .context import BenchmarkContext
from .workload import Workload

_AUGMENTATION = 'imagenet'


@contextmanager
def training_loader(context: BenchmarkContext) -> Iterator[Workload]:
    """An epoch of training batches: random resized crops with random horizontal flips.

    Args:
        context: description of the measurement, with ``data``.

    Yields:
        The workload.
    """
    from gluon_cbam.data.loading.training import TrainingData

    records, preprocessing = RecordFile(context.record_path), Preprocessing(context.image_size)
    data = TrainingData(records, context.batch, preprocessing, _AUGMENTATION, seed=0, workers=context.workers)
    epochs = count()

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

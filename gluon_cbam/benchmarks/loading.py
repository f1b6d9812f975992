"""The training loader alone, and the JPEG decoding that it cannot do without."""

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

from .context import Spec
from .timing import Subject

_AUGMENTATION = 'imagenet'


@contextmanager
def training_loader(spec: Spec) -> Iterator[Subject]:
    """An epoch of training batches: random parts, mirrored by chance."""
    from gluon_cbam.data.loading.training import TrainingData

    data = TrainingData(
        RecordFile(spec.data), spec.batch, Preprocessing(spec.image_size), _AUGMENTATION, seed=0, workers=spec.workers
    )
    epochs = count()

    def one_pass() -> None:
        for batch in data.epoch(next(epochs)):
            batch.images.wait_to_read()

    yield Subject(len(data) * data.batch_size, one_pass, lambda: None, f'{spec.workers} threads')


@contextmanager
def bare_decoding(spec: Spec) -> Iterator[Subject]:
    """``cv2.imdecode`` of the same images and nothing else, the bytes being in memory, on as many threads."""
    records = RecordFile(spec.data)
    images = [np.frombuffer(records[number].image, np.uint8) for number in range(len(records))]
    with image_threads(spec.workers) as pool:  # the memory settings of the loader's threads: they help here, too
        yield Subject(
            len(images), lambda: decode_all(images, pool, spec.workers), lambda: None, f'{spec.workers} threads'
        )


def decode_all(images: Sequence[np.ndarray], pool: Executor, workers: int) -> None:
    """Decode images on the threads of a pool, each its share."""

    def decode(first: int) -> None:
        for image in images[first::workers]:
            cv2.imdecode(image, cv2.IMREAD_COLOR)

    list(pool.map(decode, range(workers)))

"""Batches: for training through MXNet's own reader, for evaluation each record exactly once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Callable, Dict, Iterator, List, NamedTuple

import mxnet as mx
import numpy as np

from ..errors import DataError, UsageError, closest
from .parallel import ordered_map
from .preprocessing import Preprocessing, decode
from .recordio import RecordFile, index_path

# augmentation -> arguments of ImageRecordIter, as functions of the preprocessing
_AUGMENTATIONS: Dict[str, Callable[[Preprocessing], dict]] = {
    # a random part of the image, 8 to 100 % of its area, and its mirror image
    'imagenet': lambda p: dict(
        random_resized_crop=True,
        min_random_area=0.08,
        max_random_area=1.0,
        min_aspect_ratio=3 / 4,
        max_aspect_ratio=4 / 3,
        rand_mirror=True,
    ),
    # shifted by up to an eighth, and its mirror image
    'cifar': lambda p: dict(_AUGMENTATIONS['shift'](p), rand_mirror=True),
    # shifted by up to an eighth: for characters and others that a mirror changes
    'shift': lambda p: dict(resize=p.image_size, pad=p.image_size // 8, fill_value=0, rand_crop=True),
    # what validation sees
    'none': lambda p: dict(resize=int(round(p.image_size / p.crop_ratio))),
}
AUGMENTATIONS = tuple(_AUGMENTATIONS)


@dataclass(frozen=True)
class TrainingData:
    """The batches of each epoch of a training run, in an order that depends on the seed and the epoch alone.

    Every epoch has ``len(records) // batch_size`` full batches; the remainder, other records each time, is left out.
    A fresh ImageRecordIter reads each epoch: re-used, MXNet 1.9.1's skips at the start of a pass what it wrapped around
    to fill the last batch of the one before (``round_batch=True``), or hands out stale rows (``round_batch=False``).

    Attributes:
        records: the checked file.
        batch_size: images a step, over all devices.
        preprocessing: of validation; training takes its size and normalisation.
        augmentation: one of :data:`AUGMENTATIONS`.
        seed: of the order and the augmentation. MXNet keeps the order exactly; of the pixels of an augmented epoch
            about one run in twenty differs.
        workers: threads that decode.

    Raises:
        UsageError: unknown augmentation, or fewer records than one batch.
    """

    records: RecordFile
    batch_size: int
    preprocessing: Preprocessing
    augmentation: str
    seed: int
    workers: int

    def __post_init__(self):
        if self.augmentation not in _AUGMENTATIONS:
            raise UsageError(f'unknown augmentation {self.augmentation!r}: {closest(self.augmentation, AUGMENTATIONS)}')
        if len(self) == 0:
            raise UsageError(
                f'a batch of {self.batch_size} needs at least as many records, {self.records.path} has '
                f'{len(self.records)}: use a smaller --batch-size'
            )

    def __len__(self) -> int:
        return len(self.records) // self.batch_size

    def epoch(self, number: int, skip: int = 0) -> Iterator[mx.io.DataBatch]:
        """The batches of an epoch.

        Args:
            number: of the epoch, from 0.
            skip: batches to leave out at the beginning, to continue inside an epoch.

        Raises:
            DataError: an image cannot be decoded.
        """
        if skip >= len(self):
            return
        seed = (self.seed * 1_000_003 + number) % 2**31
        normalise = {}
        for channel, mean, std in zip('rgb', self.preprocessing.mean, self.preprocessing.std):
            normalise.update({f'mean_{channel}': 255 * mean, f'std_{channel}': 255 * std})
        size = self.preprocessing.image_size
        try:
            reader = mx.io.ImageRecordIter(
                path_imgrec=str(self.records.path),
                path_imgidx=str(index_path(self.records.path)),
                data_shape=(3, size, size),
                batch_size=self.batch_size,
                shuffle=True,
                seed=seed,
                seed_aug=seed,
                round_batch=False,
                preprocess_threads=self.workers,
                verbose=False,
                **normalise,
                **_AUGMENTATIONS[self.augmentation](self.preprocessing),
            )
            for index in range(len(self)):
                batch = reader.next()
                if index >= skip:
                    yield batch
        except mx.MXNetError as error:  # it does not say which record
            check_images(self.records, self.workers)
            raise DataError(f"{self.records.path}: MXNet's reader failed: {str(error).splitlines()[-1]}") from error

    def check(self) -> None:
        """Decode every image once where a bad one would take the process with it.

        MXNet's reader resizes by the short side of what it decoded: of an image that it could not decode, that is a
        division by zero. Without ``resize`` it raises an error, so that the first epoch finds bad images.

        Raises:
            DataError: as of :func:`check_images`.
        """
        if 'resize' in _AUGMENTATIONS[self.augmentation](self.preprocessing):
            check_images(self.records, self.workers)


def check_images(records: RecordFile, workers: int) -> None:
    """Decode every image of a file.

    Args:
        records: the checked file.
        workers: threads.

    Raises:
        DataError: an image cannot be decoded; the message names the record and its offset.
    """

    def check(number: int) -> None:
        decode(records[number].image, f'{records.path}: record {number} at offset {records.offset(number)}')

    with ThreadPoolExecutor(workers) as pool:
        for _ in ordered_map(pool, check, range(len(records)), 16 * workers):
            pass


class EvaluationBatch(NamedTuple):
    """Images to evaluate.

    Attributes:
        images: (batch size, 3, H, W) float32; rows from ``count`` on are zeros.
        labels: (count,) int64.
        count: how many images there are.
    """

    images: np.ndarray
    labels: np.ndarray
    count: int


def evaluation_batches(
    records: RecordFile, batch_size: int, preprocessing: Preprocessing, workers: int
) -> Iterator[EvaluationBatch]:
    """Each record of a file once, in its order, in batches of one size.

    Args:
        records: the checked file.
        batch_size: images a batch; the last is filled up with zeros.
        preprocessing: of every image.
        workers: threads that decode.

    Raises:
        DataError: an image cannot be decoded; the message names the record.
    """

    def load(number: int) -> np.ndarray:
        return preprocessing(decode(records[number].image, f'{records.path}: record {number}'))

    labels = records.labels.astype(np.int64)
    with ThreadPoolExecutor(workers) as pool:
        images = ordered_map(pool, load, range(len(records)), 2 * batch_size + workers)
        for start in range(0, len(records), batch_size):
            chunk = list(islice(images, batch_size))
            yield EvaluationBatch(_stack(chunk, batch_size), labels[start : start + len(chunk)], len(chunk))


def _stack(images: List[np.ndarray], batch_size: int) -> np.ndarray:
    stacked = np.zeros((batch_size, *images[0].shape), np.float32)
    stacked[: len(images)] = images
    return stacked

"""Training batches of images with a number as their label; see :class:`.epochs.RecordBatches`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Sequence, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.compat.renamed import renamed_attributes
from gluon_cbam.data.records.multi_labels import MultiLabelRecords
from gluon_cbam.data.records.recordio import RecordFile

from .augmentation import AUGMENTATIONS, augment
from .batch_slices import copied
from .epochs import Load, MakeRow, RecordBatches
from .framing import DECODES
from .policies.step import Step
from .preprocessing import Preprocessing


class Batch(NamedTuple):
    """Images to train on.

    Attributes:
        images: (N, H, W, C) uint8, RGB or gray, on the CPU; :class:`Normalize` turns them into the input of the
            network on the device, so that a quarter of the bytes is transferred.
        labels: (N,) float32, on the CPU.
    """

    images: mx.nd.NDArray
    labels: mx.nd.NDArray


class Normalize(mx.gluon.HybridBlock):
    """Normalizes a batch: (N, H, W, C) uint8, RGB or gray, to (N, C, H, W), with the values of :class:`Preprocessing`.

    Args:
        preprocessing: gives the mean and standard deviation of the channels.
        dtype: data type of the result.
    """

    def __init__(self, preprocessing: Preprocessing, dtype: str = 'float32'):
        super().__init__()
        self._mean, self._std, self._dtype = preprocessing.mean, preprocessing.std, dtype

    def hybrid_forward(self, F: OpNamespace, images: Tensor) -> Tensor:
        """Scale and transpose a batch."""
        x = F.image.to_tensor(images)  # (N, C, H, W) in 0..1
        x = F.image.normalize(x, self._mean, self._std)
        return x if self._dtype == 'float32' else F.cast(x, self._dtype)


@dataclass(frozen=True)
class TrainingData(RecordBatches):
    """The batches of each epoch of a training run, of images with a number as their label.

    Attributes:
        records: the record file.
        augmentation: a key of :data:`.augmentation.AUGMENTATIONS`.
        further: steps after the augmentation, see :func:`.augmentation.augment`; default none.
        decode: one of :data:`.framing.DECODES`; ``fast`` changes pixels. Default ``exact``.

    Raises:
        UsageError: unknown augmentation or way to decode, or see :class:`.epochs.RecordBatches`.
    """

    records: RecordFile
    further: Sequence[Step] = ()
    decode: str = 'exact'

    def __post_init__(self) -> None:
        if self.augmentation not in AUGMENTATIONS:
            raise UsageError(f'unknown augmentation {self.augmentation!r}: {closest(self.augmentation, AUGMENTATIONS)}')
        if self.decode not in DECODES:
            raise UsageError(f'unknown way to decode {self.decode!r}: {closest(self.decode, DECODES)}')
        super().__post_init__()

    def planned(self, position: int, load: Load, rng: np.random.Generator) -> MakeRow:
        """Augment the image at a position."""
        example = load(position)

        def make() -> Tuple[np.ndarray, np.float32]:
            pixels = augment(self.augmentation, example, self.preprocessing, rng, self.further, self.decode)
            return pixels, self.records.labels[example.number]

        return make

    def batch(self, images: mx.nd.NDArray, labels: Sequence[np.float32]) -> Batch:
        """Images with their labels."""
        return Batch(images, copied(np.array(labels, np.float32)))


@dataclass(frozen=True)
class MultiLabelData(TrainingData):
    """The batches of each epoch of a training run, of images with a label for every class: labels are (N, classes).

    Attributes:
        records: the records.
    """

    records: MultiLabelRecords  # type: ignore[assignment]

    @property
    def file(self) -> RecordFile:
        """The record file."""
        return self.records.records


__getattr__ = renamed_attributes(
    __name__,
    {'Normalise': 'data.loading.training.Normalize', 'BadRecords': 'data.loading.bad_records.BadRecords'},
)

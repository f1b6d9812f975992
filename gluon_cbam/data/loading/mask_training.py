"""Training batches of pictures with masks; see :class:`.epochs.RecordBatches`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Optional, Sequence, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.data.class_masks.records import MaskRecords
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.data.resizing import cover_shape

from .epochs import Load, MakeRow, RecordBatches
from .mask_augmentation import BASE, MASK_AUGMENTATIONS, MaskedImage


class MaskBatch(NamedTuple):
    """Pictures to train a network of segmentation on.

    Attributes:
        images: (N, H, W, 3) uint8 RGB on the CPU, for :class:`.training.Normalize`.
        masks: (N, H, W) uint8 on the CPU: the class of each pixel, or 255 where it is ignored.
    """

    images: mx.nd.NDArray
    masks: mx.nd.NDArray


@dataclass(frozen=True)
class MaskData(RecordBatches):
    """The batches of each epoch of a training run, of pictures with masks.

    Attributes:
        records: the segmentation records.
        augmentation: a key of :data:`.mask_augmentation.MASK_AUGMENTATIONS`.
        base_size: short side of pictures in pixels that random scales are relative to; default 520 for images of 480
            pixels, and in proportion; for images that are not square, that of a picture which covers them.

    Raises:
        UsageError: unknown augmentation, or see :class:`.epochs.RecordBatches`.
    """

    records: MaskRecords
    base_size: Optional[int] = None

    def __post_init__(self) -> None:
        if self.augmentation not in MASK_AUGMENTATIONS:
            raise UsageError(
                f'unknown augmentation {self.augmentation!r} of pictures with masks: '
                f'{closest(self.augmentation, MASK_AUGMENTATIONS)}'
            )
        super().__post_init__()

    @property
    def file(self) -> RecordFile:
        """The record file."""
        return self.records.records

    def planned(self, position: int, load: Load, rng: np.random.Generator) -> MakeRow:
        """Augment the picture at a position with its mask."""
        example = load(position)

        def make() -> Tuple[np.ndarray, np.ndarray]:
            image = MaskedImage(example.pixels(), self.records.mask_of(example.number, example.size))
            base = self.base_size or BASE * min(cover_shape(*example.size, *self.preprocessing.shape))
            found = MASK_AUGMENTATIONS[self.augmentation](image, self.preprocessing, base, rng)
            return found.pixels, found.mask

        return make

    def batch(self, images: mx.nd.NDArray, labels: Sequence[np.ndarray]) -> MaskBatch:
        """Pictures with their masks."""
        return MaskBatch(images, mx.nd.array(np.stack(labels), dtype='uint8'))

"""Training batches of pictures with boxes; see :class:`.epochs.RecordBatches`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, NamedTuple, Sequence

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.data.boxes.labels import to_corners
from gluon_cbam.data.boxes.objects import CROWD_COLUMN, DIFFICULT_COLUMN
from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.records.recordio import RecordFile

from .box_augmentation import BOX_AUGMENTATIONS
from .box_composition import Composition, Picture
from .draws import up_to
from .epochs import Example, Load, MakeRow, RecordBatches

_MULTIPLE = 8  # of the rows for boxes, so that few batches differ in shape
PADDING, CROWD = -1.0, -2
"""Every number of a row without a box, and the class of a crowd."""


class DetectionBatch(NamedTuple):
    """Pictures to train a detector on.

    Attributes:
        images: (N, H, W, 3) uint8 RGB on the CPU, for :class:`.training.Normalize`.
        boxes: (N, M, 5) float32 on the CPU: class, xmin, ymin, xmax, ymax in pixels of the images, continuous; a region
            of many objects has the class :data:`CROWD`; rows without a box, at the end, are :data:`PADDING`. M is a
            multiple of 8.
    """

    images: mx.nd.NDArray
    boxes: mx.nd.NDArray


class BoxPlan(NamedTuple):
    """How a row of a batch is made.

    Attributes:
        examples: the records that it is made of.
        pictures: their sizes and boxes.
        composition: how the image is made of them.
    """

    examples: List[Example]
    pictures: List[Picture]
    composition: Composition

    def pixels(self) -> np.ndarray:
        """Decode the pictures, and make the image."""
        return self.composition.pixels([example.pixels for example in self.examples])

    def rows(self) -> np.ndarray:
        """The boxes as rows of :class:`DetectionBatch`: (n, 5) float32."""
        corners, classes = self.composition.joined(self.pictures)
        rows = np.empty((len(classes), 5), np.float32)
        rows[:, 0], rows[:, 1:] = classes, corners
        return rows


@dataclass(frozen=True)
class DetectionData(RecordBatches):
    """The batches of each epoch of a training run, of pictures with boxes.

    Boxes that are marked as difficult are trained on, as in the Caffe code of SSD and in GluonCV, unless they are to be
    ignored.

    Attributes:
        records: the detection records.
        augmentation: a key of :data:`.box_augmentation.BOX_AUGMENTATIONS`.
        ignore_difficult: whether boxes that are marked as difficult are given as crowds.

    Raises:
        UsageError: unknown augmentation, or see :class:`.epochs.RecordBatches`.
    """

    records: BoxRecords
    ignore_difficult: bool = False

    def __post_init__(self) -> None:
        if self.augmentation not in BOX_AUGMENTATIONS:
            raise UsageError(
                f'unknown augmentation {self.augmentation!r} of pictures with boxes: '
                f'{closest(self.augmentation, BOX_AUGMENTATIONS)}'
            )
        super().__post_init__()

    @property
    def file(self) -> RecordFile:
        """The record file."""
        return self.records.records

    def planned(self, position: int, load: Load, rng: np.random.Generator) -> MakeRow:
        """Augment the picture at a position with its boxes, together with others where the augmentation takes several.

        The label is its boxes as rows of :class:`DetectionBatch`.
        """
        plan = self.plan(position, load, rng)
        rows = plan.rows()
        return lambda: (plan.pixels(), rows)

    def plan(self, position: int, load: Load, rng: np.random.Generator) -> BoxPlan:
        """Draw the augmentation of the picture at a position."""
        augmentation, last = BOX_AUGMENTATIONS[self.augmentation], len(self.epoch_order) - 1
        places = [position, *(up_to(rng, last) for _ in range(augmentation.pictures - 1))]
        examples = [load(place) for place in places]
        pictures = [self._picture(example) for example in examples]
        return BoxPlan(examples, pictures, augmentation.plan(pictures, self.preprocessing, rng))

    def _picture(self, example: Example) -> Picture:
        objects = self.records.objects_of(example.number)
        ignored = objects[:, CROWD_COLUMN] != 0
        if self.ignore_difficult:
            ignored |= objects[:, DIFFICULT_COLUMN] != 0
        classes = np.where(ignored, CROWD, objects[:, 0].astype(np.int64))
        return Picture(*example.size, to_corners(objects, *example.size), classes)

    def batch(self, images: mx.nd.NDArray, labels: Sequence[Any]) -> Any:
        """Pictures with their boxes."""
        return DetectionBatch(images, mx.nd.array(padded(labels)))


def padded(boxes: Sequence[np.ndarray]) -> np.ndarray:
    """Boxes of several pictures in one array.

    Args:
        boxes: (n, 5) of each picture.

    Returns:
        (N, M, 5) float32, see :class:`DetectionBatch`.
    """
    rows = max(1, *(len(each) for each in boxes)) if boxes else 1
    result = np.full((len(boxes), -(-rows // _MULTIPLE) * _MULTIPLE, 5), PADDING, np.float32)
    for number, each in enumerate(boxes):
        result[number, : len(each)] = each
    return result

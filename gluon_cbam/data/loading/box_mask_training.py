"""Training batches of pictures with boxes and the masks of their objects; see :mod:`.box_training`.

Masks are never moved with the pixels: the augmentation says which part of its picture each box shows, and the mask of
that part is made of the segmentation. So a mask is as sharp as the annotation, and costs no memory of the size of the
picture.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.boxes.mask_parts import SIDE, UNKNOWN, mask_part

from .box_training import CROWD, BoxPlan, DetectionData, padded
from .epochs import Example, Load, MakeRow


class MaskedDetectionBatch(NamedTuple):
    """Pictures to train a detector of masks on.

    Attributes:
        images: see :class:`.box_training.DetectionBatch`.
        boxes: see :class:`.box_training.DetectionBatch`.
        masks: (N, M, 112, 112) uint8 on the CPU, the pixels of each object within its box, see
            :func:`gluon_cbam.data.boxes.mask_parts.mask_part`; 255 in rows without an object that has a mask.
    """

    images: mx.nd.NDArray
    boxes: mx.nd.NDArray
    masks: mx.nd.NDArray


class MaskedDetectionData(DetectionData):
    """The batches of each epoch of a training run, of pictures with boxes and masks.

    Attributes:
        records: the detection records, whose segmentations were read.
    """

    def planned(self, position: int, load: Load, rng: np.random.Generator) -> MakeRow:
        """Augment the picture at a position; see :meth:`.box_training.DetectionData.planned`.

        The label is its boxes as rows, (n, 5) float32, and their masks, (n, 112, 112) uint8.

        Raises:
            DataError: a picture has another size than its segmentations.
        """
        plan = self.plan(position, load, rng)
        for example in plan.examples:
            self._check_size(example)
        rows = plan.rows()
        return lambda: (plan.pixels(), (rows, self._masks(plan)))

    def _check_size(self, example: Example) -> None:
        stated, (height, width) = self.records.stated_size(example.number), example.size
        if stated not in (None, (height, width)):
            raise DataError(
                f'{self.records.where(example.number)}: its masks are of a picture of {stated[1]} x {stated[0]} '
                f'pixels, the picture has {width} x {height}: pack it again'
            )

    def _masks(self, plan: BoxPlan) -> np.ndarray:
        """The mask of each box, in the order of the rows."""
        masks = [np.zeros((0, SIDE, SIDE), np.uint8)]
        for number, (example, picture) in enumerate(zip(plan.examples, plan.pictures)):
            seen, kept = plan.composition.boxes(number, picture.corners)
            texts = self.records.segmentations.get(example.number)
            for row, part in zip(kept.tolist(), plan.composition.origins(number, seen).tolist()):
                text = '' if texts is None or picture.classes[row] == CROWD else texts[row]
                masks.append(mask_part(text, part)[None])
        return np.concatenate(masks)

    def batch(self, images: mx.nd.NDArray, labels: Sequence[Any]) -> MaskedDetectionBatch:
        """Pictures with their boxes and masks."""
        boxes, masks = zip(*labels)
        rows = padded(boxes)
        whole = np.full((*rows.shape[:2], SIDE, SIDE), UNKNOWN, np.uint8)
        for number, each in enumerate(masks):
            whole[number, : len(each)] = each
        return MaskedDetectionBatch(images, mx.nd.array(rows), mx.nd.array(whole, dtype='uint8'))

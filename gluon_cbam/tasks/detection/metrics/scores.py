"""All figures of detection at once: those of COCO and of Pascal VOC, over all classes and for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.tasks.detection.detections import Detections

from .coco import AREAS, coco_class, mean_of_known, summary
from .masks import MaskScores, score_masks
from .tables import columns_of
from .voc import voc_class

if TYPE_CHECKING:
    from gluon_cbam.data.boxes.table import Boxes

_AP50, _AP75 = 0, 5  # places in THRESHOLDS
_STACKED = ('precision', 'scores', 'ap', 'recall', 'recall_of_few')


@dataclass(frozen=True, eq=False)
class DetectionScores:
    """The figures of detections; K classes, and T, R, A and M as in :mod:`gluon_cbam.tasks.detection.metrics.coco`.

    Attributes:
        classes: names of the classes.
        images: number of images.
        objects: (K,) int64, true boxes of each class, crowds and difficult objects included.
        detections: (K,) int64, detections of each class.
        precision: (K, T, R) precisions of COCO's curves; this and the following are NaN for classes without true boxes
            that count.
        scores: (K, T, R) the score that reaches each recall.
        ap: (K, T, A) average precisions of COCO.
        recall: (K, T, A) recalls of COCO.
        recall_of_few: (K, T, M) recalls of the surest detections.
        voc07: (K,) average precisions of Pascal VOC 2007.
        voc: (K,) average precisions of Pascal VOC from 2010.
        masks: the figures of masks; None where boxes alone were scored.
    """

    classes: Tuple[str, ...]
    images: int
    objects: np.ndarray
    detections: np.ndarray
    precision: np.ndarray
    scores: np.ndarray
    ap: np.ndarray
    recall: np.ndarray
    recall_of_few: np.ndarray
    voc07: np.ndarray
    voc: np.ndarray
    masks: Optional[MaskScores] = None

    @property
    def figures(self) -> Dict[str, float]:
        """COCO's twelve by :data:`.coco.NAMES`, ``voc07`` and ``voc``, then those of masks; 0 to 1; unless NaN."""
        values = summary(self.ap, self.recall, self.recall_of_few)
        values.update(voc07=mean_of_known(self.voc07), voc=mean_of_known(self.voc))
        values.update({} if self.masks is None else self.masks.figures)
        return {name: value for name, value in values.items() if not np.isnan(value)}

    def of_classes(self) -> List[Dict[str, Any]]:
        """The figures of each class by name, None where no true box counts."""
        columns = {
            'ap': self.ap[:, :, 0].mean(axis=1), 'ap50': self.ap[:, _AP50, 0], 'ap75': self.ap[:, _AP75, 0],
            **{f'ap_{name}': self.ap[:, :, size].mean(axis=1) for size, name in enumerate(AREAS) if size},
            'ar100': self.recall[:, :, 0].mean(axis=1), 'voc07': self.voc07, 'voc': self.voc,
        }  # fmt: skip
        if self.masks is not None:
            ap = self.masks.ap[:, :, 0]
            columns.update(mask_ap=ap.mean(axis=1), mask_ap50=ap[:, _AP50], mask_ap75=ap[:, _AP75])
        return [
            {
                'class': name, 'objects': int(self.objects[number]), 'detections': int(self.detections[number]),
                **{key: _known(column[number]) for key, column in columns.items()},
            }
            for number, name in enumerate(self.classes)
        ]  # fmt: skip

    def as_dict(self) -> Dict[str, Any]:
        """The figures and those of the classes, as ``--json`` has them."""
        return {
            'images': self.images, 'objects': int(self.objects.sum()), 'detections': int(self.detections.sum()),
            **self.figures, 'by_class': self.of_classes(),
        }  # fmt: skip


def _known(value: float) -> Optional[float]:
    return None if np.isnan(value) else float(value)


def score(
    truths: Sequence[Boxes],
    detections: Sequence[Detections],
    classes: Sequence[str],
    sizes: Optional[Sequence[Tuple[int, int]]] = None,
) -> DetectionScores:
    """Score detections of images, each image once.

    COCO's figures ignore crowds and take difficult objects as others; those of Pascal VOC ignore both. Equal scores
    keep the order of the images and, within an image, of its detections.

    Args:
        truths: the true boxes of each image.
        detections: the detections of each image, in the same order.
        classes: names of the classes.
        sizes: height and width of each image in pixels, to score masks, too, if a true object that counts has one;
            the detections have segmentations then. Default boxes alone.

    Returns:
        The figures.

    Raises:
        DataError: the lists do not fit, a number is not finite, a box is reversed, or a class does not exist; or no
            true box is anything but a crowd, so that nothing can be measured.

    Example:
        >>> from gluon_cbam.data.boxes.table import Boxes
        >>> truth, found = Boxes.of([[0, 0, 10, 10]], [0]), Detections.of([0], [0.9], [[0, 0, 10, 7.2]])
        >>> figures = score([truth], [found], ['tree']).figures
        >>> round(figures['ap50'], 4), round(figures['ap75'], 4), round(figures['ap'], 4)
        (1.0, 0.0, 0.5)
    """
    boxes, found = columns_of(truths, detections, len(classes))
    if boxes.crowd.all():
        raise DataError(f'none of {len(truths)} images has an object, crowds aside: there is nothing to measure')
    masks = None
    if sizes is not None and has_masks(truths):
        masks = score_masks(truths, detections, len(classes), sizes)
    found = found.by_score()
    coco, voc = [], []
    for number in range(len(classes)):
        mine, true = found.chosen(found.classes == number), boxes.chosen(boxes.classes == number)
        coco.append(coco_class(mine, true))
        voc.append(voc_class(mine, true))
    return DetectionScores(
        classes=tuple(classes),
        images=len(truths),
        objects=np.bincount(boxes.classes, minlength=len(classes)),
        detections=np.bincount(found.classes, minlength=len(classes)),
        voc07=np.array([each.voc07 for each in voc]),
        voc=np.array([each.voc for each in voc]),
        masks=masks,
        **{name: np.stack([getattr(each, name) for each in coco]) for name in _STACKED},
    )


def has_masks(truths: Sequence[Boxes]) -> bool:
    """Whether an object that counts has a mask."""
    return any(((each.segmentations != '') & ~each.crowd).any() for each in truths if each.segmentations is not None)

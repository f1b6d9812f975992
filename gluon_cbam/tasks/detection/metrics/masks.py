"""COCO's figures of masks (``iouType='segm'`` of pycocotools): as those of boxes, with the overlaps of pixels.

Masks are compared as run lengths, so that no picture is held in memory. Objects without a mask are ignored, as crowds
are. The area of a detection is that of its mask; pycocotools takes that of its box where a file of results has both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.tasks.detection.detections import Detections

from .coco import coco_class, summary
from .overlaps import Pairs, overlapping
from .tables import Found, Truths, columns_of

if TYPE_CHECKING:
    from gluon_cbam.data.boxes.table import Boxes

PREFIX = 'mask_'
"""The beginning of the names of the figures of masks."""
_ANY = np.finfo(np.float64).tiny  # the least overlap of the bounds of masks that share a pixel


class Mask(NamedTuple):
    """The pixels of an object, numbered down the columns of the picture.

    Attributes:
        edges: (2 n,) int64, ascending: the first pixel of each run, and the one after its last.
        before: (2 n,) int64, pixels of the object before each edge.
        bounds: xmin, ymin, xmax and ymax of the pixels; 0 without any.
    """

    edges: np.ndarray
    before: np.ndarray
    bounds: Tuple[int, int, int, int]

    @property
    def area(self) -> int:
        """The number of pixels."""
        return int(self.before[-1]) if len(self.before) else 0

    @classmethod
    def of(cls, counts: np.ndarray, height: int) -> Mask:
        """A mask of run lengths.

        Args:
            counts: (n,) int64, of background first.
            height: height of the picture, in pixels.
        """
        pairs = np.append(counts, 0)[: len(counts) // 2 * 2].reshape(-1, 2)
        ends = np.cumsum(pairs.sum(axis=1))
        lengths = pairs[:, 1]
        ends, lengths = ends[lengths > 0], lengths[lengths > 0]
        edges = np.stack([ends - lengths, ends], axis=1)
        total = np.cumsum(lengths)
        before = np.stack([total - lengths, total], axis=1)
        return cls(edges.ravel(), before.ravel(), _bounds(edges, height))


def _bounds(edges: np.ndarray, height: int) -> Tuple[int, int, int, int]:
    if not len(edges):
        return 0, 0, 0, 0
    columns, rows = np.divmod(edges - [0, 1], height)  # of the first and the last pixel of each run
    whole = (columns[:, 0] != columns[:, 1]).any()
    top, bottom = (0, height) if whole else (rows[:, 0].min(), rows[:, 1].max() + 1)
    return int(columns[0, 0]), int(top), int(columns[-1, 1]) + 1, int(bottom)


@dataclass(frozen=True, eq=False)
class MaskTruths(Truths):
    """True objects with their masks; corners are the bounds of the masks.

    Attributes:
        masks: (n,) of :class:`Mask`.
    """

    masks: np.ndarray


@dataclass(frozen=True, eq=False)
class MaskFound(Found):
    """Detections with their masks; corners are the bounds of the masks.

    Attributes:
        masks: (n,) of :class:`Mask`.
    """

    masks: np.ndarray

    @property
    def areas(self) -> np.ndarray:
        """(n,) float64, the numbers of pixels."""
        return np.array([mask.area for mask in self.masks], np.float64)


@dataclass(frozen=True, eq=False)
class MaskScores:
    """The figures of masks; K, T, A and M as in :class:`.scores.DetectionScores`.

    Attributes:
        ap: (K, T, A) average precisions.
        recall: (K, T, A) recalls.
        recall_of_few: (K, T, M) recalls of the surest detections.
    """

    ap: np.ndarray
    recall: np.ndarray
    recall_of_few: np.ndarray

    @property
    def figures(self) -> Dict[str, float]:
        """COCO's twelve, ``mask_ap`` and so on."""
        values = summary(self.ap, self.recall, self.recall_of_few)
        return {f'{PREFIX}{name}': value for name, value in values.items()}


def score_masks(
    truths: Sequence[Boxes], detections: Sequence[Detections], classes: int, sizes: Sequence[Tuple[int, int]]
) -> MaskScores:
    """Score the masks of detections; see :func:`.scores.score`.

    Args:
        truths: the true objects of each image.
        detections: the detections of each image, which have segmentations.
        classes: number of classes.
        sizes: height and width of each image, in pixels.

    Raises:
        DataError: a mask is of another size than its image.
    """
    boxes, found = columns_of(truths, detections, classes)
    true_masks, known = _true_masks(truths, sizes)
    found_masks = _found_masks(detections, sizes)
    true = MaskTruths(
        boxes.images, boxes.classes, _corners(true_masks), boxes.areas, boxes.difficult, boxes.crowd | ~known,
        _column(true_masks),
    )  # fmt: skip
    mine = MaskFound(found.images, found.classes, _corners(found_masks), found.scores, _column(found_masks)).by_score()
    each = [
        coco_class(mine.chosen(mine.classes == number), true.chosen(true.classes == number), overlapping_masks)
        for number in range(classes)
    ]
    return MaskScores(*(np.stack([getattr(one, name) for one in each]) for name in ('ap', 'recall', 'recall_of_few')))


def _true_masks(truths: Sequence[Boxes], sizes: Sequence[Tuple[int, int]]) -> Tuple[List[Mask], np.ndarray]:
    """The mask of each true object, and whether it has one: (n,) bool; the pixels of the box are that of another."""
    from gluon_cbam.data.boxes.run_lengths import counts_of
    from gluon_cbam.data.boxes.segmentations import filled

    masks, known = [], []
    for number, (boxes, size) in enumerate(zip(truths, sizes)):
        texts = [''] * len(boxes) if boxes.segmentations is None else boxes.segmentations.tolist()
        for row, text in enumerate(texts):
            known.append(bool(text))
            if text:
                masks.append(_mask(text, size, f'true object {row} of image {number}'))
                continue
            left, top, right, bottom = boxes.corners[row].tolist()
            pixels = filled([np.array([[left, top], [left, bottom], [right, bottom], [right, top]])], *size)
            masks.append(Mask.of(counts_of(pixels), size[0]))
    return masks, np.array(known, bool)


def _found_masks(detections: Sequence[Detections], sizes: Sequence[Tuple[int, int]]) -> List[Mask]:
    return [
        _mask(text, size, f'detection {row} of image {number}')
        for number, (found, size) in enumerate(zip(detections, sizes))
        for row, text in enumerate(() if found.segmentations is None else found.segmentations.tolist())
    ]


def _mask(text: str, size: Tuple[int, int], where: str) -> Mask:
    from gluon_cbam.data.boxes.segmentations import as_mask, mask_counts

    if not all(size):
        raise DataError(f'{where} cannot be compared: the data do not state the height and the width of the image')
    stated, counts = mask_counts(as_mask(text, *size))
    if stated != tuple(size):
        raise DataError(f'{where} has a mask of {stated[1]} x {stated[0]} pixels, the image has {size[1]} x {size[0]}')
    return Mask.of(counts, size[0])


def _corners(masks: Sequence[Mask]) -> np.ndarray:
    return np.array([mask.bounds for mask in masks], np.float64).reshape(-1, 4)


def _column(masks: Sequence[Mask]) -> np.ndarray:
    column = np.empty(len(masks), object)
    for row, mask in enumerate(masks):
        column[row] = mask
    return column


def overlapping_masks(found: MaskFound, truths: MaskTruths, least: float, crowds: bool = False) -> Pairs:
    """The pairs of a detection and a true object of one image whose masks overlap; see :func:`.overlaps.overlapping`.

    Args:
        found: the detections.
        truths: the true objects.
        least: the smallest intersection over union (``rleIou`` of pycocotools' ``maskApi.c``).
        crowds: whether the overlap with a crowd is the share of the detection that lies in it.
    """
    pairs = overlapping(found, truths, _ANY)
    common = _shared(found.masks, truths.masks, pairs)
    own, other = (
        np.array([mask.area for mask in masks], np.float64)[rows]
        for masks, rows in ((found.masks, pairs.found), (truths.masks, pairs.truths))
    )
    crowd = truths.crowd[pairs.truths] if crowds else np.zeros(len(common), bool)
    ious = common / np.where(crowd, own, own + other - common)
    kept = ious >= least
    return Pairs(pairs.found[kept], pairs.truths[kept], ious[kept])


def _shared(found: np.ndarray, truths: np.ndarray, pairs: Pairs) -> np.ndarray:
    """The pixels that the masks of each pair share: (p,) float64, whole numbers.

    Pixels of an object before a place of the picture are a piecewise linear function of the place; its values at the
    edges of another mask are exact.
    """
    shared = np.zeros(len(pairs.found))
    order = np.argsort(pairs.truths, kind='stable')
    starts = np.flatnonzero(np.diff(pairs.truths[order], prepend=-1))
    for rows in np.split(order, starts[1:]) if len(order) else ():
        truth = truths[pairs.truths[rows[0]]]
        edges = [found[number].edges for number in pairs.found[rows]]
        places = np.concatenate(edges)
        before = np.interp(places, truth.edges, truth.before).reshape(-1, 2)
        begins = np.cumsum([0, *(len(each) // 2 for each in edges[:-1])])
        shared[rows] = np.add.reduceat(before[:, 1] - before[:, 0], begins)
    return shared

"""The figures of single pictures, and the masks that were found in the best and the worst of them, to look at."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

import numpy as np

from gluon_cbam.data.class_masks.png import decode_mask, encode_mask
from gluon_cbam.data.class_masks.values import IGNORED
from gluon_cbam.tasks.protocols import ProcessGroup

from .scores import MaskScores, confusion

KEPT = 12
"""The masks that are kept of the best pictures, and of the worst."""
_COLUMNS = 5  # number, mean IoU, accuracy, counted and ignored pixels


@dataclass(frozen=True, eq=False)
class PictureScores:
    """A row for each picture.

    Attributes:
        miou: (N,) the mean IoU over the classes that the picture or its prediction has; NaN where all is ignored.
        accuracy: (N,) the share of its pixels that have the right class; NaN where all is ignored.
        counted: (N,) pixels that count.
        ignored: (N,) pixels that are ignored.
        masks: number of a picture -> its predicted mask as PNG, of the best and the worst that this process evaluated.
    """

    miou: np.ndarray
    accuracy: np.ndarray
    counted: np.ndarray
    ignored: np.ndarray
    masks: Dict[int, bytes]

    def worst(self, most: int) -> List[int]:
        """Numbers of pictures whose masks are kept, the lowest mean IoU first.

        Args:
            most: number of pictures, at most :data:`KEPT`.
        """
        return self._order(1)[: min(most, KEPT)]

    def best(self, most: int) -> List[int]:
        """Numbers of pictures whose masks are kept, the highest mean IoU first; see :meth:`worst`."""
        return self._order(-1)[: min(most, KEPT)]

    def _order(self, sign: int) -> List[int]:
        kept = np.array(sorted(self.masks), np.int64)
        return kept[np.lexsort((sign * self.accuracy[kept], sign * self.miou[kept]))].tolist()

    def found(self, number: int) -> np.ndarray:
        """The predicted mask of a picture of :meth:`worst` or :meth:`best`: (H, W) uint8."""
        return decode_mask(self.masks[number], f'the mask found in picture {number}')


class PictureScoring:
    """Scores pictures one by one.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._rows: List[Tuple[float, ...]] = []
        self._worst: List[Tuple[float, float, int]] = []
        self._best: List[Tuple[float, float, int]] = []
        self._masks: Dict[int, bytes] = {}

    def add(self, number: int, truth: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Score a picture.

        Args:
            number: its number.
            truth: (H, W) uint8, classes or ignored.
            found: (H, W) uint8, the predicted classes.

        Returns:
            Its table of pixels, see :func:`.scores.confusion`.
        """
        table = confusion(truth, found, self._classes)
        counted = int(table.sum())
        figures = MaskScores(table, [str(number) for number in range(self._classes)]).figures
        miou, accuracy = (figures[name] if counted else np.nan for name in ('miou', 'pixel_accuracy'))
        self._rows.append((number, miou, accuracy, counted, int((truth == IGNORED).sum())))
        if counted:
            self._keep(number, miou, accuracy, found)
        return table

    def _keep(self, number: int, miou: float, accuracy: float, found: np.ndarray) -> None:
        for ranking, sign in ((self._worst, 1), (self._best, -1)):
            insort(ranking, (sign * miou, sign * accuracy, number))
            del ranking[KEPT:]
        kept = {entry[2] for ranking in (self._worst, self._best) for entry in ranking}
        if number in kept:
            self._masks[number] = encode_mask(found)
        self._masks = {each: mask for each, mask in self._masks.items() if each in kept}

    def scores(self, process_group: Optional[ProcessGroup]) -> PictureScores:
        """The rows of all processes, in the order of the pictures.

        Args:
            process_group: the processes that evaluate together.
        """
        rows = np.array(self._rows, np.float64).reshape(-1, _COLUMNS)
        if process_group is not None:
            rows = np.concatenate(process_group.gather(rows))
        _, miou, accuracy, counted, ignored = rows[np.argsort(rows[:, 0], kind='stable')].T
        return PictureScores(miou, accuracy, counted.astype(np.int64), ignored.astype(np.int64), dict(self._masks))

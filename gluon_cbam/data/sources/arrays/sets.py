"""Images in arrays with their labels, and the options of the formats that they are read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..left_out import LeftOut


class ArrayOptions(NamedTuple):
    """Options of formats of arrays; each is refused by a layout that does not have it.

    Attributes:
        transpose: whether rows and columns of the images are exchanged; default only those of EMNIST, whose files store
            them so.
        value_range: the values of other element types than bytes that become 0 and 255, the first below the second;
            default the values must be whole numbers in 0..255.
        labels_of: which labels are the classes, of sets with several: ``fine``, the default, or ``coarse``.
    """

    transpose: Optional[bool] = None
    value_range: Optional[Tuple[float, float]] = None
    labels_of: Optional[str] = None


NO_OPTIONS = ArrayOptions()


@dataclass(frozen=True)
class ArrayPart:
    """The images of a split.

    Attributes:
        name: the split, the name of its ``.rec`` file.
        path: path of the file that holds the images, for messages.
        pixels: (N, H, W) gray or (N, H, W, 3) RGB, uint8.
        labels: (N,) int64, as the file has them.
    """

    name: str
    path: Path
    pixels: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class ArraySet:
    """The contents of a data set.

    Attributes:
        parts: its splits, at least one.
        classes: the names of its classes, the first one that of the label ``first``; empty if the files name none.
        first: the label of the first class.
        notes: what was recognized or changed, a line each.
        left_out: what else is in its folder.
    """

    parts: List[ArrayPart]
    classes: Sequence[str] = ()
    first: int = 0
    notes: List[str] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)

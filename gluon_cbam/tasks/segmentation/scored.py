"""What a network of segmentation found in a set of pictures, with the truth and the figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Tuple

import numpy as np

from .pictures import PictureScores
from .scores import MaskScores


@dataclass(frozen=True, eq=False)
class ScoredMasks:
    """A set of pictures whose predicted masks were scored.

    Attributes:
        name: the name of the set, for titles.
        scores: the figures of all classes and of each.
        pictures: the figures of each picture, and some predicted masks.
        image_name: from the number of a picture to its name.
        load: from the number of a picture to its pixels, (H, W, 3) uint8 RGB, and its true mask, (H, W) uint8.
    """

    name: str
    scores: MaskScores
    pictures: PictureScores
    image_name: Callable[[int], str]
    load: Callable[[int], Tuple[np.ndarray, np.ndarray]]

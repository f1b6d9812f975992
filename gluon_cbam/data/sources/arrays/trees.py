"""Images in an array as a tree of images, see :class:`gluon_cbam.data.sources.file_trees.Tree`."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterable, Iterator, NamedTuple, Sequence, Set

import cv2
import numpy as np

from ..compact_lists import Names
from ..left_out import LeftOut


class Pixels(NamedTuple):
    """An image in an array.

    Attributes:
        values: (H, W) gray or (H, W, 3) RGB, uint8.
    """

    values: np.ndarray

    def read(self) -> bytes:
        """Encode it as PNG, without loss: gray, or RGB.

        Returns:
            The encoded image.
        """
        colored = self.values.ndim == 3
        return cv2.imencode('.png', self.values[..., ::-1] if colored else self.values)[1].tobytes()


class ArrayTree:
    """The images in an array; their names are their numbers from 0.

    Args:
        path: path of the file that holds the array.
        pixels: (N, H, W) gray or (N, H, W, 3) RGB, uint8.
    """

    sequential = False
    files = False

    def __init__(self, path: Path, pixels: np.ndarray) -> None:
        self.path = path
        self.names: Sequence[str] = Names(map(str, range(len(pixels))))
        self.folders: Set[str] = set()
        self.others: Dict[str, LeftOut] = {}
        self._pixels = pixels

    def contents(self, numbers: Iterable[int]) -> Iterator[Pixels]:
        """Some images."""
        for number in numbers:
            yield Pixels(self._pixels[number])

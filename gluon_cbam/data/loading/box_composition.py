"""An image that is made of parts of pictures: one description for their pixels and for their boxes."""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

from gluon_cbam.data.resizing import Frame

from .box_placement import Placement
from .preprocessing import Preprocessing

Recolor = Callable[[np.ndarray], np.ndarray]
"""Changes the color of each pixel of (H, W, 3) uint8 RGB."""


class Picture(NamedTuple):
    """A picture with the boxes to train on, before its pixels are decoded.

    Attributes:
        height: height in pixels.
        width: width in pixels.
        corners: (n, 4) float64: xmin, ymin, xmax, ymax in pixels, continuous; see :mod:`gluon_cbam.data.boxes.table`.
        classes: (n,) int64; negative for a region that is no object.
    """

    height: int
    width: int
    corners: np.ndarray
    classes: np.ndarray


class Part(NamedTuple):
    """A part of a picture, and how it is put into the image.

    Attributes:
        placement: the part and its place.
        interpolation: of the resize, one of OpenCV.
        recolor: changes its colors; default None.
        keeps_cut: whether boxes stay whose center is not seen, see :meth:`.box_placement.Placement.visible`.
    """

    placement: Placement
    interpolation: int = cv2.INTER_LINEAR
    recolor: Optional[Recolor] = None
    keeps_cut: bool = False

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """The part in the size of its place: from (H, W, 3) to (target.height, target.width, 3) uint8.

        Colors are changed before or after the resize, where there are fewer pixels.
        """
        source, target = self.placement
        part, size = source.of(pixels), (target.width, target.height)
        if self.recolor is None:
            return cv2.resize(part, size, interpolation=self.interpolation)
        if source.height * source.width < target.height * target.width:
            return cv2.resize(self.recolor(part), size, interpolation=self.interpolation)
        return self.recolor(cv2.resize(part, size, interpolation=self.interpolation))


class Composition(NamedTuple):
    """How an image is made of pictures.

    Attributes:
        shape: height and width of the image in pixels.
        ground: the color where there is no picture.
        parts: the part of each picture; None where nothing of it is seen.
        mirrored: number of columns, from the left, that are mirrored; 0 for none. No part goes beyond them.
    """

    shape: Tuple[int, int]
    ground: Tuple[int, int, int]
    parts: Sequence[Optional[Part]]
    mirrored: int = 0

    @classmethod
    def of(cls, preprocessing: Preprocessing, *parts: Optional[Part]) -> Composition:
        """An image of the size of a preprocessing, with its mean color as the ground."""
        return cls(preprocessing.shape, preprocessing.ground, parts)

    def flipped(self, frame: Frame) -> Composition:
        """The mirror image, in which what a frame leaves free at the right keeps its place."""
        return self._replace(mirrored=min(int(frame.right), self.shape[1]))

    def pixels(self, pictures: Sequence[Callable[[], np.ndarray]]) -> np.ndarray:
        """Make the image.

        Args:
            pictures: decodes each picture, (H, W, 3) uint8 RGB; called in turn for those that are seen.

        Returns:
            (height, width, 3) uint8 RGB.
        """
        image: Optional[np.ndarray] = None
        for part, decode in zip(self.parts, pictures):
            if part is None:
                continue
            pixels = part.of(decode())
            if image is None:
                image = self._on_ground(pixels, part.placement)
            else:
                part.placement.target.of(image)[:] = pixels
        if image is None:
            image = np.full((*self.shape, 3), self.ground, np.uint8)
        return self._mirrored(image) if self.mirrored else image

    def _on_ground(self, pixels: np.ndarray, placement: Placement) -> np.ndarray:
        top, left, height, width = placement.target
        rows, columns = self.shape
        if (height, width) == (rows, columns):
            return pixels
        # several times as fast as an array that is filled by numpy
        margins = (top, rows - top - height, left, columns - left - width)
        return cv2.copyMakeBorder(pixels, *margins, cv2.BORDER_CONSTANT, value=self.ground)

    def _mirrored(self, image: np.ndarray) -> np.ndarray:
        mirrored = cv2.flip(image[:, : self.mirrored], 1)
        if self.mirrored == self.shape[1]:
            return mirrored
        return np.concatenate([mirrored, image[:, self.mirrored :]], axis=1)

    def boxes(self, number: int, corners: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """The boxes of a picture that are seen, clipped to its place.

        Args:
            number: the place of the picture among those that the image is made of.
            corners: (n, 4) in pixels of the picture.

        Returns:
            (m, 4) float64 in pixels of the image, and the indices of these boxes, (m,).
        """
        part = self.parts[number]
        if part is None:
            return np.zeros((0, 4)), np.zeros(0, np.int64)
        seen, kept = part.placement.visible(corners, part.keeps_cut)
        if self.mirrored:
            seen[:, ::2] = self.mirrored - seen[:, 2::-2]
        return seen, kept

    def origins(self, number: int, seen: np.ndarray) -> np.ndarray:
        """What the boxes of a picture show of it.

        Args:
            number: the place of the picture among those that the image is made of.
            seen: (m, 4), boxes of :meth:`boxes`.

        Returns:
            (m, 4) float64, what is at the left, the top, the right and the bottom of each box, in pixels of the
            picture; the left is larger than the right where the image is mirrored.
        """
        part = self.parts[number]
        if part is None:
            return np.zeros((0, 4))
        corners = seen.copy()
        if self.mirrored:
            corners[:, ::2] = self.mirrored - corners[:, ::2]
        source, target = part.placement
        return Placement(target, source).moved(corners)

    def joined(self, pictures: Sequence[Picture]) -> Tuple[np.ndarray, np.ndarray]:
        """The boxes of all pictures that are seen, (m, 4) float64 in pixels of the image, and their classes, (m,)."""
        seen = [self.boxes(number, picture.corners) for number, picture in enumerate(pictures)]
        corners = [boxes for boxes, _ in seen]
        classes = [picture.classes[kept] for picture, (_, kept) in zip(pictures, seen)]
        return (corners[0], classes[0]) if len(pictures) == 1 else (np.concatenate(corners), np.concatenate(classes))

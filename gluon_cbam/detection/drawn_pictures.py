"""Pictures of predictions: each as a file of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Sequence

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_path, refuse_existing
from gluon_cbam.common.printable import printable

from .annotations import picture_name
from .drawing import detection_boxes, draw_boxes, draw_segmentations

_ENDING = '.png'
Encode = Callable[[Any, np.ndarray], bytes]
"""From a prediction and its picture, (H, W, 3) uint8 RGB, to a PNG."""


class DrawnPictures:
    """Writes the pictures of predictions to a folder, as ``NAME.png``.

    Args:
        folder: the folder, which is made; files in it are replaced.
        encode: makes a picture.

    Raises:
        TransferError: the folder is a file, or below one.
    """

    def __init__(self, folder: PathLike, encode: Encode) -> None:
        self._folder, self._encode = Path(folder), encode
        refuse_existing([self._folder / _ENDING], overwrite=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._files: Dict[str, str] = {}

    def add(self, prediction: Any, pixels: np.ndarray) -> None:
        """Write the picture of a prediction.

        Args:
            prediction: the prediction, with its ``image``.
            pixels: its picture, (H, W, 3) uint8 RGB.

        Raises:
            DataError: another picture has the same name.
            UsageError: the picture is a file of the folder, where it or another one could be replaced.
        """
        image = prediction.image
        if image.number is None and image.file != '-' and Path(image.file).resolve().parent == self._folder.resolve():
            raise UsageError(
                f'{printable(str(self._folder))} is the folder of {printable(prediction.name)}, and pictures there '
                'would be replaced: give another one'
            )
        name = Path(picture_name(prediction.image)).stem + _ENDING
        other = self._files.setdefault(name, prediction.name)
        if other != prediction.name:
            raise DataError(
                f'{printable(other)} and {printable(prediction.name)} would both be drawn as {printable(name)}: '
                'predict them in two calls'
            )
        with atomic_path(self._folder / name) as temporary:
            Path(temporary).write_bytes(self._encode(prediction, pixels))


def drawn_boxes(classes: Sequence[str]) -> Encode:
    """Draws the boxes of a prediction, and its masks, if it has some.

    Args:
        classes: names of the classes.
    """

    def drawn(prediction: Any, pixels: np.ndarray) -> bytes:
        found = prediction.detections
        surest_last = found.chosen(np.argsort(found.scores, kind='stable'))
        return encoded(draw_boxes(draw_segmentations(pixels, surest_last), detection_boxes(found, classes)))

    return drawn


def encoded(pixels: np.ndarray) -> bytes:
    """A PNG of (H, W, 3) uint8 RGB."""
    import cv2

    return cv2.imencode(_ENDING, np.ascontiguousarray(pixels[..., ::-1]))[1].tobytes()

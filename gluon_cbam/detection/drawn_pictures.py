"""Pictures of predictions: each with its boxes, as a file of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Sequence

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike, atomic_path
from gluon_cbam.common.printable import printable
from gluon_cbam.tasks.detection.prediction import BoxPrediction

from .annotations import picture_name
from .drawing import detection_boxes, draw_boxes

_ENDING = '.png'


class DrawnPictures:
    """Writes the pictures of predictions to a folder, as ``NAME.png``.

    Args:
        folder: the folder, which is made; files in it are replaced.
        classes: names of the classes.
    """

    def __init__(self, folder: PathLike, classes: Sequence[str]) -> None:
        self._folder, self._classes = Path(folder), classes
        self._folder.mkdir(parents=True, exist_ok=True)
        self._files: Dict[str, str] = {}

    def add(self, prediction: BoxPrediction, pixels: np.ndarray) -> None:
        """Draw the boxes of a prediction.

        Args:
            prediction: the prediction.
            pixels: its picture, (H, W, 3) uint8 RGB.

        Raises:
            DataError: another picture has the same name.
        """
        import cv2

        name = Path(picture_name(prediction.image)).stem + _ENDING
        other = self._files.setdefault(name, prediction.name)
        if other != prediction.name:
            raise DataError(
                f'{printable(other)} and {printable(prediction.name)} would both be drawn as {printable(name)}: '
                'predict them in two calls'
            )
        drawn = draw_boxes(pixels, detection_boxes(prediction.detections, self._classes))
        encoded = cv2.imencode(_ENDING, np.ascontiguousarray(drawn[..., ::-1]))[1]
        with atomic_path(self._folder / name) as temporary:
            Path(temporary).write_bytes(encoded.tobytes())

"""Detection of faces and their landmarks with YuNet, by OpenCV.

OpenCV runs the networks of its model zoo: ``face_detection_yunet_2023mar.onnx`` (OpenCV 4.8 and later) and
``face_detection_yunet_2022mar.onnx`` (4.5.4 to 4.7). Others, such as SCRFD and RetinaFace, have other outputs.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError, EnvironmentProblem, UsageError
from gluon_cbam.common.quoting import shown_name
from gluon_cbam.data.decoding import opencv_log

_COLUMNS = 15  # box, five landmarks, score
_FITTING = 'OpenCV runs YuNet, such as face_detection_yunet_2023mar.onnx of its model zoo'
_OVERLAP, _MOST = 0.3, 5000  # OpenCV's own defaults


def open_detector(path: Path, threshold: float) -> None:
    """Check that a detector can be run.

    Args:
        path: path of the network, ``.onnx``.
        threshold: smallest score of a face, 0..1.

    Raises:
        UsageError: there is no such file.
        EnvironmentProblem: the installed OpenCV has no such detector.
        DataError: the file is another network.
    """
    if not path.is_file():
        raise UsageError(f'no detector {str(path)!r}')
    if not hasattr(cv2, 'FaceDetectorYN'):
        raise EnvironmentProblem(f'OpenCV {cv2.__version__} has no FaceDetectorYN: install opencv-python>=4.8')
    detect(np.zeros((64, 64, 3), np.uint8), path, threshold)


def detect(pixels: np.ndarray, path: Path, threshold: float) -> Optional[np.ndarray]:
    """Find the landmarks of the face that is largest and nearest to the center.

    Of several faces, the one with the largest area minus twice the squared distance of its center from the picture's
    is taken, as insightface's ``align_dataset_mtcnn.py`` does.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        path: path of the network, ``.onnx``.
        threshold: smallest score of a face, 0..1.

    Returns:
        (5, 2) float64, x and y of both eyes, the nose and both corners of the mouth, the picture's left one first; None
        where no face is found.

    Raises:
        DataError: the file is another network.
    """
    height, width = pixels.shape[:2]
    try:
        with opencv_log.silenced():
            detector = _detector(str(path), threshold)
            detector.setInputSize((width, height))
            _, faces = detector.detect(np.ascontiguousarray(pixels[..., ::-1]))
    except cv2.error as error:
        reason = shown_name(str(error.err).strip(), 80)
        raise DataError(f'{path}: OpenCV cannot run it as a detector ({reason}): {_FITTING}') from None
    if faces is None or not len(faces):
        return None
    if faces.shape[1] != _COLUMNS:
        raise DataError(f'{path}: a detector with {faces.shape[1]} columns instead of {_COLUMNS}: {_FITTING}')
    row = faces[most_central(faces[:, :4], width, height)]
    return row[4:14].reshape(5, 2).astype(np.float64)


def most_central(boxes: np.ndarray, width: int, height: int) -> int:
    """The number of the face that is largest and nearest to the center; see :func:`detect`.

    Args:
        boxes: (N, 4), left, top, width and height in pixels.
        width: width of the picture, in pixels.
        height: height of the picture, in pixels.
    """
    centers = boxes[:, :2] + boxes[:, 2:] / 2
    distances = ((centers - [width / 2, height / 2]) ** 2).sum(axis=1)
    return int(np.argmax(boxes[:, 2] * boxes[:, 3] - 2 * distances))


@lru_cache(maxsize=1)
def _detector(path: str, threshold: float) -> Any:
    """The network, once in each process."""
    return cv2.FaceDetectorYN.create(path, '', (64, 64), threshold, _OVERLAP, _MOST)

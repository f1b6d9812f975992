"""Frames of videos and cameras, through OpenCV."""

from __future__ import annotations

import os
from contextlib import contextmanager
from itertools import count
from typing import Iterator, Optional, Tuple, Union

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.decoding import opencv_log

ENDINGS = ('.mp4', '.m4v', '.mov', '.avi', '.mkv', '.webm', '.mpg', '.mpeg', '.ts', '.wmv', '.flv', '.ogv', '.3gp')
"""Suffixes of video files, in lower case."""


def frames(source: Union[int, str], every: int = 1) -> Iterator[Tuple[int, Optional[np.ndarray]]]:
    """The frames of a video or a camera with their numbers from 0; the rotation of the metadata is applied.

    Args:
        source: the path of a video, the URL of a stream, or the number of a camera.
        every: use every n-th frame; the other frames are not decoded if the format allows it. Default 1.

    Yields:
        (number, frame); :func:`to_rgb` takes the frame.

    Raises:
        DataError: the source cannot be opened, or has no frame.
    """
    with _opened(source) as capture:
        for number in count():
            if not capture.grab():
                break
            if number % every == 0:
                yield number, capture.retrieve()[1]
        if number == 0:
            raise DataError(f'{source}: no frame of it can be read')


@contextmanager
def _opened(source: Union[int, str]) -> Iterator[cv2.VideoCapture]:
    """Open a capture; the messages of FFmpeg and OpenCV about files that cannot be opened are switched off."""
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')  # read when the first video is opened
    with opencv_log.silenced():
        capture = cv2.VideoCapture(source)
    try:
        if not capture.isOpened():
            raise DataError(f'{source}: no video that OpenCV can open')
        yield capture
    finally:
        capture.release()


def to_rgb(frame: Optional[np.ndarray]) -> np.ndarray:
    """Convert a frame to RGB.

    Args:
        frame: (H, W, 3) uint8 BGR, or None for a frame that could not be decoded.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        DataError: the frame is None.
    """
    if frame is None:
        raise DataError('a damaged frame')
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)

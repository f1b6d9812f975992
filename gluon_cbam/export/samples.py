"""Sample images for an exported network: from records or files where they are given, else generated."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Sequence

import cv2
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike, read_regular
from gluon_cbam.common.image_size import ImageSize, height_width
from gluon_cbam.common.limits import MAX_IMAGE_BYTES
from gluon_cbam.compat.renamed import renamed_attributes
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.records.images import evenly_spaced
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.tasks import Task

COUNT = 8


class SampleImages(List[np.ndarray]):
    """(H, W, 3) uint8 images, RGB.

    Attributes:
        description: human-readable source of the images.
    """

    description = 'generated images'


def sample_images(
    image_size: ImageSize, records: Optional[RecordFile] = None, files: Sequence[PathLike] = (), count: int = COUNT
) -> SampleImages:
    """Take sample images from a record file, else from files, else generate smooth random ones.

    Args:
        image_size: the size of generated images.
        records: the checked file; ``count`` of its images, evenly spaced.
        files: image files; all of them are taken.
        count: number of images, except of ``files``; default 8.

    Returns:
        The images.

    Raises:
        UsageError: a file does not exist.
        DataError: an image cannot be decoded.
    """
    if records is not None:
        found = SampleImages(evenly_spaced(records, count))
        found.description = f'images of {records.path.name}'
    elif files:
        found = SampleImages(_decoded(Path(file)) for file in files)
        found.description = 'given images'
    else:
        found = SampleImages(_generated(*height_width(image_size), number) for number in range(count))
    return found


def task_images(task: Task, path: PathLike, count: int = COUNT) -> SampleImages:
    """Take sample images from the data of a task, evenly spaced; see :meth:`gluon_cbam.tasks.Task.sample_images`."""
    found = SampleImages(task.sample_images(path, count))
    found.description = f'images of {Path(path).name}'
    return found


def _decoded(path: Path) -> np.ndarray:
    if not path.is_file():
        raise UsageError(f'no image file {str(path)!r}')
    return decode(read_regular(path, MAX_IMAGE_BYTES), str(path))


def _generated(height: int, width: int, seed: int) -> np.ndarray:
    """A smooth background with a disk in front, so that the image has frequencies like a photograph."""
    draw = np.random.RandomState(seed)
    small = draw.randint(0, 256, (6, 6, 3)).astype(np.uint8)
    image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    center = [int(draw.randint(length // 4, 3 * length // 4 + 1)) for length in (width, height)]
    shorter = min(height, width)
    radius = int(draw.randint(shorter // 8, shorter // 3 + 1))
    color = [int(value) for value in draw.randint(0, 256, 3)]
    return cv2.circle(image, (center[0], center[1]), radius, color, -1)


__getattr__ = renamed_attributes(
    __name__, {'Samples': 'export.samples.SampleImages', 'samples': 'export.samples.sample_images'}
)

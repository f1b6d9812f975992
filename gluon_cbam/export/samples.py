"""Images to try an exported network on: real ones where there are some, else generated."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Sequence

import cv2
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.recordio import RecordFile

COUNT = 8
_GENERATED = 'generated images'


class Samples(list):
    """(H, W, 3) uint8 images, RGB.

    Attributes:
        origin: what they are, for people.
    """

    origin = _GENERATED


def samples(
    image_size: int, records: Optional[RecordFile] = None, files: Sequence[PathLike] = (), count: int = COUNT
) -> Samples:
    """Images from a record file, else from files, else smooth random ones.

    Args:
        image_size: of the generated ones.
        records: the checked file; ``count`` of its images, evenly spread.
        files: of images.
        count: how many, but for ``files``.

    Raises:
        UsageError: a file is not there.
        DataError: an image cannot be decoded.
    """
    if records is not None:
        found = Samples(decode_record(records, number) for number in spread(len(records), count))
        found.origin = f'images of {records.path.name}'
    elif files:
        found = Samples(_decoded(Path(file)) for file in files)
        found.origin = 'the images given'
    else:
        found = Samples(_generated(image_size, number) for number in range(count))
    return found


def spread(total: int, count: int) -> List[int]:
    """``count`` numbers below ``total``, or all of them, evenly spread."""
    count = min(count, total)
    return [number * total // count for number in range(count)]


def _decoded(path: Path) -> np.ndarray:
    if not path.is_file():
        raise UsageError(f'no image file {str(path)!r}')
    return decode(path.read_bytes(), str(path))


def _generated(size: int, seed: int) -> np.ndarray:
    """A smooth picture with an object in front, as photographs are."""
    draw = np.random.RandomState(seed)
    image = cv2.resize(draw.randint(0, 256, (6, 6, 3)).astype(np.uint8), (size, size), interpolation=cv2.INTER_CUBIC)
    centre, radius = draw.randint(size // 4, 3 * size // 4 + 1, 2), draw.randint(size // 8, size // 3 + 1)
    colour = [int(value) for value in draw.randint(0, 256, 3)]
    return cv2.circle(image, (int(centre[0]), int(centre[1])), int(radius), colour, -1)

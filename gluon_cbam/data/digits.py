"""The demonstration's data: scikit-learn's 1,797 scans of handwritten digits as RecordIO."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

import cv2
import numpy as np

from zoo.files import PathLike, write_text

from .recordio import RecordWriter

_FIFTH = 5
_BRIGHTEST = 16  # the scans have 17 levels, 0..16


def write_digits(folder: PathLike) -> Dict[str, int]:
    """Write ``train.rec``, ``val.rec``, their ``.idx`` and ``classes.txt``.

    The scans (E. Alpaydin, C. Kaynak, UCI 1998; 8 x 8 pixels) become grey PNGs without loss. The split is fixed: sorted
    by class, in the data set's own order within a class, every fifth scan is for validation: 1,437 and 360.

    Args:
        folder: made if it does not exist.

    Returns:
        Records by file name.
    """
    from sklearn.datasets import load_digits

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    pixels = np.round(digits.images * (255 / _BRIGHTEST)).astype(np.uint8)  # (1797, 8, 8)
    order = np.argsort(digits.target, kind='stable')
    held_out = np.zeros(len(order), bool)
    held_out[order[::_FIFTH]] = True
    counts = {}
    for name, chosen in (('train.rec', ~held_out), ('val.rec', held_out)):
        with RecordWriter(folder / name) as writer:
            for number in np.flatnonzero(chosen):
                writer.write(float(digits.target[number]), cv2.imencode('.png', pixels[number])[1].tobytes())
        counts[name] = writer.count
    write_text(folder / 'classes.txt', ''.join(f'{digit}\n' for digit in range(10)))
    return counts

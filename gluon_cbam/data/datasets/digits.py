"""scikit-learn's 1,797 scans of handwritten digits as RecordIO files, plain or in clutter; nothing is downloaded.

The scans were made by E. Alpaydin and C. Kaynak (UCI, 1998): 8 x 8 pixels with 17 gray levels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterable, Optional, Tuple

import cv2
import numpy as np

from gluon_cbam.common.files import PathLike, refuse_existing
from gluon_cbam.data.class_names import write_classes
from gluon_cbam.data.records.recordio import RecordWriter

from .masks import remove_masks

_VALIDATION_STRIDE = 5  # every fifth scan of a class
_BRIGHTEST = 16  # the scans have 17 levels, 0..16
_CANVAS = 32  # pixels
_HEIGHTS = (13, 19)  # range of the height of a digit in clutter, in pixels
_FRAGMENT = 1 / 2  # height of a fragment relative to the digit
_FRAGMENTS = 4
_FRAGMENT_BRIGHTNESS = 0.6


def write_digits(
    folder: PathLike, clutter: Optional[int] = None, seed: int = 0, overwrite: bool = True
) -> Dict[str, int]:
    """Write ``train.rec``, ``val.rec``, their ``.idx`` and ``classes.txt``.

    The scans are stored as gray PNGs without loss. The split is fixed: with the scans sorted by class (stable), every
    fifth is for validation, which gives 1,437 training and 360 validation images.

    Args:
        folder: created if it does not exist.
        clutter: number of training images to draw, and a quarter as many validation images: 32 x 32 pixels, one digit
            at a random place in a random size among fragments of others. By default, the scans themselves.
        seed: random seed of the clutter.
        overwrite: whether the files may exist. Masks next to them, which are of other records, are then removed.

    Returns:
        File name -> number of records.

    Raises:
        ImportError: scikit-learn is not installed.
        UsageError: a file exists and must not be overwritten.
    """
    from sklearn.datasets import load_digits

    folder = Path(folder)
    refuse_existing([folder / name for name in ('train.rec', 'val.rec', 'classes.txt')], overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    pixels = np.round(digits.images * (255 / _BRIGHTEST)).astype(np.uint8)  # (1797, 8, 8)
    order = np.argsort(digits.target, kind='stable')
    held_out = np.zeros(len(order), bool)
    held_out[order[::_VALIDATION_STRIDE]] = True
    counts = {}
    for number, (name, chosen) in enumerate((('train.rec', ~held_out), ('val.rec', held_out))):
        scans, labels = pixels[chosen], digits.target[chosen]
        if clutter is None:
            images: Iterable[Tuple[np.ndarray, int]] = zip(scans, labels)
        else:
            count = -(-clutter // (4 if number else 1))
            images = _in_clutter(scans, labels, count, np.random.RandomState([seed, number]))
        counts[name] = _write(folder / name, images)
        remove_masks(folder / name)
    write_classes(folder, [str(digit) for digit in range(10)])
    return counts


def _write(path: Path, images: Iterable[Tuple[np.ndarray, int]]) -> int:
    with RecordWriter(path) as writer:
        for pixels, label in images:
            writer.write(float(label), cv2.imencode('.png', pixels)[1].tobytes())
    return writer.count


def _in_clutter(
    scans: np.ndarray, labels: np.ndarray, count: int, random: np.random.RandomState
) -> Iterable[Tuple[np.ndarray, int]]:
    """Images of one whole digit among fragments, as in "cluttered MNIST" (Mnih et al., NIPS 2014), of these scans."""
    for _ in range(count):
        canvas = np.zeros((_CANVAS, _CANVAS), np.uint8)
        for _ in range(_FRAGMENTS):
            whole = _resized(scans[random.randint(len(scans))], random)
            side = int(len(whole) * _FRAGMENT)
            top, left = random.randint(0, len(whole) - side + 1, 2)
            fragment = whole[top : top + side, left : left + side] * _FRAGMENT_BRIGHTNESS
            _put(canvas, fragment.astype(np.uint8), random)
        chosen = random.randint(len(scans))
        _put(canvas, _resized(scans[chosen], random), random)
        yield canvas, int(labels[chosen])


def _resized(scan: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    side = random.randint(_HEIGHTS[0], _HEIGHTS[1] + 1)
    return cv2.resize(scan, (side, side), interpolation=cv2.INTER_LINEAR)


def _put(canvas: np.ndarray, patch: np.ndarray, random: np.random.RandomState) -> None:
    """Draw a patch at a random place of the canvas; the brighter of both pixels is kept."""
    side = len(patch)
    top, left = random.randint(0, _CANVAS - side + 1, 2)
    part = canvas[top : top + side, left : left + side]
    np.maximum(part, patch, out=part)

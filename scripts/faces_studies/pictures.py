"""Real pictures whose classes stand for identities, and their division into trained and withheld classes."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Tuple

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError, EnvironmentProblem
from gluon_cbam.data.faces.archived_sets import write_archived
from gluon_cbam.data.faces.pairing import draw_pairs
from gluon_cbam.data.records.recordio import RecordWriter

FASHION_FOLDER = Path('/usr/share/datasets/fashion-mnist')
CLASSES, WITHHELD, FOLDS = 10, 3, 10
_HELD_OUT = 4  # every fourth picture of a trained class is for validation


class Pictures(NamedTuple):
    """Gray pictures, (N, H, W) uint8, and their classes, (N,) int64, 0 to 9."""

    pixels: np.ndarray
    labels: np.ndarray


class Source(NamedTuple):
    """Pictures of a study.

    Attributes:
        title: what the report calls them.
        read: reads them, from a folder where they are in one.
    """

    title: str
    read: Callable[[Path], Pictures]


def read_digits(folder: Path) -> Pictures:
    """scikit-learn's 1,797 scans of handwritten digits, 8 x 8 pixels with 17 gray levels; ``folder`` is not needed."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return Pictures(np.round(digits.images * (255 / 16)).astype(np.uint8), digits.target.astype(np.int64))


def read_fashion(folder: Path) -> Pictures:
    """The 10,000 test photographs of Fashion-MNIST, 28 x 28 pixels.

    Args:
        folder: the folder of the IDX files.

    Raises:
        EnvironmentProblem: there are no such files.
        DataError: they are damaged, or do not fit each other.
    """
    from .idx import read_idx

    paths = [folder / f't10k-{name}-ubyte.gz' for name in ('images-idx3', 'labels-idx1')]
    for path in paths:
        if not path.is_file():
            raise EnvironmentProblem(
                f'no {path}: apt-get install dataset-fashion-mnist, or give its folder with --fashion'
            )
    pixels, labels = read_idx(paths[0], 3), read_idx(paths[1], 1)
    if len(pixels) != len(labels):
        raise DataError(f'{paths[0]} has {len(pixels)} pictures, {paths[1].name} {len(labels)} labels')
    if not len(labels) or labels.max() >= CLASSES:
        raise DataError(f'{paths[1]}: the labels are not 0 to {CLASSES - 1}')
    return Pictures(pixels, labels.astype(np.int64))


SOURCES: Dict[str, Source] = {
    'digits': Source('Handwritten digits', read_digits),
    'fashion': Source('Fashion-MNIST', read_fashion),
}
"""Name of the pictures in paths -> the pictures."""


def withheld_classes(split: int) -> List[int]:
    """The classes that no network of a split is trained on, drawn with the number of the split as seed."""
    return sorted(int(each) for each in np.random.RandomState(split).choice(CLASSES, WITHHELD, replace=False))


def divide(pictures: Pictures, split: int, of_class: int) -> Tuple[Pictures, Pictures, Pictures]:
    """Divide pictures for a split.

    Args:
        pictures: all pictures.
        split: number of the split.
        of_class: pictures of each class that are used, at most; which ones depends on the split.

    Returns:
        Pictures of the trained classes to train on, others of the same classes, and pictures of the withheld classes.
        The trained classes are numbered from 0, in their order.
    """
    unseen = withheld_classes(split)
    seen = [each for each in range(CLASSES) if each not in unseen]
    order = np.random.RandomState(split).permutation(len(pictures.labels))
    train, held_out, withheld = [], [], []
    for label in range(CLASSES):
        chosen = order[pictures.labels[order] == label][:of_class]
        if label in unseen:
            withheld.append(chosen)
        else:
            held_out.append(chosen[::_HELD_OUT])
            train.append(np.setdiff1d(chosen, held_out[-1]))
    numbers = np.full(CLASSES, -1)
    numbers[seen] = np.arange(len(seen))

    def of(parts: List[np.ndarray], labels: np.ndarray) -> Pictures:
        chosen = np.concatenate(parts)
        return Pictures(pictures.pixels[chosen], labels[chosen])

    own = numbers[pictures.labels]
    return of(train, own), of(held_out, own), of(withheld, pictures.labels)


def write_records(path: Path, pictures: Pictures) -> None:
    """Write pictures as PNGs to a record file, with their classes as labels."""
    with RecordWriter(path) as writer:
        for pixels, label in zip(*pictures):
            writer.write(float(label), _png(pixels))


def write_pairs(path: Path, pictures: Pictures, pairs: int, seed: int) -> Tuple[np.ndarray, np.ndarray]:
    """Write a verification set with ``pairs`` random pairs of each kind in each of ten folds; returns its pairs."""
    drawn, same = draw_pairs(pictures.labels, pairs, FOLDS, seed)
    write_archived(path, [_png(pixels) for pixels in pictures.pixels], drawn, same, FOLDS)
    return drawn, same


def _png(pixels: np.ndarray) -> bytes:
    return cv2.imencode('.png', pixels)[1].tobytes()

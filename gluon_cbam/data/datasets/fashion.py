"""Fashion-MNIST as RecordIO files: 70,000 gray images of 28 x 28 pixels of clothes of ten classes (Xiao et al., 2017).

The four files of Zalando Research are IDX files, compressed by gzip. Debian's package ``dataset-fashion-mnist`` has the
same contents compressed anew, so that the hashes of its files differ from those in the README of the set.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, refuse_existing
from gluon_cbam.common.folders import made_folder
from gluon_cbam.data.class_names import write_classes
from gluon_cbam.data.records.recordio import RecordWriter
from gluon_cbam.data.sources.arrays.idx_file import read_idx
from gluon_cbam.data.sources.arrays.known_sets import FASHION
from gluon_cbam.data.sources.arrays.trees import Pixels

from .masks import remove_masks

PACKAGE = 'dataset-fashion-mnist'
"""The name of Debian's package."""
_INSTALLED = Path('/usr/share/datasets/fashion-mnist')
SERVERS: Tuple[str, ...] = (
    'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/',
    'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/',
)
"""Where the files are published, in the order in which they are tried; hashes are compared after each download."""


class FashionFile(NamedTuple):
    """A file of the set.

    Attributes:
        name: its name.
        md5: MD5 of the compressed file, in the README of its publisher.
        size: size of the compressed file in bytes.
        sha256: SHA-256 of the elements that it holds, measured with files that have this MD5.
    """

    name: str
    md5: str
    size: int
    sha256: str


class _Split(NamedTuple):
    """The files of a split."""

    images: FashionFile
    labels: FashionFile


FILES: Dict[str, _Split] = {
    'train.rec': _Split(
        FashionFile(
            'train-images-idx3-ubyte.gz',
            '8d4fb7e6c68d591d4c3dfef9ec88bf0d',
            26_421_880,
            '2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012',
        ),
        FashionFile(
            'train-labels-idx1-ubyte.gz',
            '25c81989df183df01b3e8a0aad5dffbe',
            29_515,
            '657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7',
        ),
    ),
    'val.rec': _Split(
        FashionFile(
            't10k-images-idx3-ubyte.gz',
            'bef4ecab320f06d8554ea6380940ec79',
            4_422_102,
            'c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a',
        ),
        FashionFile(
            't10k-labels-idx1-ubyte.gz',
            'bb300cfdad3c16e7a12a480ee83cd310',
            5_148,
            '3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9',
        ),
    ),
}
"""Record file -> the files that it is made of. Source of the MD5: README.md of zalandoresearch/fashion-mnist."""


def installed() -> Optional[Path]:
    """The folder of the files of Debian's package; None if it is not installed."""
    return _INSTALLED if _INSTALLED.is_dir() else None


def write_fashion(source: PathLike, folder: PathLike, overwrite: bool = True) -> Dict[str, int]:
    """Write ``train.rec`` (60,000 images), ``val.rec`` (10,000), their ``.idx`` and ``classes.txt``.

    The images are gray PNGs with the pixels of the source.

    Args:
        source: folder of the four files, with or without ``.gz``, or with them in ``raw/``.
        folder: created if it does not exist.
        overwrite: whether the files may exist. Masks next to them, which are of other records, are then removed.

    Returns:
        File name -> number of records.

    Raises:
        UsageError: there is no such folder, or a file exists and must not be overwritten.
        DataError: a file of the source is missing, damaged, or not that of Fashion-MNIST. Nothing is written.
    """
    source, output = Path(source), Path(folder)
    if not source.is_dir():
        raise UsageError(f'no folder {str(source)!r} of the files of Fashion-MNIST')
    refuse_existing([output / name for name in (*FILES, 'classes.txt')], overwrite)
    arrays = {name: [_verified(source, file) for file in split] for name, split in FILES.items()}
    counts = {}
    with made_folder(output):
        for name, (images, labels) in arrays.items():
            counts[name] = _write(output / name, images, labels.tolist())
            remove_masks(output / name)
        write_classes(output, FASHION)
    return counts


def _verified(source: Path, file: FashionFile) -> np.ndarray:
    """The elements of a file, after a comparison of their hash."""
    places = [folder / name for folder in (source, source / 'raw') for name in (file.name, file.name[: -len('.gz')])]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise DataError(f'{source}: {file.name} of Fashion-MNIST is missing')
    values = read_idx(path)
    found = hashlib.sha256(values.tobytes()).hexdigest()
    if found != file.sha256:
        raise DataError(f'{path} is not {file.name} of Fashion-MNIST: the SHA-256 of what it holds is {found}')
    return values


def _write(path: Path, images: np.ndarray, labels: List[int]) -> int:
    with RecordWriter(path) as writer:
        for pixels, label in zip(images, labels):
            writer.write(float(label), Pixels(pixels).read())
    return writer.count

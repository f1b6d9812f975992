"""Lists of images in the format of MXNet's im2rec: index, labels and path, separated by tabs."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike, atomic_path
from gluon_cbam.data.sources.layouts import Part, read_source

from .class_names import check_classes, write_classes


class Listed(NamedTuple):
    """A list that was written.

    Attributes:
        path: path of the ``.lst``.
        images: number of lines.
    """

    path: Path
    images: int


def make_lists(
    source: PathLike,
    output: PathLike,
    shuffle: bool = False,
    seed: int = 0,
    val_ratio: float = 0.0,
    test_ratio: float = 0.0,
    labels: Optional[PathLike] = None,
    classes_file: Optional[PathLike] = None,
) -> List[Listed]:
    """Write the list of the images of a source, or one for each of its parts, and ``classes.txt`` in the same folder.

    Args:
        source: see :func:`gluon_cbam.data.sources.layouts.read_source`; the paths in the list are relative to it.
        output: the ``.lst`` file, or its path without the suffix. If several lists are written, their names end in
            ``_train``, ``_val`` and ``_test``.
        shuffle: write the images in an order that depends only on the seed; by default, in the order of the source.
        seed: random seed of the order and of the split.
        val_ratio: share of each class for a validation list, 0..1; default 0, no such list.
        test_ratio: share of each class for a test list, 0..1; default 0, no such list.
        labels: label file of images that are not in class folders, see ``read_source``.
        classes_file: names of the classes, see ``read_source``.

    Returns:
        An entry for each list that was written.

    Raises:
        UsageError: the ratios do not fit the source, or ``read_source`` raises it.
        DataError: a file is damaged, or does not fit the others. Nothing is written.
    """
    if not (val_ratio >= 0 and test_ratio >= 0 and val_ratio + test_ratio < 1):
        raise UsageError(f'--val-ratio {val_ratio:g} and --test-ratio {test_ratio:g} must be parts of 1, with a rest')
    dataset = read_source(source, labels=labels, classes_file=classes_file)
    ratios = {name: ratio for name, ratio in (('val', val_ratio), ('test', test_ratio)) if ratio}
    if ratios and len(dataset.parts) > 1:
        raise UsageError(f'{source} is split already ({dataset.layout}): leave out --val-ratio and --test-ratio')
    prefix = Path(output).with_suffix('') if Path(output).suffix == '.lst' else Path(output)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    check_classes(prefix.parent, dataset.classes)
    random = np.random.RandomState(seed)
    done = []
    for part in dataset.parts:
        splits = _split(part, ratios, random)
        for name, chosen in splits.items():
            several = len(splits) * len(dataset.parts) > 1
            path = prefix.with_name(f'{prefix.name}_{name}.lst' if several else f'{prefix.name}.lst')
            done.append(_write(path, part, random.permutation(chosen) if shuffle else chosen))
    write_classes(prefix.parent, dataset.classes)
    return done


def _split(part: Part, ratios: Dict[str, float], random: np.random.RandomState) -> Dict[str, np.ndarray]:
    """Indices of the images of each list, sorted; each class, by the first label, is split by the same ratios."""
    if not ratios:
        return {part.name: np.arange(len(part))}
    where = np.zeros(len(part), np.int8)
    labels = np.fromiter((row[0] for row in part.labels), np.float32, len(part))
    by_class = np.argsort(labels, kind='stable')
    for members in np.split(by_class, np.flatnonzero(np.diff(labels[by_class])) + 1):
        shuffled, begin = random.permutation(members), 0
        for number, ratio in enumerate(ratios.values(), 1):
            count = int(round(len(members) * ratio))
            where[shuffled[begin : begin + count]] = number
            begin += count
    chosen = {name: np.flatnonzero(where == number) for number, name in enumerate(['train', *ratios])}
    empty = next((name for name, indices in chosen.items() if not len(indices)), None)
    if empty:
        raise UsageError(f'{len(part)} images, split by these ratios, leave none for {empty}')
    return chosen


def _write(path: Path, part: Part, indices: np.ndarray) -> Listed:
    with atomic_path(path) as temporary, open(temporary, 'w', encoding='utf-8') as file:
        for index in indices:
            labels = ''.join(f'{label:f}\t' for label in part.labels[index])
            file.write(f'{index}\t{labels}{part.image(index)}\n')
    return Listed(path, len(indices))

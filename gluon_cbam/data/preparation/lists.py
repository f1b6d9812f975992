"""Lists of images in the format of MXNet's im2rec: index, labels and path, separated by tabs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_path, refuse_existing
from gluon_cbam.common.folders import made_folder
from gluon_cbam.common.printable import printable
from gluon_cbam.data.class_names import check_classes, write_classes
from gluon_cbam.data.sources.layouts import read_source
from gluon_cbam.data.sources.parts import Part

from .splitting import split_by_class, split_ratios
from .summary import Written


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
    label_index: Optional[int] = None,
    all_labels: bool = False,
    overwrite: bool = True,
) -> Written[Listed]:
    """Write the list of the images of a source, or one for each of its parts, and ``classes.txt`` in the same folder.

    Args:
        source: see :func:`gluon_cbam.data.sources.layouts.read_source`; the paths in the list are relative to it.
        output: the ``.lst`` file, or its path without the suffix. If several lists are written, their names end in
            ``_train``, ``_val`` and ``_test``.
        shuffle: write the images in an order that depends only on the seed; by default, in the order of the source.
        seed: random seed of the order and of the split.
        val_ratio: share of each class for a validation list, 0..1; default 0, no such list. Each class keeps at least
            one training image.
        test_ratio: share of each class for a test list, 0..1; default 0, no such list.
        labels: label file of images that are not in class folders, see ``read_source``.
        classes_file: names of the classes, see ``read_source``.
        label_index: the label of the lines of a list that is the class, see ``read_source``.
        all_labels: take all labels of a list, see ``read_source``.
        overwrite: whether the lists may exist.

    Returns:
        An entry for each list that was written.

    Raises:
        UsageError: the output ends in a slash, the ratios do not fit the source, a list exists and must not be
            overwritten, or ``read_source`` raises it.
        DataError: a file is damaged, does not fit the others, or has a name that a list cannot hold. Nothing is
            written.
    """
    if str(output).endswith('/'):
        raise UsageError(
            f'a list is a file, got the folder {str(output)!r}: give for instance {str(output) + "images.lst"!r}'
        )
    dataset = read_source(
        source,
        labels=labels,
        classes_file=classes_file,
        output=Path(output).parent,
        label_index=label_index,
        all_labels=all_labels,
    )
    ratios = split_ratios(val_ratio, test_ratio, source, len(dataset.parts), dataset.layout)
    for part in dataset.parts:
        _check_paths(part)
    prefix = Path(output).with_suffix('') if Path(output).suffix == '.lst' else Path(output)
    with made_folder(prefix.parent):
        check_classes(prefix.parent, dataset.classes)
        random = np.random.RandomState(seed)
        done: Written[Listed] = Written(dataset.layout, dataset.left_out)
        splits = [(part, *split) for part in dataset.parts for split in split_by_class(part, ratios, random).items()]
        ends = {name: f'_{name}.lst' if len(splits) > 1 else '.lst' for _, name, _ in splits}
        refuse_existing([prefix.with_name(prefix.name + end) for end in ends.values()], overwrite)
        for part, name, chosen in splits:
            path = prefix.with_name(prefix.name + ends[name])
            done.append(_write(path, part, random.permutation(chosen) if shuffle else chosen))
            if not all_labels:  # which are no classes
                done.note_classes(path, {part.labels[index][0] for index in chosen}, dataset.classes)
        write_classes(prefix.parent, dataset.classes)
    return done


def _check_paths(part: Part) -> None:
    """Raise an error for a path that a line of a list cannot hold, and for images that have none."""
    if not part.tree.files:
        raise UsageError(f'{part.tree.path}: its images are no files, which a list can name: use cbam data pack')
    for number in part.numbers:
        name = part.tree.names[number]
        if any(letter in name for letter in '\t\n\r'):
            raise DataError(
                f"'{printable(part.tree.path / name)}' cannot be a line of a list, as it has a tab or a line break: "
                f'rename it, or pack the source itself'
            )


def _write(path: Path, part: Part, indices: np.ndarray) -> Listed:
    with atomic_path(path) as temporary, open(
        temporary, 'w', encoding='utf-8', errors='surrogateescape', newline='\n'
    ) as file:
        for index in indices:
            labels = ''.join(f'{label:f}\t' for label in part.labels[index])
            file.write(f'{index}\t{labels}{part.image(index)}\n')
    return Listed(path, len(indices))

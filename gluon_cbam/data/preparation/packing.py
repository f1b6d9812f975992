"""Packing images into RecordIO files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Set, Union

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, refuse_existing
from gluon_cbam.common.folders import made_folder
from gluon_cbam.common.parallel import ordered_map, process_pool
from gluon_cbam.data.class_names import check_classes, write_classes
from gluon_cbam.data.datasets.masks import remove_masks
from gluon_cbam.data.decoding import DarkImages
from gluon_cbam.data.records.recordio import RecordWriter
from gluon_cbam.data.sources.arrays.sets import NO_OPTIONS, ArrayOptions
from gluon_cbam.data.sources.file_trees import Readable
from gluon_cbam.data.sources.layouts import is_list, read_source
from gluon_cbam.data.sources.parts import Dataset, Part

from .encoding import Encoded, encode
from .splitting import Order, split_by_class, split_ratios
from .summary import Written

_REPORTED = 10  # bad files that an error names
_Progress = Callable[[Iterable, int, str], Iterable]


@dataclass
class Packed:
    """A ``.rec`` file that was written.

    Attributes:
        path: path of the file.
        records: number of images in it.
        bad: path of an image that was left out -> the reason.
        other: number of files and folders in the same folder of the source that are left out.
        converted: number of images that were converted to PNG, as readers of records do not know their format, or
            were scaled to 8 bits.
        dark: images of 16 bits a channel that are almost black.
        labels: the first labels that occur.
    """

    path: Path
    records: int = 0
    bad: Dict[str, str] = field(default_factory=dict)
    other: int = 0
    converted: int = 0
    dark: DarkImages = field(default_factory=DarkImages)
    labels: Set[float] = field(default_factory=set)


def pack(
    source: PathLike,
    output: PathLike,
    resize: Optional[int] = None,
    quality: int = 95,
    skip_bad: bool = False,
    workers: int = 1,
    root: Optional[PathLike] = None,
    labels: Optional[PathLike] = None,
    classes_file: Optional[PathLike] = None,
    shuffle: bool = False,
    seed: int = 0,
    progress: _Progress = lambda items, total, name: items,
    label_index: Optional[int] = None,
    all_labels: bool = False,
    val_ratio: float = 0.0,
    test_ratio: float = 0.0,
    depth: Optional[int] = None,
    overwrite: bool = True,
    arrays: ArrayOptions = NO_OPTIONS,
) -> Written[Packed]:
    """Pack images into ``.rec``, ``.idx`` and ``classes.txt``.

    The bytes of JPEG, PNG and BMP are kept. Images of other formats are converted to PNG, without loss: readers of
    records, such as MXNet's, do not know them.

    Args:
        source: a folder, a tar file (which is read without unpacking it), or a list: see
            :func:`gluon_cbam.data.sources.layouts.read_source`. Class folders give ``train.rec``, splits a file each,
            images with a label file give ``val.rec``, and a list gives a file of the same name.
        output: folder, created if it does not exist.
        resize: length of the shorter side in pixels; the image is encoded as JPEG. By default, the bytes are kept.
        quality: quality of the JPEG, 1..100.
        skip_bad: leave out files that cannot be decoded instead of failing.
        workers: number of processes.
        root: folder or tar file that the paths of a list are relative to; by default, the folder of the list.
        labels: label file of images that are not in class folders.
        classes_file: file with the names of the classes, in the order of the labels.
        shuffle: write the images in an order that depends only on the seed; by default, in the order of the source.
        seed: random seed of the order and of the split.
        progress: wraps the images of a file for a progress bar; called with (images, number of images, name).
        label_index: the label of the lines of a list that is the class, see ``read_source``.
        all_labels: take all labels of a list, see ``read_source``.
        val_ratio: share of each class for ``val.rec``, 0..1; default 0, no such file. Each class keeps at least one
            training image. :func:`.lists.make_lists` gives the same split in the same order.
        test_ratio: share of each class for ``test.rec``, 0..1; default 0, no such file.
        depth: number of bits that images of 16 bits a channel use, 8..16; they are converted to PNG of 8 bits.
        overwrite: whether the ``.rec`` files may exist. Masks next to them, which are of other records, are removed.
        arrays: options of sources that are arrays, such as the IDX files of MNIST.

    Returns:
        An entry for each file that was written.

    Raises:
        UsageError: the source does not exist, holds no images, does not define what the labels mean, or is split
            already; or a file exists and must not be overwritten.
        DataError: files cannot be decoded, or the source is damaged. Nothing is written under the final names.
    """
    dataset = read_source(source, root, labels, classes_file, output, label_index, all_labels, arrays)
    if shuffle and any(part.tree.sequential for part in dataset.parts):
        raise UsageError(f'{source}: a compressed tar file is read in its order: uncompress it, or leave out --shuffle')
    orders = _orders(source, dataset, shuffle, seed, val_ratio, test_ratio)
    output = Path(output)
    refuse_existing([output / f'{name}.rec' for name, _, _ in orders], overwrite)
    with made_folder(output):
        check_classes(output, dataset.classes)
        encoder = partial(encode, resize=resize, quality=quality, depth=depth)
        done: Written[Packed] = Written(dataset.layout, dataset.left_out, dataset.notes)
        for name, part, order in orders:
            done.append(_pack_part(part, order, output / f'{name}.rec', encoder, skip_bad, workers, progress))
            remove_masks(done[-1].path)
            if not all_labels:  # which are no classes
                done.note_classes(done[-1].path, done[-1].labels, dataset.classes)
        write_classes(output, dataset.classes)
    return done


class _OrderedPart(NamedTuple):
    """The name of a file, and the images in it."""

    name: str
    part: Part
    order: Order


def _orders(
    source: PathLike, dataset: Dataset, shuffle: bool, seed: int, val_ratio: float, test_ratio: float
) -> List[_OrderedPart]:
    """The images of each file, in their order."""
    ratios = split_ratios(val_ratio, test_ratio, source, len(dataset.parts), dataset.layout)
    if ratios and is_list(Path(source)):
        raise UsageError(f'{source} is a list, and chooses its images: leave out --val-ratio and --test-ratio')
    if ratios:
        random, (part,) = np.random.RandomState(seed), dataset.parts
        splits = split_by_class(part, ratios, random)
        return [
            _OrderedPart(name, part, random.permutation(chosen) if shuffle else chosen)
            for name, chosen in splits.items()
        ]
    orders: List[Order] = [
        np.random.RandomState(seed).permutation(len(part)) if shuffle else range(len(part)) for part in dataset.parts
    ]
    return [_OrderedPart(part.name, part, order) for part, order in zip(dataset.parts, orders)]


_Encode = Callable[[Union[Readable, bytes]], Encoded]


def _pack_part(
    part: Part,
    order: Order,
    path: Path,
    encode: _Encode,
    skip_bad: bool,
    workers: int,
    progress: _Progress,
) -> Packed:
    result = Packed(path, other=part.left_out.total)
    with RecordWriter(result.path) as writer, process_pool(workers) as pool:
        contents = part.tree.contents(part.numbers[index] for index in order)
        if part.tree.files:
            encoded: Iterable[Encoded] = ordered_map(pool, encode, contents, prefetch=16 * workers)
        else:  # small images of an array are encoded in less time than it takes to send them to another process
            encoded = map(encode, contents)
        for index, image in zip(order, progress(encoded, len(order), path.stem)):
            if image.fault:
                result.bad[part.path(index)] = image.fault
            elif skip_bad or not result.bad:  # after a failure, the remaining files are only checked
                writer.write(part.labels[index], image.data)
                result.labels.add(part.labels[index][0])
                result.converted += image.converted
                if image.bits:
                    result.dark.add(part.path(index), image.bits)
        if result.bad and not skip_bad:
            named = ', '.join(f'{bad} ({fault})' for bad, fault in list(result.bad.items())[:_REPORTED])
            more = ' ...' if len(result.bad) > _REPORTED else ''
            raise DataError(
                f'{len(result.bad)} of {len(order)} images cannot be packed: {named}{more}; leave out with --skip-bad'
            )
        result.records = writer.count
    return result

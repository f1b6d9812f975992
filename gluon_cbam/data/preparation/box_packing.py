"""Packing pictures with boxes into detection records, with a list of their names beside them."""

from __future__ import annotations

from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike, atomic_path, refuse_existing
from gluon_cbam.common.folders import made_folder
from gluon_cbam.common.parallel import ordered_map, process_pool
from gluon_cbam.data.boxes.faults import Faults
from gluon_cbam.data.boxes.formats import read_boxes
from gluon_cbam.data.boxes.labels import encode as encode_label
from gluon_cbam.data.boxes.labels import list_line
from gluon_cbam.data.boxes.reading import Progress, read_options
from gluon_cbam.data.boxes.segmentation_files import segmentations_path, segmentations_writer
from gluon_cbam.data.boxes.segmentations import scaled
from gluon_cbam.data.boxes.sets import BoxPart, BoxSet
from gluon_cbam.data.boxes.table import Boxes, ImageBoxes
from gluon_cbam.data.class_names import check_classes, write_classes
from gluon_cbam.data.datasets.masks import remove_masks
from gluon_cbam.data.decoding import DarkImages
from gluon_cbam.data.records.recordio import RecordWriter

from .box_sources import fits, refuse, split_parts, usable_parts
from .encoding import Encoded, encode


@dataclass
class PackedBoxes:
    """A ``.rec`` file of detection that was written.

    Attributes:
        path: path of the file.
        records: number of pictures in it.
        boxes: number of boxes in it.
        empty: number of pictures without boxes.
        converted: number of pictures that were converted to PNG.
        dark: pictures of 16 bits a channel that are almost black.
        unused: classes without a box.
    """

    path: Path
    records: int = 0
    boxes: int = 0
    empty: int = 0
    converted: int = 0
    dark: DarkImages = field(default_factory=DarkImages)
    unused: List[str] = field(default_factory=list)


@dataclass
class PackedSet:
    """What was packed, and what was not.

    Attributes:
        boxes: the set that was read.
        files: the files that were written.
        faults: what was left out as it is wrong, and warnings.
    """

    boxes: BoxSet
    files: List[PackedBoxes]
    faults: Faults


@dataclass(frozen=True)
class PackOptions:
    """How pictures are packed, see :func:`.packing.pack`."""

    resize: Optional[int] = None
    quality: int = 95
    depth: Optional[int] = None
    skip_bad: bool = False
    workers: int = 1
    overwrite: bool = True
    shuffle: bool = False
    seed: int = 0
    progress: Progress = lambda items, total, name: items


def pack_boxes(
    source: PathLike,
    output: PathLike,
    form: Optional[str] = None,
    root: Optional[PathLike] = None,
    classes_file: Optional[PathLike] = None,
    val_ratio: float = 0.0,
    test_ratio: float = 0.0,
    splits: Sequence[str] = (),
    options: Optional[PackOptions] = None,
) -> PackedSet:
    """Pack pictures with boxes into ``.rec``, ``.idx``, ``.lst`` and ``classes.txt``.

    Args:
        source: a file or folder in one of :data:`gluon_cbam.data.boxes.formats.FORMATS`, or a tar file.
        output: folder, created if it does not exist. Each split gives a file.
        form: name of the format; default the one that is recognized.
        root: the folder or tar file that the names of the pictures are relative to; default where the format has them.
        classes_file: names of the classes in the order of the class indices; default those of the data.
        val_ratio: share of the pictures for ``val.rec``, 0..1; default 0, no such file.
        test_ratio: share of the pictures for ``test.rec``, 0..1; default 0, no such file.
        splits: the only splits that are packed; default the usual ones.
        options: how pictures are packed.

    Returns:
        The files that were written, and the faults.

    Raises:
        UsageError: the source does not exist or is of no known format; is split already; or a file exists and must
            not be overwritten.
        DataError: a picture or a box is wrong and must not be left out. Nothing is written under the final names.
    """
    how = options or PackOptions()
    boxes = read_boxes(source, form, read_options(root, classes_file, how.progress, splits))
    parts, faults = usable_parts(boxes, source, how.skip_bad)
    return pack_set(boxes, split_parts(boxes, parts, source, val_ratio, test_ratio, how.seed), faults, output, how)


def pack_set(boxes: BoxSet, parts: Sequence[BoxPart], faults: Faults, output: PathLike, how: PackOptions) -> PackedSet:
    """Pack a set that was read; see :func:`pack_boxes`.

    Args:
        boxes: the set.
        parts: its parts, without wrong boxes.
        faults: what was found before; faults of pictures are added.
        output: folder, created if it does not exist.
        how: how pictures are packed.
    """
    folder = Path(output)
    paths = [folder / f'{part.name}.rec' for part in parts]
    refuse_existing(paths, how.overwrite)
    found = Faults()
    with made_folder(folder):
        check_classes(folder, list(boxes.classes))
        with ExitStack() as stack, process_pool(how.workers) as pool:
            files = [
                _pack_part(_ordered(part, how), path, boxes, found, how, stack, pool)
                for part, path in zip(parts, paths)
            ]
            if not how.skip_bad:
                refuse(found, folder)
            for file in files:
                if not file.records:
                    raise DataError(f'{file.path}: no picture is left for it')
        for part, path in zip(parts, paths):
            remove_masks(path)
            if not _has_segmentations(boxes, part):
                segmentations_path(path).unlink(missing_ok=True)  # of older records
        write_classes(folder, boxes.classes)
    faults.update(found)
    return PackedSet(boxes, files, faults)


def _ordered(part: BoxPart, how: PackOptions) -> BoxPart:
    """The part in the order of its records, with an id for each, which may be in any order."""
    numbered = replace(part, columns=part.columns.numbered())
    if not how.shuffle:
        return numbered
    return numbered.chosen(np.random.RandomState(how.seed).permutation(len(part.columns)), part.name)


def _pack_part(
    part: BoxPart,
    path: Path,
    boxes: BoxSet,
    faults: Faults,
    how: PackOptions,
    stack: ExitStack,
    pool: Executor,
) -> PackedBoxes:
    """Write the records of a part; they get their final names when the stack is closed."""
    writer = stack.enter_context(RecordWriter(path))
    listed = stack.enter_context(atomic_path(path.with_suffix('.lst')))
    lines = stack.enter_context(listed.open('w', encoding='utf-8', errors='surrogateescape', newline='\n'))
    result, used, segmented = PackedBoxes(path), np.zeros(len(boxes.classes), bool), None
    if _has_segmentations(boxes, part):
        segmented = stack.enter_context(segmentations_writer(path, boxes.classes, boxes.category_ids))
    for image, encoded in _encoded_pictures(part, pool, how, faults):
        stored = resized(image.boxes, encoded)
        label = encode_label(stored, *encoded.stored)
        writer.write(label.tolist(), encoded.data, image.id)
        lines.write(list_line(image.id or 0, label, image.name))
        if segmented is not None:
            segmented(image.id or 0, label, stored)
        used[stored.classes] = True
        result.boxes += len(stored)
        result.empty += not len(stored)
        result.converted += encoded.converted
        if encoded.bits:
            result.dark.add(image.name, encoded.bits)
    result.records = writer.count
    result.unused = [name for name, seen in zip(boxes.classes, used.tolist()) if not seen]
    return result


def _has_segmentations(boxes: BoxSet, part: BoxPart) -> bool:
    """Whether records of a part have a file of segmentations beside them."""
    return part.columns.boxes.segmented > 0 or boxes.own_category_ids > 0


def _encoded_pictures(
    part: BoxPart, pool: Executor, how: PackOptions, faults: Faults
) -> Iterator[Tuple[ImageBoxes, Encoded]]:
    """The pictures of a part that are right, as records store them."""
    function = partial(encode, resize=how.resize, quality=how.quality, depth=how.depth)
    count = len(part.columns)
    pictures = map(part.pictures.picture, range(count))
    encoded = ordered_map(pool, function, pictures, prefetch=16 * how.workers)
    for number, each in enumerate(how.progress(encoded, count, part.name)):
        image = part.columns[number]
        if fits(image, each.fault, each.size, part, number, faults):
            yield image, each


def resized(boxes: Boxes, encoded: Encoded) -> Boxes:
    """The boxes of a picture that was resized when it was encoded."""
    if encoded.size == encoded.stored:
        return boxes
    (height, width), (new_height, new_width) = encoded.size, encoded.stored
    scale = np.array([new_width / width, new_height / height])
    texts = boxes.segmentations
    if texts is not None:
        sizes = (height, width, new_height, new_width)
        texts = np.array([text and scaled(text, *sizes) for text in texts], object)
    corners, areas = boxes.corners * np.tile(scale, 2), boxes.areas * scale.prod()
    return replace(boxes, corners=corners, areas=areas, segmentations=texts)

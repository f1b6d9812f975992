"""Packing pictures with masks into segmentation records."""

from __future__ import annotations

import errno
import os
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike, refuse_existing
from gluon_cbam.common.folders import made_folder
from gluon_cbam.common.parallel import ordered_map, process_pool
from gluon_cbam.common.printable import printable
from gluon_cbam.data.boxes.faults import Faults
from gluon_cbam.data.boxes.reading import read_options
from gluon_cbam.data.class_masks.formats import read_masks
from gluon_cbam.data.class_masks.png import encode_mask
from gluon_cbam.data.class_masks.sets import KINDS, MaskExample, MaskPart, MaskSet, Misfit, fitting_mask
from gluon_cbam.data.class_masks.values import counts_of, largest_class
from gluon_cbam.data.class_names import check_classes, write_classes
from gluon_cbam.data.datasets.masks import remove_masks
from gluon_cbam.data.decoding import DarkImages
from gluon_cbam.data.records.recordio import RecordWriter
from gluon_cbam.data.records.segmentation import mask_labels

from .box_packing import PackOptions
from .box_sources import refuse
from .encoding import Encoded, encode
from .splitting import split_by_image, split_ratios


@dataclass
class PackedMasks:
    """A ``.rec`` file of segmentation that was written.

    Attributes:
        path: path of the file.
        records: number of pictures in it.
        converted: number of pictures that were converted to PNG.
        dark: pictures of 16 bits a channel that are almost black.
        pixels: (256,) number of pixels with each value.
    """

    path: Path
    records: int = 0
    converted: int = 0
    dark: DarkImages = field(default_factory=DarkImages)
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))


class PackedMaskSet(NamedTuple):
    """What was packed, and what was not.

    Attributes:
        masks: the set that was read.
        classes: names of the classes; numbers where nothing names them.
        files: the files that were written.
        faults: what was left out as it is wrong, and warnings.
    """

    masks: MaskSet
    classes: Tuple[str, ...]
    files: List[PackedMasks]
    faults: Faults


class _Packed(NamedTuple):
    """An example as a record stores it; or why it cannot be stored."""

    picture: Encoded
    labels: List[float]
    mask: bytes
    counts: np.ndarray
    misfit: Optional[Misfit] = None


def pack_masks(
    source: PathLike,
    output: PathLike,
    form: Optional[str] = None,
    root: Optional[PathLike] = None,
    classes_file: Optional[PathLike] = None,
    val_ratio: float = 0.0,
    test_ratio: float = 0.0,
    splits: Sequence[str] = (),
    options: Optional[PackOptions] = None,
) -> PackedMaskSet:
    """Pack pictures with masks into ``.rec``, ``.idx`` and ``classes.txt``.

    Masks are stored as PNG without loss. Where pictures are resized, masks are too, to the nearest pixel.

    Args:
        source: a file or folder in one of :data:`gluon_cbam.data.class_masks.formats.FORMATS`, or a tar file.
        output: folder, created if it does not exist. Each split gives a file.
        form: name of the format; default the one that is recognized.
        root: the folder or tar file that the names of the pictures are relative to; default where the format has them.
        classes_file: names of the classes in the order of the values; default those of the data, else numbers.
        val_ratio: share of the pictures for ``val.rec``, 0..1; default 0, no such file.
        test_ratio: share of the pictures for ``test.rec``, 0..1; default 0, no such file.
        splits: the only splits that are packed; default the usual ones.
        options: see :class:`.box_packing.PackOptions`.

    Returns:
        The files that were written, and the faults.

    Raises:
        UsageError: the source does not exist or is of no known format; is split already; or a file exists and must
            not be overwritten.
        DataError: a picture or a mask is wrong and must not be left out. Nothing is written under the final names.
    """
    how = options or PackOptions()
    masks = read_masks(source, form, read_options(root, classes_file, how.progress, splits))
    faults = Faults(KINDS)
    for part in masks.parts:
        faults.update(part.faults)
    if not how.skip_bad:
        refuse(faults, source)
    parts = split_masks(masks, source, val_ratio, test_ratio, how.seed)
    folder = Path(output)
    paths = [folder / f'{part.name}.rec' for part in parts]
    refuse_existing(paths, how.overwrite)
    with made_folder(folder):
        check_classes(folder, list(masks.classes or ()))
        limit = None if masks.classes is None else len(masks.classes)
        with ExitStack() as stack, process_pool(how.workers) as pool:
            files = [_pack_part(part, path, limit, faults, how, stack, pool) for part, path in zip(parts, paths)]
            if not how.skip_bad:
                refuse(faults, source)
            empty = next((file.path for file in files if not file.records), None)
            if empty is not None:
                raise DataError(f'{empty}: no picture is left for it')
            classes = masks.classes or _numbers(files)
            check_classes(folder, list(classes))
        for path in paths:
            remove_masks(path)
            path.with_suffix('.lst').unlink(missing_ok=True)  # the names of other pictures
        write_classes(folder, classes)
    return PackedMaskSet(masks, classes, files, faults)


def split_masks(masks: MaskSet, source: object, val_ratio: float, test_ratio: float, seed: int) -> List[MaskPart]:
    """Divide the pictures of the only part at random.

    Args:
        masks: the set.
        source: path of the source, for messages.
        val_ratio: share of the pictures for validation, 0..1.
        test_ratio: share of the pictures for tests, 0..1.
        seed: random seed.

    Returns:
        The parts; those of the set where both shares are 0.

    Raises:
        UsageError: the shares leave nothing for training, or the source is split already.
    """
    ratios = split_ratios(val_ratio, test_ratio, source, len(masks.parts), masks.format)
    if not ratios:
        return masks.parts
    part = masks.parts[0]
    chosen = split_by_image(len(part.examples), ratios, np.random.RandomState(seed))
    return [part.chosen(numbers.tolist(), name) for name, numbers in chosen.items()]


def _numbers(files: Sequence[PackedMasks]) -> Tuple[str, ...]:
    """The numbers of the classes that occur, as their names."""
    largest = max(largest_class(file.pixels) for file in files)
    return tuple(str(number) for number in range(max(largest, 0) + 1))


def _pack_part(
    part: MaskPart,
    path: Path,
    classes: Optional[int],
    faults: Faults,
    how: PackOptions,
    stack: ExitStack,
    pool: Executor,
) -> PackedMasks:
    """Write the records of a part; they get their final names when the stack is closed."""
    writer, result = stack.enter_context(RecordWriter(path)), PackedMasks(path)
    examples = part.examples
    if how.shuffle:
        examples = [examples[number] for number in np.random.RandomState(how.seed).permutation(len(examples))]
    pack = partial(_packed, classes=classes, resize=how.resize, quality=how.quality, depth=how.depth)
    packed = ordered_map(pool, pack, examples, prefetch=16 * how.workers)
    for example, each in zip(examples, how.progress(packed, len(examples), part.name)):
        where = printable(str(part.root / example.name))
        if each.misfit is not None:
            kind, at, reason = each.misfit
            faults.add(kind, printable(at) or where, reason)
            continue
        if each.labels[-1] < 0:
            faults.add('nothing', where, 'nothing of it counts')
        writer.write(each.labels, each.picture.data + each.mask, writer.count + 1)
        result.pixels += each.counts
        result.converted += each.picture.converted
        if each.picture.bits:
            result.dark.add(example.name, each.picture.bits)
    result.records = writer.count
    return result


def _packed(
    example: MaskExample, classes: Optional[int], resize: Optional[int], quality: int, depth: Optional[int]
) -> _Packed:
    """Encode a picture and its mask; called in other processes."""
    nothing = np.zeros(256, np.int64)
    picture = encode(example.picture, resize, quality, depth)
    if picture.fault is not None:
        return _Packed(Encoded(b''), [], b'', nothing, picture_misfit(picture.fault))
    found = fitting_mask(example.mask, picture.size, classes)
    if found.mask is None:
        return _Packed(Encoded(b''), [], b'', nothing, found.misfit)
    mask, (height, width) = found.mask, picture.stored
    if picture.stored != picture.size:
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    counts, data = counts_of(mask), encode_mask(mask)
    return _Packed(picture, mask_labels(picture.stored, len(data), largest_class(counts)), data, counts)


def picture_misfit(fault: str) -> Misfit:
    """The fault of a picture that cannot be read; it is named by its part."""
    return Misfit('missing' if fault == os.strerror(errno.ENOENT) else 'picture', '', fault)

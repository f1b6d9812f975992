"""Checking and describing pictures with masks in any format: every picture and every mask is read."""

from __future__ import annotations

from functools import partial
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.parallel import ordered_map, process_pool
from gluon_cbam.common.printable import printable
from gluon_cbam.data.boxes.faults import Faults
from gluon_cbam.data.boxes.reading import Progress, read_options
from gluon_cbam.data.class_masks.formats import read_masks
from gluon_cbam.data.class_masks.sets import KINDS, MaskExample, MaskPart, MaskSet, Misfit, fitting_mask
from gluon_cbam.data.class_masks.values import IGNORED, largest_class
from gluon_cbam.data.decoding import decode, image_size

from .mask_packing import picture_misfit


class CheckedMasks(NamedTuple):
    """The pictures of a split.

    Attributes:
        name: its name.
        pictures: number of pictures.
        pixels: (256,) number of pixels with each value, in masks that fit.
        present: (256,) number of pictures with each value.
        sizes: (n, 2) height and width of the pictures that fit.
        faults: what is wrong, and warnings.
    """

    name: str
    pictures: int
    pixels: np.ndarray
    present: np.ndarray
    sizes: np.ndarray
    faults: Faults


class CheckedMaskSet(NamedTuple):
    """The result of a check.

    Attributes:
        masks: the set that was read.
        classes: names of the classes; numbers where nothing names them.
        parts: the pictures of each split.
    """

    masks: MaskSet
    classes: Tuple[str, ...]
    parts: List[CheckedMasks]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not any(part.faults.wrong for part in self.parts)

    def statistics(self, part: CheckedMasks) -> Dict[str, Any]:
        """The pixels and pictures of each class of a part, the share of ignored pixels, and the sizes of pictures."""
        counted, total = int(part.pixels[:IGNORED].sum()), int(part.pixels.sum())
        rows = zip(self.classes, part.pixels.tolist(), part.present.tolist())
        sides = part.sizes if len(part.sizes) else np.zeros((1, 2), np.int64)
        return {
            'pictures': part.pictures,
            'pixels': total,
            'ignored': (total - counted) / total if total else 0.0,
            'height': _quantiles(sides[:, 0]),
            'width': _quantiles(sides[:, 1]),
            'classes': [
                {'name': name, 'pixels': pixels, 'share': pixels / counted if counted else 0.0, 'pictures': pictures}
                for name, pixels, pictures in rows
            ],
        }


def check_masks(
    source: PathLike,
    form: Optional[str] = None,
    root: Optional[PathLike] = None,
    classes_file: Optional[PathLike] = None,
    classes: Optional[int] = None,
    decoding: bool = True,
    workers: int = 1,
    progress: Progress = lambda items, total, name: items,
) -> CheckedMaskSet:
    """Read every picture and mask of a set.

    Args:
        source: a file or folder in one of :data:`gluon_cbam.data.class_masks.formats.FORMATS`, or a tar file.
        form: name of the format; default the one that is recognized.
        root: the folder or tar file that the names of the pictures are relative to; default where the format has them.
        classes_file: names of the classes in the order of the values; default those of the data.
        classes: masks must be of the first classes, as many as this; default all that are named.
        decoding: whether to decode every picture; otherwise its header is read.
        workers: number of processes.
        progress: wraps what takes long.

    Raises:
        UsageError: the source does not exist or is of no known format.
        DataError: a file of annotations is damaged.
    """
    masks = read_masks(source, form, read_options(root, classes_file, progress))
    named = None if masks.classes is None else len(masks.classes)
    limit = min((each for each in (classes, named) if each is not None), default=None)
    parts = [_check_part(part, limit, decoding, workers, progress) for part in masks.parts]
    largest = max(largest_class(part.pixels) for part in parts)
    return CheckedMaskSet(masks, masks.classes or tuple(str(number) for number in range(largest + 1)), parts)


def _check_part(
    part: MaskPart, classes: Optional[int], decoding: bool, workers: int, progress: Progress
) -> CheckedMasks:
    faults, sizes = Faults(KINDS), []
    faults.update(part.faults)
    pixels, present = np.zeros(256, np.int64), np.zeros(256, np.int64)
    with process_pool(workers) as pool:
        inspect = partial(_inspect, classes=classes, decoding=decoding)
        done = ordered_map(pool, inspect, part.examples, prefetch=16 * workers)
        for example, (size, counts, misfit) in zip(part.examples, progress(done, len(part.examples), part.name)):
            where = printable(str(part.root / example.name))
            if misfit is not None:
                faults.add(misfit.kind, printable(misfit.where) or where, misfit.reason)
                continue
            if not counts[:IGNORED].any():
                faults.add('nothing', where, 'nothing of it counts')
            pixels += counts
            present += counts > 0
            sizes.append(size)
    return CheckedMasks(part.name, len(part.examples), pixels, present, np.array(sizes).reshape(-1, 2), faults)


def _inspect(
    example: MaskExample, classes: Optional[int], decoding: bool
) -> Tuple[Tuple[int, int], np.ndarray, Optional[Misfit]]:
    """Size of a picture, the counts of its mask, and its fault; called in other processes."""
    try:
        data = example.picture.read()
        size = decode(data, 'bad').shape[:2] if decoding else image_size(data, 'bad')
    except OSError as error:
        return (0, 0), np.zeros(256, np.int64), picture_misfit(error.strerror or str(error))
    except DataError as error:
        return (0, 0), np.zeros(256, np.int64), picture_misfit(str(error).partition(': ')[2])
    found = fitting_mask(example.mask, size, classes)
    return size, found.counts, found.misfit


def _quantiles(values: np.ndarray) -> Dict[str, float]:
    return {'min': float(values.min()), 'median': float(np.median(values)), 'max': float(values.max())}

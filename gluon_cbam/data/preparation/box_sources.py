"""What packing, lists and conversion of pictures with boxes share: reading, splitting, and refusing what is wrong."""

from __future__ import annotations

import errno
import os
from typing import List, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.printable import printable
from gluon_cbam.data.boxes.faults import Faults
from gluon_cbam.data.boxes.labels import MAX_OBJECTS
from gluon_cbam.data.boxes.sets import BoxPart, BoxSet, check_part, without_wrong_boxes
from gluon_cbam.data.boxes.table import ImageBoxes

from .splitting import split_by_image, split_ratios


def usable_parts(boxes: BoxSet, source: object, skip_bad: bool) -> Tuple[List[BoxPart], Faults]:
    """The parts of a set without the boxes that are wrong.

    Args:
        boxes: the set.
        source: path of the source, for messages.
        skip_bad: whether wrong boxes and pictures are left out; otherwise they are refused.

    Returns:
        The parts, and all faults, warnings too.

    Raises:
        DataError: something is wrong and ``skip_bad`` is False.
    """
    faults = Faults()
    for part in boxes.parts:
        faults.update(check_part(part, boxes.classes))
    if not skip_bad:
        refuse(faults, source)
    return [without_wrong_boxes(part, boxes.classes) for part in boxes.parts], faults


def refuse(faults: Faults, source: object) -> None:
    """Raise an error for faults that are no warnings.

    Args:
        faults: the faults.
        source: path of the source.

    Raises:
        DataError: with the number and the first of each kind.
    """
    wrong = [
        f'{count} {faults.kinds[kind].text} ({first[0].where}: {first[0].reason})'
        for kind, count, first in faults.items()
        if faults.kinds[kind].wrong
    ]
    if wrong:
        raise DataError(
            f'{printable(str(source))}: {"; ".join(wrong)}: correct them, or leave them out with --skip-bad'
        )


def fits(
    image: ImageBoxes, fault: Optional[str], size: Tuple[int, int], part: BoxPart, number: int, faults: Faults
) -> bool:
    """Whether a picture is right, and of the size that its annotation states; else a fault is added.

    Args:
        image: what the table says.
        fault: why the picture cannot be read; None if it can.
        size: height and width of the picture.
        part: its part.
        number: its index in the part.
        faults: takes the fault.
    """
    where = printable(str(part.root / image.name))
    stated = (image.height, image.width)
    if fault is not None:
        faults.add('missing' if fault == os.strerror(errno.ENOENT) else 'picture', where, fault)
    elif stated not in (size, (0, 0)):
        turned = ', as its EXIF data turn it' if size == stated[::-1] else ''
        said = f'{image.width} x {image.height} in {printable(part.file(number))}'
        faults.add('size', where, f'{size[1]} x {size[0]} pixels{turned}, but {said}')
    elif len(image.boxes) > MAX_OBJECTS:
        faults.add('picture', where, f'{len(image.boxes)} boxes, but a record holds {MAX_OBJECTS}')
    else:
        return True
    return False


def split_parts(
    boxes: BoxSet, parts: Sequence[BoxPart], source: object, val_ratio: float, test_ratio: float, seed: int
) -> List[BoxPart]:
    """Divide the pictures of the only part at random; the boxes of a picture stay together.

    Args:
        boxes: the set, for messages.
        parts: its parts.
        source: path of the source, for messages.
        val_ratio: share of the pictures for validation, 0..1.
        test_ratio: share of the pictures for tests, 0..1.
        seed: random seed.

    Returns:
        The parts; those that are given where both shares are 0.

    Raises:
        UsageError: the shares leave nothing for training, or the source is split already.
    """
    ratios = split_ratios(val_ratio, test_ratio, source, len(parts), boxes.format)
    if not ratios:
        return list(parts)
    splits = split_by_image(len(parts[0].columns), ratios, np.random.RandomState(seed))
    return [parts[0].chosen(numbers, name) for name, numbers in splits.items()]

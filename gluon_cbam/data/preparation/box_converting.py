"""Converting pictures with boxes from one format into another, and counting what the other cannot hold."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, disk_errors
from gluon_cbam.common.folders import made_folder, temporary_folder
from gluon_cbam.common.parallel import ordered_map
from gluon_cbam.common.printable import printable
from gluon_cbam.data.boxes.columns import BoxColumns
from gluon_cbam.data.boxes.faults import Faults
from gluon_cbam.data.boxes.formats import format_named, read_boxes
from gluon_cbam.data.boxes.reading import read_options
from gluon_cbam.data.boxes.sets import BoxPart, BoxSet, Picture
from gluon_cbam.data.boxes.writing import WRITERS, Output, Writer, areas_of_masks
from gluon_cbam.data.decoding import image_size

from .box_packing import PackOptions, pack_set
from .box_sources import fits, refuse, usable_parts

TARGETS: Tuple[str, ...] = (*WRITERS, 'rec')
"""The formats that are written."""


class ConvertedPart(NamedTuple):
    """A split that was written.

    Attributes:
        name: its name.
        pictures: number of pictures.
        boxes: number of boxes.
    """

    name: str
    pictures: int
    boxes: int


@dataclass
class Converted:
    """What was converted.

    Attributes:
        boxes: the set that was read.
        parts: the splits that were written.
        lost: what the target does not hold -> how many.
        faults: what was left out as it is wrong, and warnings.
    """

    boxes: BoxSet
    parts: List[ConvertedPart]
    lost: Dict[str, int]
    faults: Faults


def convert_boxes(
    source: PathLike,
    output: PathLike,
    target: str,
    form: Optional[str] = None,
    root: Optional[PathLike] = None,
    classes_file: Optional[PathLike] = None,
    pictures: bool = True,
    splits: Sequence[str] = (),
    options: Optional[PackOptions] = None,
) -> Converted:
    """Convert pictures with boxes into another format.

    Args:
        source: a file or folder in one of :data:`gluon_cbam.data.boxes.formats.FORMATS`, or a tar file.
        output: a folder that does not exist or is empty; of records, any folder.
        target: one of :data:`TARGETS`.
        form: name of the format of the source; default the one that is recognized.
        root: the folder or tar file that the names of the pictures are relative to; default where the format has them.
        classes_file: names of the classes in the order of the class indices; default those of the data.
        pictures: whether the pictures are copied; otherwise the annotations are written alone, and the sizes of the
            pictures are not compared.
        splits: the only splits that are converted; default the usual ones.
        options: how pictures are packed into records; ``skip_bad``, ``workers`` and ``progress`` hold for all.

    Returns:
        The splits, what was lost, and the faults.

    Raises:
        UsageError: the source does not exist or is of no known format, the folder is not empty, or records are asked
            for without pictures.
        DataError: a picture or a box is wrong and must not be left out, or two pictures would get one name. Nothing is
            written.
    """
    how = options or PackOptions()
    if target not in TARGETS:
        raise UsageError(f'no format {target!r} to convert to: known are {", ".join(TARGETS)}')
    if target == 'rec' and not pictures:
        raise UsageError('records hold their pictures: leave out --no-pictures')
    read = read_options(root, classes_file, how.progress, splits)
    boxes = read_boxes(source, form, read)
    parts, faults = usable_parts(boxes, source, how.skip_bad)
    lost = losses(boxes, parts, target)
    if target == 'rec':
        packed = pack_set(boxes, parts, faults, output, how)
        done = [ConvertedPart(file.path.stem, file.records, file.boxes) for file in packed.files]
        return Converted(boxes, done, lost, packed.faults)
    outputs = _written(boxes, parts, faults, Path(output), WRITERS[target], pictures, how)
    done = [ConvertedPart(each.name, len(each.columns), len(each.columns.boxes)) for each in outputs]
    return Converted(boxes, done, lost, faults)


def losses(boxes: BoxSet, parts: Sequence[BoxPart], target: str) -> Dict[str, int]:
    """What a format does not hold of a set: what -> how many; without zeros."""
    keeps = format_named(target).keeps
    columns = [part.columns for part in parts]
    lost = {
        'difficult flags': sum(int(each.boxes.difficult.sum()) for each in columns) * ('difficult' not in keeps),
        'crowd flags': sum(int(each.boxes.crowd.sum()) for each in columns) * ('crowd' not in keeps),
        'areas of masks': sum(int(areas_of_masks(each.boxes).sum()) for each in columns) * ('areas' not in keeps),
        'ids of pictures': sum(len(each) for each in columns if each.ids is not None) * ('ids' not in keeps),
        'masks': sum(each.boxes.segmented for each in columns) * ('segmentations' not in keeps),
        'ids of categories': boxes.own_category_ids * ('category_ids' not in keeps),
        **boxes.lost,
    }
    return {name: count for name, count in lost.items() if count}


def _written(
    boxes: BoxSet, parts: Sequence[BoxPart], faults: Faults, output: Path, writer: Writer, pictures: bool,
    how: PackOptions,
) -> List[Output]:  # fmt: skip
    """Write a folder under a temporary name, and rename it."""
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise UsageError(f'{printable(output)} exists and is not empty: give another folder')
    names = _names(parts, writer)
    outputs = [Output(part.name, _renamed(part, each), boxes.category_ids) for part, each in zip(parts, names)]
    with made_folder(output.parent), disk_errors(output), temporary_folder(output.parent, '.converting-') as temporary:
        folder = temporary / 'set'
        folder.mkdir()
        if pictures:
            found = Faults()
            outputs = [_copy(part, each, folder, writer, found, how) for part, each in zip(parts, outputs)]
            if not how.skip_bad:
                refuse(found, output)
            faults.update(found)
        writer.write(folder, outputs, boxes.classes)
        os.replace(folder, output)
    return outputs


def _renamed(part: BoxPart, names: List[str]) -> BoxColumns:
    columns = part.columns.numbered()
    columns.names = names
    return columns


def _names(parts: Sequence[BoxPart], writer: Writer) -> List[List[str]]:
    """The names that the pictures get: their own where the format allows these."""
    own = [list(part.columns.names) for part in parts]
    ways = [own] if not writer.flat else [
        [[name.rpartition('/')[2] for name in names] for names in own],
        [[name.replace('/', '_') for name in names] for names in own],
        [[f'{part.name}_{name.replace("/", "_")}' for name in names] for part, names in zip(parts, own)],
    ]  # fmt: skip
    for names in ways:
        if _unique(parts, names, writer):
            return names
    raise DataError(
        'two pictures would get one name: rename them so that their names differ without folders and endings'
    )


def _unique(parts: Sequence[BoxPart], names: List[List[str]], writer: Writer) -> bool:
    paths = [writer.picture(part.name, name) for part, each in zip(parts, names) for name in each]
    if writer.stems:
        paths = [os.path.splitext(path)[0] for path in paths]
    return len(set(paths)) == len(paths)


def _copy(part: BoxPart, output: Output, folder: Path, writer: Writer, faults: Faults, how: PackOptions) -> Output:
    """Copy the pictures of a part; returns the part without those that are wrong."""
    targets = [folder / writer.picture(part.name, name) for name in output.columns.names]
    for parent in {target.parent for target in targets}:
        parent.mkdir(parents=True, exist_ok=True)
    kept = []
    with ThreadPoolExecutor(max(2, how.workers)) as pool:
        jobs = ((part.pictures.picture(number), target) for number, target in enumerate(targets))
        done = ordered_map(pool, _copy_one, jobs, prefetch=16 * how.workers)
        for number, (fault, size) in enumerate(how.progress(done, len(targets), part.name)):
            if fits(part.columns[number], fault, size, part, number, faults):
                kept.append(number)
            else:
                targets[number].unlink(missing_ok=True)
    return output._replace(columns=output.columns.chosen(np.array(kept, np.int64)))


def _copy_one(job: Tuple[Picture, Path]) -> Tuple[Optional[str], Tuple[int, int]]:
    """Copy a picture; returns why it cannot be read, and its size."""
    picture, target = job
    try:
        data = picture.read()
        size = image_size(data, 'bad')
    except OSError as error:
        return error.strerror or str(error), (0, 0)
    except DataError as error:
        return str(error).partition(': ')[2], (0, 0)
    target.write_bytes(data)
    return None, size

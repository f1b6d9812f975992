"""Data that results are scored on: true boxes in any format, and the ids by which results name images and classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.json_stream import read_lists
from gluon_cbam.common.quoting import shown, shown_names
from gluon_cbam.data.boxes.formats import read_boxes
from gluon_cbam.data.boxes.reading import ReadOptions
from gluon_cbam.data.boxes.sets import BoxPart, BoxSet, check_part
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.decoding import decode
from gluon_cbam.tasks.detection.metrics.scores import score
from gluon_cbam.tasks.detection.scored import ScoredBoxes

from .numbering import CocoIds
from .results import read_results

_REFUSED = ('missing', 'unreadable', 'class', 'not_finite', 'reversed')  # kinds of faults; other boxes can be scored


@dataclass(frozen=True, eq=False)
class BoxData:
    """Images with true boxes.

    Attributes:
        name: name of the data, for titles.
        classes: names of the classes.
        truths: the true boxes of each image.
        ids: the ids of the images and the classes, and the names of the images.
        load: from the number of an image to (H, W, 3) uint8 RGB.
        sizes: height and width of each image, in pixels.
    """

    name: str
    classes: Tuple[str, ...]
    truths: List[Boxes]
    ids: CocoIds
    load: Callable[[int], np.ndarray]
    sizes: List[Tuple[int, int]]


def open_box_data(path: PathLike, ids_of: Optional[PathLike] = None) -> BoxData:
    """Open true boxes in any format that ``cbam data`` reads; pictures need not be there.

    Images with ids are taken in the order of the ids, as pycocotools does, which decides between equal scores.

    Args:
        path: a file or folder. Of several splits, ``val`` is taken.
        ids_of: COCO's JSON whose ids name the classes; default the data's own, of records, too, or 1 and so on.

    Returns:
        The data.

    Raises:
        UsageError: there are no such data, or several splits of which none is ``val``.
        DataError: the data are damaged, or a box cannot be scored; the message has its file and number.
    """
    boxes = _read(path)
    part = _part(boxes, path)
    faults = check_part(part, boxes.classes)
    for kind, count, first in faults.items():
        if kind in _REFUSED:
            raise DataError(f'{first[0].where}: {first[0].reason} ({count} such faults; see cbam data check)')
    if part.columns.ids is not None:
        part = part.chosen(np.argsort(part.columns.ids, kind='stable'), part.name)
    columns = part.columns
    category_ids = boxes.category_ids if ids_of is None else category_ids_of(ids_of, boxes.classes)
    ids = CocoIds.of(
        len(columns), len(boxes.classes), None if columns.ids is None else columns.ids.tolist(), category_ids,
        columns.names,
    )  # fmt: skip

    def load(number: int) -> np.ndarray:
        return decode(part.pictures.picture(number).read(), columns.names[number])

    truths, sizes = [image.boxes for image in columns], [(height, width) for height, width in columns.sizes.tolist()]
    return BoxData(Path(path).stem, boxes.classes, truths, ids, load, sizes)


def _read(path: PathLike) -> BoxSet:
    """Read the boxes; COCO's JSON without its pictures, too."""
    try:
        return read_boxes(path)
    except UsageError:
        if Path(path).suffix.lower() != '.json' or not Path(path).is_file():
            raise
        return read_boxes(path, options=ReadOptions(root=Path(path).parent))


def _part(boxes: BoxSet, path: PathLike) -> BoxPart:
    """The split to score: the only one, or ``val``."""
    parts = {part.name: part for part in boxes.parts}
    if len(parts) > 1 and 'val' not in parts:
        raise UsageError(f'{path} has the splits {shown_names(parts)}, of which none is val: name a file of one split')
    return boxes.parts[0] if len(parts) == 1 else parts['val']


def category_ids_of(path: PathLike, classes: Sequence[str]) -> List[int]:
    """The ids that COCO's JSON has for classes.

    Args:
        path: the JSON file.
        classes: names of the classes.

    Raises:
        DataError: the file is damaged, or has no category of a name.
    """
    found: Dict[str, int] = {}

    def add(item: object) -> None:
        if not isinstance(item, dict) or not isinstance(item.get('name'), str) or type(item.get('id')) is not int:
            raise ValueError(f'{shown(item)} is no category with a name and a whole number as id')
        found[item['name']] = item['id']

    read_lists(path, {'categories': add})
    missing = [name for name in classes if name not in found]
    if missing:
        raise DataError(f'{path} has no category {shown_names(missing)}: its categories are {shown_names(found)}')
    return [found[name] for name in classes]


def score_results(path: PathLike, data: BoxData) -> ScoredBoxes:
    """Score a file of results in COCO's format.

    Args:
        path: path of the file.
        data: the data that it belongs to.

    Returns:
        The scored boxes.

    Raises:
        DataError: an entry is wrong, see :func:`.results.read_results`; or the data have no object that counts.
    """
    detections = read_results(path, data.ids)
    masks = any(each.segmentations is not None for each in detections)
    scores = score(data.truths, detections, data.classes, data.sizes if masks else None)
    return ScoredBoxes(
        data.name, data.truths, detections, scores, data.ids.names.__getitem__, data.load, data.ids.images,
        data.ids.categories,
    )  # fmt: skip

"""Reading COCO's JSON of objects as masks: the class of each pixel, 0 for the background.

The classes are the categories in the order of their ids, after the background. Where regions of a picture overlap, the
one that comes first in the file has the pixels, as in GluonCV's ``COCOSegmentation``; regions of many objects
(``iscrowd``) are ignored where no other object is.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, DefaultDict, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.json_stream import read_lists
from gluon_cbam.common.listing import listed
from gluon_cbam.common.quoting import shown
from gluon_cbam.data.boxes.coco_files import (
    LISTS,
    check_files,
    find_files,
    pictures_folder,
    stated_size,
    whole_number,
)
from gluon_cbam.data.boxes.faults import Faults
from gluon_cbam.data.boxes.reading import ReadOptions, check_classes, checked_name
from gluon_cbam.data.boxes.regions import region_mask
from gluon_cbam.data.sources.file_paths import FilePath, file_bytes

from .sets import KINDS, MaskExample, MaskPart, MaskSet
from .values import IGNORED

BACKGROUND = 'background'
"""The name of class 0."""


class Region(NamedTuple):
    """A region of a picture.

    Attributes:
        number: id of its annotation, for messages.
        value: its class, or :data:`.values.IGNORED`.
        pixels: its ``segmentation``: a list of polygons, each (2 n,) float64, or run lengths.
    """

    number: int
    value: int
    pixels: Any


class RegionMask(NamedTuple):
    """The mask that regions make.

    Attributes:
        where: the file and the id of the picture, for messages.
        regions: the regions in the order of the file, those of many objects last.
        size: height and width of the picture that the file states, 0 where it states none.
    """

    where: str
    regions: Tuple[Region, ...]
    size: Tuple[int, int]

    def read(self, size: Tuple[int, int]) -> np.ndarray:
        """See :class:`.sets.MaskSource`; regions of a picture of another size are not drawn."""
        if self.size not in (size, (0, 0)):
            return np.broadcast_to(np.uint8(IGNORED), self.size)
        mask = np.zeros(size, np.uint8)
        free = np.ones(size, bool)
        for region in self.regions:
            try:
                inside = region_mask(region.pixels, *size) & free
            except (ValueError, TypeError, KeyError) as error:
                raise DataError(f'{self.where}: annotation {region.number}: {error}') from None
            mask[inside] = region.value
            free &= ~inside
        return mask


def read_coco_masks(source: FilePath, options: ReadOptions) -> MaskSet:
    """Read the masks of a set in COCO's format; see :func:`gluon_cbam.data.boxes.coco_files.find_files`."""
    result = MaskSet('coco', None, [])
    for name, path in find_files(source).items():
        raw = _Raw(path)
        classes = raw.class_names()
        if result.parts and classes != result.classes:
            raise DataError(f'{path} has other categories than {result.parts[0].name}')
        result.classes = classes
        result.parts.append(raw.part(name, options))
    given = options.given_classes()
    if given is not None and tuple(given) != result.classes:
        raise DataError(
            f'{options.classes_file}: the classes of masks are {BACKGROUND} and the categories in their order'
        )
    return result


class _Raw:
    """The lists of a file."""

    def __init__(self, path: FilePath) -> None:
        self.path, self.faults = path, Faults(KINDS)
        self._images: Dict[int, str] = {}
        self._sizes: Dict[int, Tuple[int, int]] = {}
        self._categories: Dict[int, str] = {}
        self._annotations: DefaultDict[int, List[Tuple[int, int, bool, Any]]] = defaultdict(list)
        counts = read_lists(
            path, {'images': self._image, 'annotations': self._annotation, 'categories': self._category}
        )
        missing = [name for name in LISTS if name not in counts]
        if missing:
            raise DataError(f"{path}: no annotations in COCO's format: it has no list {listed(missing)}")
        check_files(path, list(self._images), list(self._images.values()))

    def _image(self, item: Any) -> None:
        number, name = (
            whole_number(item, 'id'),
            item.get('file_name') or str(item.get('coco_url', '')).rpartition('/')[2],
        )
        if number in self._images:
            raise ValueError(f'the id {number} occurs twice')
        self._images[number] = checked_name(name, f'{self.path}: image {number}')
        self._sizes[number] = stated_size(item)

    def _category(self, item: Any) -> None:
        number, name = whole_number(item, 'id'), item.get('name')
        if not isinstance(name, str) or number in self._categories:
            raise ValueError(f'its name is {shown(name)}, its id {number} must occur once')
        self._categories[number] = name

    def _annotation(self, item: Any) -> None:
        number = whole_number(item, 'id') if isinstance(item, dict) and 'id' in item else -1
        image, label, crowd = (
            whole_number(item, 'image_id'),
            whole_number(item, 'category_id'),
            item.get('iscrowd') or 0,
        )
        if crowd not in (0, 1):
            raise ValueError(f'the flag iscrowd is 0 or 1, got {shown(crowd)}')
        region = _compact(item.get('segmentation'))
        if region is None:
            self.faults.add('annotation', f'{self.path}: annotation {number}', _no_region(item.get('segmentation')))
            return
        self._annotations[image].append((number, label, bool(crowd), region))

    def class_names(self) -> Tuple[str, ...]:
        """The background, and the categories in the order of their ids."""
        names = (BACKGROUND, *(self._categories[number] for number in sorted(self._categories)))
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise DataError(f'{self.path}: two classes are named {shown(twice)}')
        check_classes(names, self.path)
        return names

    def part(self, name: str, options: ReadOptions) -> MaskPart:
        """The pictures and their regions."""
        values = {number: value for value, number in enumerate(sorted(self._categories), 1)}
        for image, found in self._annotations.items():
            for number, label, *_ in found:
                if label not in values or image not in self._images:
                    kind, text = (
                        ('class', f'category_id {label}') if image in self._images else ('missing', 'its image')
                    )
                    self.faults.add(kind, f'{self.path}: annotation {number}', f'{text} is unknown')
        root = pictures_folder(self.path, name, list(self._images.values()), options.root)
        examples = [
            MaskExample(file, file_bytes(root / file), self._region_mask(number, values))
            for number, file in self._images.items()
        ]
        return MaskPart(name, root, examples, self.faults)

    def _region_mask(self, image: int, values: Dict[int, int]) -> RegionMask:
        return RegionMask(f'{self.path}: image {image}', self._of(image, values), self._sizes[image])

    def _of(self, image: int, values: Dict[int, int]) -> Tuple[Region, ...]:
        found = [each for each in self._annotations.get(image, ()) if each[1] in values]
        found.sort(key=lambda each: each[2])  # those of many objects last
        return tuple(
            Region(number, IGNORED if crowd else values[label], region) for number, label, crowd, region in found
        )


def _compact(region: Any) -> Optional[Any]:
    """A region in little memory; None where it is none."""
    if isinstance(region, dict) and isinstance(region.get('counts'), (str, list)):
        return region
    if not isinstance(region, list) or not region:
        return None
    try:
        polygons = [np.asarray(points) for points in region]
    except (TypeError, ValueError):
        return None
    numbers = all(points.dtype.kind in 'iuf' for points in polygons)  # no texts
    return [points.astype(np.float64) for points in polygons] if numbers else None


def _no_region(region: Any) -> str:
    return f'its segmentation is {shown(region)}, no polygons or run lengths'

"""Reading Pascal VOC's masks: ``JPEGImages/``, ``SegmentationClass/`` and ``ImageSets/Segmentation/``.

The masks are PNGs with a palette: background 0, the classes 1 to 20, and 255 for borders and difficult objects, which
are ignored. A folder in this layout with classes of its own names them in ``classes.txt`` or ``class_names.txt``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.common.printable import printable
from gluon_cbam.data.boxes.reading import ReadOptions, checked_name
from gluon_cbam.data.decoding import IMAGE_ENDINGS
from gluon_cbam.data.sources.file_trees import Location
from gluon_cbam.data.sources.labels import read_classes, read_names

from .sets import MaskExample, MaskFile, MaskPart, MaskSet

CLASSES: Tuple[str, ...] = (
    'background', 'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow', 'diningtable',
    'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
"""The classes of Pascal VOC, in the order of their values."""
_MASKS, _PICTURES = ('SegmentationClass', 'SegmentationClassPNG'), 'JPEGImages'
_USUAL = ('train', 'val')
_NAMES = 'class_names.txt'  # of labelme


def mask_folder(source: Path) -> Optional[Path]:
    """The folder of the masks of a source, or of the only folder in it, such as ``VOC2012/``; None if it has none.

    Raises:
        UsageError: several folders in it have masks.
    """
    if not source.is_dir():
        return None
    inside = [source, *sorted(path for path in source.iterdir() if path.is_dir())]
    found = [path / name for path in inside for name in _MASKS if (path / name).is_dir()]
    if found and found[0].parent != source and len(found) > 1:
        raise UsageError(f'{source} has {" and ".join(path.parent.name for path in found)}: give one of them')
    return found[0] if found else None


def read_voc(source: Path, options: ReadOptions) -> MaskSet:
    """Read a set in Pascal VOC's layout."""
    masks = mask_folder(source)
    assert masks is not None  # it was recognized by it
    folder = masks.parent
    root = options.root or folder / _PICTURES
    names = options.given_classes(folder)
    if names is None and (folder / _NAMES).is_file():
        names = read_classes(folder / _NAMES)
    parts = [
        MaskPart(split, root, [_example(root, masks, stem) for stem in stems])
        for split, stems in _splits(folder, masks, options.splits).items()
    ]
    return MaskSet('voc', CLASSES if names is None else tuple(names), parts)


def _splits(folder: Path, masks: Path, wanted: Sequence[str]) -> Dict[str, List[str]]:
    """Split -> names of its pictures without endings; without lists, all masks are for training."""
    lists = {path.stem: path for path in sorted((folder / 'ImageSets' / 'Segmentation').glob('*.txt'))}
    missing = [name for name in wanted if name not in lists]
    if missing and lists:
        raise UsageError(f'{printable(folder)} has no split {missing[0]!r}: {closest(missing[0], lists)}')
    if not lists:
        return {'train': sorted(path.stem for path in masks.glob('*.png'))}
    chosen = wanted or [name for name in _USUAL if name in lists] or list(lists)
    return {
        name: [
            checked_name(stem, f'{lists[name]}: line {line}') for line, stem in enumerate(read_names(lists[name]), 1)
        ]
        for name in chosen
    }


def _example(root: Path, masks: Path, stem: str) -> MaskExample:
    name = picture_named(root, stem)
    return MaskExample(name, Location(str(root / name)), MaskFile(str(masks / f'{stem}.png')))


def picture_named(root: Path, stem: str) -> str:
    """The name of the picture with a stem, whatever its ending; ``.jpg`` where there is none."""
    endings = ('.jpg', *(ending for ending in IMAGE_ENDINGS if ending != '.jpg'))
    return next((stem + ending for ending in endings if (root / (stem + ending)).is_file()), f'{stem}.jpg')

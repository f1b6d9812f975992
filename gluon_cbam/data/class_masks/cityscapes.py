"""Reading Cityscapes: ``leftImg8bit/SPLIT/CITY/*_leftImg8bit.png`` and ``gtFine/SPLIT/CITY/*_gtFine_labelIds.png``.

The 34 ids of labels become the 19 classes of training, in the order of ``trainId`` of cityscapesScripts
(helpers/labels.py); all others are ignored. Masks of ``*_labelTrainIds.png`` are taken as they are where the others are
missing.
"""

from __future__ import annotations

from typing import Dict, List, Tuple

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.printable import printable
from gluon_cbam.data.boxes.reading import ReadOptions
from gluon_cbam.data.sources.file_paths import FilePath, file_bytes, matching, relative_name

from .sets import MaskExample, MaskFile, MaskPart, MaskSet
from .values import IGNORED

CLASSES: Dict[str, int] = {
    'road': 7, 'sidewalk': 8, 'building': 11, 'wall': 12, 'fence': 13, 'pole': 17, 'traffic light': 19,
    'traffic sign': 20, 'vegetation': 21, 'terrain': 22, 'sky': 23, 'person': 24, 'rider': 25, 'car': 26, 'truck': 27,
    'bus': 28, 'train': 31, 'motorcycle': 32, 'bicycle': 33,
}  # fmt: skip
"""Name of each class of training, in their order -> id of its label."""
_PICTURES, _MASKS, _END = 'leftImg8bit', 'gtFine', '_leftImg8bit.png'
_IDS, _TRAIN_IDS = '_gtFine_labelIds.png', '_gtFine_labelTrainIds.png'
_LABELS = 34  # larger values are no ids; 255 is that of license plates, -1
_USUAL = ('train', 'val')  # the masks of the test split have no classes


def table() -> bytes:
    """The class of each id of a label; other labels are ignored, and values that are no label stay as they are."""
    classes = bytearray([IGNORED] * _LABELS) + bytearray(range(_LABELS, 256))
    for number, label in enumerate(CLASSES.values()):
        classes[label] = number
    return bytes(classes)


def is_cityscapes(source: FilePath) -> bool:
    """Whether a folder has both folders of Cityscapes."""
    return (source / _PICTURES).is_dir() and (source / _MASKS).is_dir()


def read_cityscapes(source: FilePath, options: ReadOptions) -> MaskSet:
    """Read a set in the layout of Cityscapes."""
    if options.classes_file is not None:
        raise UsageError(f'{printable(source)} has the classes of Cityscapes: leave out --classes-file')
    there = sorted(path.name for path in (source / _PICTURES).iterdir() if path.is_dir())
    chosen = list(options.splits) or [name for name in _USUAL if name in there]
    parts = [MaskPart(name, source / _PICTURES / name, _examples(source, name)) for name in chosen if name in there]
    return MaskSet('cityscapes', tuple(CLASSES), parts)


def _examples(source: FilePath, split: str) -> List[MaskExample]:
    root = source / _PICTURES / split
    examples = []
    for path in matching(root, f'*/*{_END}'):
        name = relative_name(path, root)
        mask, classes = _mask(source / _MASKS / split / name[: -len(_END)])
        examples.append(MaskExample(name, file_bytes(path), MaskFile.of(mask, classes)))
    return examples


def _mask(beginning: FilePath) -> Tuple[FilePath, bytes]:
    """The mask of a picture, and the class of each of its values."""
    ids, train_ids = (beginning.with_name(beginning.name + ending) for ending in (_IDS, _TRAIN_IDS))
    if not ids.is_file() and train_ids.is_file():
        return train_ids, bytes(range(256))
    return ids, table()

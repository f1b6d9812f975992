"""Reading Pascal VOC's masks: ``JPEGImages/``, ``SegmentationClass/`` and ``ImageSets/Segmentation/``.

The masks are PNGs with a palette: background 0, the classes 1 to 20, and 255 for borders and difficult objects, which
are ignored. A folder in this layout with classes of its own names them in ``classes.txt`` or ``class_names.txt``. Of
several years in one folder, as in ``VOCdevkit/``, the splits of one name are one split.
"""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

from gluon_cbam.common.errors import DataError, UsageError, closest
from gluon_cbam.common.printable import printable
from gluon_cbam.data.boxes.reading import ReadOptions, check_listed_once, checked_name
from gluon_cbam.data.decoding import IMAGE_ENDINGS
from gluon_cbam.data.sources.file_paths import FilePath, file_bytes, matching, relative_name
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


def mask_folders(source: FilePath) -> List[FilePath]:
    """The folders of masks of a source: its own, or else those of the folders in it, such as ``VOC2012/``."""
    if not source.is_dir():
        return []
    own = _masks_in(source)
    if own is not None:
        return [own]
    inside = (_masks_in(path) for path in matching(source, '*') if path.is_dir())
    return [folder for folder in inside if folder is not None]


def _masks_in(year: FilePath) -> Optional[FilePath]:
    return next((year / name for name in _MASKS if (year / name).is_dir()), None)


def read_voc(source: FilePath, options: ReadOptions) -> MaskSet:
    """Read a set in Pascal VOC's layout; of a folder of several years, all as one set."""
    folders = mask_folders(source)
    if len(folders) == 1:
        source = folders[0].parent
    elif options.root is not None:
        raise UsageError(f'{source} has {len(folders)} years with pictures of their own: leave out --root')
    root = options.root or (source / _PICTURES if len(folders) == 1 else source)
    years = [_Year(folder, root, options) for folder in folders]
    lists = sorted({name for year in years for name in year.lists})
    missing = [name for name in options.splits if name not in lists]
    if missing and lists:
        raise UsageError(f'{printable(source)} has no split {missing[0]!r}: {closest(missing[0], lists)}')
    names = dict.fromkeys(name for year in years for name in year.splits)
    parts = [MaskPart(name, root, [each for year in years for each in year.examples(name)]) for name in names]
    return MaskSet('voc', _classes(source, years, options), parts)


def _classes(source: FilePath, years: Sequence[_Year], options: ReadOptions) -> Tuple[str, ...]:
    """The names of the classes, the same in all years.

    Raises:
        DataError: the years name different ones.
    """
    given = options.given_classes(source)
    if given is not None:
        return tuple(given)
    other = next((year for year in years if year.classes != years[0].classes), None)
    if other is not None:
        raise DataError(
            f'{printable(other.folder)} has other classes than {printable(years[0].folder)}: pack them apart, or name '
            'the classes of both with --classes-file'
        )
    return years[0].classes


class _Year:
    """A folder of pictures and masks.

    Attributes:
        folder: the folder.
        classes: the names of its classes.
        lists: split -> its list; empty without lists.
        splits: split that is read -> names of its pictures without endings; without lists, all masks are for training.
    """

    def __init__(self, masks: FilePath, root: FilePath, options: ReadOptions) -> None:
        self.folder, self._masks, self._root = masks.parent, masks, root
        pictures = options.root or self.folder / _PICTURES
        self._prefix = '' if pictures == root else f'{relative_name(pictures, root)}/'
        self.classes = _classes_of_year(self.folder, options)
        self.lists = {path.stem: path for path in matching(self.folder / 'ImageSets' / 'Segmentation', '*.txt')}
        if not self.lists:
            self.splits = {'train': sorted(path.stem for path in masks.glob('*.png'))}
            return
        wanted = options.splits or _USUAL
        chosen = [name for name in wanted if name in self.lists] or ([] if options.splits else list(self.lists))
        self.splits = {name: _listed(self.lists[name]) for name in chosen}

    def examples(self, split: str) -> List[MaskExample]:
        """The examples of a split; none if it has no such split."""
        return [self._example(stem) for stem in self.splits.get(split, ())]

    def _example(self, stem: str) -> MaskExample:
        name = picture_named(self._root, self._prefix + stem)
        return MaskExample(name, file_bytes(self._root / name), MaskFile.of(self._masks / f'{stem}.png'))


def _classes_of_year(folder: FilePath, options: ReadOptions) -> Tuple[str, ...]:
    names = options.given_classes(folder)
    if names is None and (folder / _NAMES).is_file():
        names = read_classes(folder / _NAMES)
    return CLASSES if names is None else tuple(names)


def _listed(path: FilePath) -> List[str]:
    """The names in the list of a split."""
    stems = [checked_name(stem, f'{path}: line {line}') for line, stem in enumerate(read_names(path), 1)]
    check_listed_once(stems, path)
    return stems


def picture_named(root: FilePath, stem: str) -> str:
    """The name of the picture with a stem, whatever its ending; ``.jpg`` where there is none."""
    endings = ('.jpg', *(ending for ending in IMAGE_ENDINGS if ending != '.jpg'))
    return next((stem + ending for ending in endings if (root / (stem + ending)).is_file()), f'{stem}.jpg')

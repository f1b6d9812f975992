"""Reading folders of pictures and of masks with the same names: ``images/`` and ``masks/``, perhaps divided in splits.

``images/train`` and ``masks/train``, or ``train/images`` and ``train/masks``. Names of the folders are in
:data:`PAIRS`. The values of the masks are the classes; ``classes.txt`` names them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator, List, Tuple

from gluon_cbam.common.printable import printable
from gluon_cbam.data.boxes.faults import Faults
from gluon_cbam.data.boxes.reading import ReadOptions
from gluon_cbam.data.sources.file_trees import Location
from gluon_cbam.data.sources.left_out import IMAGE, kind_of_file

from .sets import KINDS, MaskExample, MaskFile, MaskPart, MaskSet

PAIRS: Tuple[Tuple[str, str], ...] = (
    ('images', 'masks'), ('images', 'annotations'), ('images', 'labels'), ('img', 'mask'), ('imgs', 'masks'),
)  # fmt: skip
"""Names of the folder of the pictures and of that of the masks; ``annotations`` is of ADE20K's scene parsing set."""
_SPLITS = {'train': 'train', 'training': 'train', 'val': 'val', 'valid': 'val', 'validation': 'val', 'test': 'test',
           'testing': 'test'}  # fmt: skip
_Folders = Tuple[Path, Path]


def paired_folders(source: Path) -> Dict[str, _Folders]:
    """The folders of a source.

    Returns:
        Split -> folder of the pictures and folder of the masks, which has a PNG; empty if there are none.
    """
    found: Dict[str, _Folders] = {}
    if not source.is_dir():
        return found
    for pictures, masks in PAIRS:
        for name, split in _SPLITS.items():
            for pair in (
                (source / pictures / name, source / masks / name),
                (source / name / pictures, source / name / masks),
            ):
                if split not in found and _have_masks(*pair):
                    found[split] = pair
        if not found and _have_masks(source / pictures, source / masks):
            found['train'] = source / pictures, source / masks
        if found:
            break
    return {split: found[split] for split in dict.fromkeys(_SPLITS.values()) if split in found}


def _have_masks(pictures: Path, masks: Path) -> bool:
    return pictures.is_dir() and masks.is_dir() and next(_files(masks), None) is not None


def _files(masks: Path) -> Iterator[Path]:
    """The PNGs below a folder, also those whose names end in upper case."""
    return (path for path in masks.rglob('*') if path.suffix.lower() == '.png')


def read_folders(source: Path, options: ReadOptions) -> MaskSet:
    """Read folders of pictures and masks."""
    names = options.given_classes(source)
    result = MaskSet('folders', None if names is None else tuple(names), [])
    for split, (pictures, masks) in paired_folders(source).items():
        faults = Faults(KINDS)
        result.parts.append(MaskPart(split, pictures, _examples(pictures, masks, faults), faults))
    return result


def _examples(pictures: Path, masks: Path, faults: Faults) -> List[MaskExample]:
    """Every picture with the mask of its name; a mask without a picture is a fault."""
    there = {path.with_suffix('.png'): path for path in sorted(_files(masks))}
    expected, examples = set(), []
    for path in sorted(pictures.rglob('*')):
        if kind_of_file(path.name) != IMAGE or not path.is_file():
            continue
        name = path.relative_to(pictures)
        usual = masks / name.with_suffix('.png')
        mask = there.get(usual, usual)
        expected.add(mask)
        examples.append(MaskExample(name.as_posix(), Location(str(path)), MaskFile(str(mask))))
    for path in sorted(_files(masks)):
        if path not in expected:
            faults.add('missing', printable(path), 'there is no picture of this name')
    return examples

"""Reading folders of pictures and of masks with the same names: ``images/`` and ``masks/``, perhaps divided in splits.

``images/train`` and ``masks/train``, or ``train/images`` and ``train/masks``. Names of the folders are in
:data:`PAIRS`. The values of the masks are the classes; ``classes.txt`` names them.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Dict, Iterator, List, Tuple

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.printable import printable
from gluon_cbam.common.quoting import shown
from gluon_cbam.data.boxes.faults import Faults
from gluon_cbam.data.boxes.reading import ReadOptions
from gluon_cbam.data.sources.file_paths import FilePath, file_bytes, files_below
from gluon_cbam.data.sources.left_out import IMAGE, kind_of_file
from gluon_cbam.data.sources.splits import SPLITS, only_one

from .sets import KINDS, MaskExample, MaskFile, MaskPart, MaskSet

PAIRS: Tuple[Tuple[str, str], ...] = (
    ('images', 'masks'), ('images', 'annotations'), ('images', 'labels'), ('img', 'mask'), ('imgs', 'masks'),
)  # fmt: skip
"""Names of the folder of the pictures and of that of the masks; ``annotations`` is of ADE20K's scene parsing set."""
_Folders = Tuple[FilePath, FilePath]


def paired_folders(source: FilePath) -> Dict[str, _Folders]:
    """The folders of a source.

    Returns:
        Split -> folder of the pictures and folder of the masks, which has a PNG; empty if there are none.
    """
    found: Dict[str, _Folders] = {}
    if not source.is_dir():
        return found
    for pictures, masks in PAIRS:
        for split, names in SPLITS.items():
            pairs = [
                pair
                for name in names
                for pair in (
                    (source / pictures / name, source / masks / name),
                    (source / name / pictures, source / name / masks),
                )
                if _have_masks(*pair)
            ]
            if only_one([folder for folder, _ in pairs], split) is not None:
                found[split] = pairs[0]
        if not found and _have_masks(source / pictures, source / masks):
            found['train'] = source / pictures, source / masks
        if found:
            break
    return found


def _have_masks(pictures: FilePath, masks: FilePath) -> bool:
    return pictures.is_dir() and masks.is_dir() and next(_masks_below(masks), None) is not None


def _masks_below(folder: FilePath) -> Iterator[PurePosixPath]:
    """The PNGs below a folder, relative to it, also those whose names end in upper case."""
    paths = (PurePosixPath(name) for name in files_below(folder))
    return (path for path in paths if path.suffix.lower() == '.png')


def read_folders(source: FilePath, options: ReadOptions) -> MaskSet:
    """Read folders of pictures and masks."""
    names = options.given_classes(source)
    result = MaskSet('folders', None if names is None else tuple(names), [])
    for split, (pictures, masks) in paired_folders(source).items():
        faults = Faults(KINDS)
        result.parts.append(MaskPart(split, pictures, _examples(pictures, masks, faults), faults))
    return result


def _examples(pictures: FilePath, masks: FilePath, faults: Faults) -> List[MaskExample]:
    """Every picture with the mask of its name; a mask without a picture is a fault.

    Raises:
        DataError: two pictures have the same mask.
    """
    found = sorted(_masks_below(masks))
    there = {path.with_suffix('.png'): path for path in found}
    expected: Dict[PurePosixPath, PurePosixPath] = {}
    examples = []
    for name in sorted(PurePosixPath(name) for name in files_below(pictures)):
        if kind_of_file(name.name) == IMAGE:
            usual = name.with_suffix('.png')
            mask = there.get(usual, usual)
            other = expected.setdefault(mask, name)
            if other != name:
                both = f'{shown(str(other))} and {shown(str(name))}'
                raise DataError(f'{printable(pictures)}: the pictures {both} have the same mask: rename one')
            examples.append(MaskExample(str(name), file_bytes(pictures / name), MaskFile.of(masks / mask)))
    for path in found:
        if path not in expected:
            faults.add('missing', printable(masks / path), 'there is no picture of this name')
    return examples

"""Segmentation records as a set of pictures with masks."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

from gluon_cbam.data.boxes.reading import ReadOptions
from gluon_cbam.data.boxes.sets import PictureRecords
from gluon_cbam.data.class_names import names_beside
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.data.records.segmentation import file_has_masks
from gluon_cbam.data.sources.file_paths import FilePath
from gluon_cbam.data.sources.splits import SPLITS

from .sets import MaskExample, MaskPart, MaskSet, RecordMask


def find_mask_records(source: FilePath) -> Dict[str, Path]:
    """The segmentation records of a source: a ``.rec`` file, or the files of a folder that are named after splits.

    Returns:
        Name of the file without its suffix -> path; empty if none of them has masks.
    """
    if not isinstance(source, Path):
        return {}  # records in a tar file are not read
    places = [source] if source.is_file() else [source / f'{split}.rec' for split in SPLITS]
    files = {path.stem: path for path in places if path.is_file() and path.suffix == '.rec'}
    return files if any(map(file_has_masks, files.values())) else {}


def read_mask_records(source: FilePath, options: ReadOptions) -> MaskSet:
    """Read segmentation records; their masks are not read."""
    names, parts = options.given_classes(), []
    for name, path in find_mask_records(source).items():
        records = RecordFile(path, indexed=False)
        names = names or names_beside(path).names
        pictures = PictureRecords(path, records.offsets)
        examples = [
            MaskExample(
                f'{name}_{number:06d}', pictures.picture(number), RecordMask(str(path), int(offset), number)
            )
            for number, offset in enumerate(records.offsets)
        ]  # fmt: skip
        parts.append(MaskPart(name, path, examples))
    return MaskSet('rec', tuple(names) if names else None, parts)

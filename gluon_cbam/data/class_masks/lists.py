"""Lists of pictures and masks: index, mask and picture in a line, separated by tabs.

``cbam data list --masks`` writes them. The paths are relative to the folder of the list, or to ``--root``.
"""

from __future__ import annotations

from typing import Iterator, Optional, Tuple

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import open_regular
from gluon_cbam.data.boxes.reading import ReadOptions, checked_name
from gluon_cbam.data.sources.file_paths import FilePath, file_bytes

from .sets import MaskExample, MaskFile, MaskPart, MaskSet

_FIELDS = 3


def is_mask_list(source: FilePath) -> bool:
    """Whether a file is a ``.lst`` whose first line names a mask."""
    if not source.is_file() or source.suffix != '.lst':
        return False
    fields = next(_lines(source), (0, ()))[1]
    return len(fields) == _FIELDS and fields[1].lower().endswith('.png')


def read_mask_list(source: FilePath, options: ReadOptions) -> MaskSet:
    """Read a list; its only part has its name."""
    root = options.root or source.parent
    examples = []
    for line, fields in _lines(source):
        if len(fields) != _FIELDS:
            raise DataError(f'{source}: line {line} has no index, mask and picture, separated by tabs')
        mask, name = (checked_name(field, f'{source}: line {line}') for field in fields[1:])
        examples.append(MaskExample(name, file_bytes(root / name), MaskFile.of(root / mask)))
    names: Optional[list] = options.given_classes(source.parent)
    return MaskSet('lst', None if names is None else tuple(names), [MaskPart(source.stem, root, examples)])


def _lines(path: FilePath) -> Iterator[Tuple[int, Tuple[str, ...]]]:
    """Number and fields of each line that is not blank."""
    with open_regular(path) as file:
        for number, line in enumerate(file, 1):
            text = line.decode('utf-8', 'surrogateescape').rstrip('\r\n')
            if text.strip():
                yield number, tuple(text.split('\t'))

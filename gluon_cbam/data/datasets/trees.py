"""Trees in aerial pictures of the United States, as detection records: the example data of the package deepforest.

The wheel of deepforest 2.1.0 (Ben Weinstein, MIT license) holds four pictures of the NEON Airborne Observation Platform
with 951 boxes in Pascal VOC's XML. They are cut into tiles. All tiles of a picture are in one split, as tiles beside
one another show the same trees. The boxes of 28 dead and 9 living trees of one picture are trees, as the others.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Tuple

import cv2
import numpy as np

from gluon_cbam.common.damage import reading
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_path, read_regular, refuse_existing, write_text
from gluon_cbam.common.xml_documents import parse_xml
from gluon_cbam.data.boxes.labels import encode, list_line
from gluon_cbam.data.boxes.reading import number
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.boxes.tiles import cut_tiles
from gluon_cbam.data.class_names import write_classes
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.records.recordio import RecordWriter

from .masks import remove_masks

PACKAGE, VERSION = 'deepforest', '2.1.0'
WHEEL_SHA256 = '8c2798d8e9be7f0004b194fe207b76c1d9fff6e711b3db67b9508dcd5d00ae54'
CLASSES = ('Tree',)
_LICENSE = Path(__file__).with_name('trees_license.txt')
_SMALLEST_TILE = 32
_MOST_BYTES = 1 << 25  # of a file
_PLACES = ('', 'deepforest/data/', 'data/')  # of the files in a folder


class Picture(NamedTuple):
    """A picture of the package.

    Attributes:
        name: its name, without the ending.
        split: ``train`` or ``val``.
        png: SHA-256 of the picture.
        xml: SHA-256 of its boxes.
    """

    name: str
    split: str
    png: str
    xml: str


PICTURES: Tuple[Picture, ...] = (
    Picture(
        '2019_YELL_2_528000_4978000_image_crop2',
        'train',
        'a9bdb0f4447fdd899d22f567e0e20ba8320c5413b2ad0cd0ac8d9f3b6e0f9767',
        'bd431af6a5086d721eb731b22f5ea28cd8a8eab06883efc1c665391acbc68e11',
    ),
    Picture(
        'OSBS_029',
        'train',
        'd9477c6a00e4902c7bee487d4c5582c3b8b9a2f77f3908a29628b816b291e6ee',
        '1f68c4011d7b351c29ca755072e77f3d16e6fd1f995bd05a9dd4eb952b55373c',
    ),
    Picture(
        '2019_YELL_2_541000_4977000_image_crop',
        'val',
        '178e58a23cc2642226a364a30f71bd9258ddc1b012c826f12250914a90c7a131',
        'cefe4b96888bacbf8af1674f000082e549aa707aa6590d545effb23e43f26631',
    ),
    Picture(
        'SOAP_061',
        'val',
        '256508f1a62149bec4a80879077a865caf50e8cace095e6564c76befa480d424',
        '4833280af75fd9c47965a93e38945282835e9e725cac412bdb9469d63480947c',
    ),
)
"""The pictures: Yellowstone twice, the Ordway-Swisher Biological Station, and Soaproot Saddle."""

_Read = Callable[[str], bytes]


def write_trees(
    source: PathLike, folder: PathLike, tile: int = 200, overlap: int = 0, overwrite: bool = True
) -> Dict[str, int]:
    """Write ``train.rec`` and ``val.rec`` of detection, their ``.idx`` and ``.lst``, the classes and ``SOURCE.txt``.

    Args:
        source: the wheel; a folder that holds the wheel; or one with the files of :data:`PICTURES` in it, in ``data/``
            or in ``deepforest/data/``, as the wheel has them.
        folder: created if it does not exist.
        tile: height and width of the tiles in pixels.
        overlap: least number of pixels that neighboring tiles share.
        overwrite: whether the files may exist.

    Returns:
        File name -> number of records.

    Raises:
        UsageError: there is no such source, the tiles are too small, or a file exists and must not be overwritten.
        DataError: a file of the source is missing, or is not that of deepforest 2.1.0. Nothing is written.
    """
    if tile < _SMALLEST_TILE:
        raise UsageError(f'tiles must have {_SMALLEST_TILE} pixels at least, got {tile}')
    output = Path(folder)
    splits: Dict[str, List[Picture]] = {}
    for picture in PICTURES:
        splits.setdefault(picture.split, []).append(picture)
    refuse_existing([output / name for name in (*(f'{split}.rec' for split in splits), 'classes.txt')], overwrite)
    read = _opened(Path(source))
    loaded = {picture: _load(read, picture) for picture in PICTURES}
    output.mkdir(parents=True, exist_ok=True)
    counts = {}
    for split, pictures in splits.items():
        path = output / f'{split}.rec'
        counts[path.name] = _write(path, [(picture, *loaded[picture]) for picture in pictures], tile, overlap)
        remove_masks(path)
    write_classes(output, CLASSES)
    write_text(output / 'SOURCE.txt', _source_text(tile, overlap))
    return counts


def _opened(source: Path) -> _Read:
    """A function that reads a file of the package by its name in ``deepforest/data``."""
    if source.is_dir():
        wheels = sorted(source.glob(f'{PACKAGE}-*.whl'))
        if not wheels:
            return lambda name: _from_folder(source, name)
        source = wheels[0]
    if not source.is_file():
        raise UsageError(f'no wheel or folder {str(source)!r}')
    return lambda name: _from_wheel(source, name)


def _from_folder(folder: Path, name: str) -> bytes:
    for place in _PLACES:
        path = folder / place / name
        if path.is_file():
            return read_regular(path, _MOST_BYTES)
    raise DataError(f'{folder}: {name} is missing: it is in the wheel of {PACKAGE} {VERSION}')


def _from_wheel(path: Path, name: str) -> bytes:
    with reading(path, f'no wheel of {PACKAGE} {VERSION}'), zipfile.ZipFile(str(path)) as archive:
        entry = archive.getinfo(f'{PACKAGE}/data/{name}')
        if entry.file_size > _MOST_BYTES:
            raise DataError(f'{path}: {name} states {entry.file_size} bytes')
        return archive.read(entry)


def _load(read: _Read, picture: Picture) -> Tuple[np.ndarray, Boxes]:
    """The pixels of a picture and its boxes."""
    pixels = decode(_verified(read, f'{picture.name}.png', picture.png), picture.name)
    content = _verified(read, f'{picture.name}.xml', picture.xml)
    boxes = parse_xml(content, f'{picture.name}.xml').iterfind('object/bndbox')
    corners = [[number(box.findtext(name)) for name in ('xmin', 'ymin', 'xmax', 'ymax')] for box in boxes]
    return pixels, Boxes.of(np.array(corners) - [1, 1, 0, 0], np.zeros(len(corners)))


def _verified(read: _Read, name: str, sha256: str) -> bytes:
    content = read(name)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(f'{name} is not that of {PACKAGE} {VERSION}: its SHA-256 is {found}, not {sha256}')
    return content


def _write(path: Path, pictures: List[Tuple[Picture, np.ndarray, Boxes]], tile: int, overlap: int) -> int:
    """Write the tiles of some pictures; returns their number."""
    with RecordWriter(path) as writer, atomic_path(path.with_suffix('.lst')) as listed, listed.open('w') as lines:
        for picture, pixels, boxes in pictures:
            for each in cut_tiles(pixels, boxes, tile, overlap):
                label = encode(each.boxes, *each.pixels.shape[:2])
                name = f'{picture.name}_{each.top:04d}_{each.left:04d}.png'
                lines.write(list_line(writer.count + 1, label, name))
                image = cv2.imencode('.png', each.pixels[..., ::-1])[1].tobytes()
                writer.write(label.tolist(), image, writer.count + 1)
    return writer.count


def _source_text(tile: int, overlap: int) -> str:
    lines = [
        f'Tiles of {tile} pixels (overlap {overlap}) of the pictures in {PACKAGE} {VERSION}, deepforest/data:',
        *(f'{picture.split}: {picture.name}.png, .xml' for picture in PICTURES),
        '',
        'Package: https://github.com/weecology/DeepForest',
        'Imagery: National Ecological Observatory Network (NEON), Airborne Observation Platform',
        'License of the package:',
        '',
        _LICENSE.read_text(encoding='utf-8'),
    ]
    return '\n'.join(lines)

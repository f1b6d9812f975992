"""Reading Pascal VOC's XML: ``Annotations/``, ``JPEGImages/`` and ``ImageSets/Main/``, or XML beside the pictures.

Corners count pixels from 1 and include the last one; a box from 1 to the width covers the whole picture. The names of
classes are taken as they are. The picture of an annotation is the one with the name of its file; otherwise the one
that its ``filename`` names. Of several years in one folder, as in ``VOCdevkit/``, the splits of one name are one split.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple
from xml.etree.ElementTree import Element

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.listing import listed
from gluon_cbam.common.printable import printable
from gluon_cbam.common.quoting import shown
from gluon_cbam.common.xml_documents import read_xml
from gluon_cbam.data.sources.file_paths import FilePath, file_names, matching, relative_name
from gluon_cbam.data.sources.labels import read_names
from gluon_cbam.data.sources.left_out import IMAGE, kind_of_file

from .columns import BoxRows
from .faults import Faults
from .reading import (
    MAX_SIDE,
    ClassIndices,
    ReadOptions,
    check_classes,
    check_listed_once,
    count_unannotated,
    file_size,
    number,
)
from .sets import BoxPart, BoxSet, PictureFiles

_SPLITS = ('train', 'val', 'test')
_BOTH = 'trainval'  # a list of what train and val have, used where one of these is missing
_FLAGS = {'0': False, '1': True, '': False}


def annotations_folder(source: FilePath) -> Optional[FilePath]:
    """The folder of the XML files of a source; None if it has none."""
    for folder in (source / 'Annotations', source):
        if folder.is_dir() and next(folder.glob('*.xml'), None) is not None:
            return folder
    return None


def year_folders(source: FilePath) -> List[FilePath]:
    """The folders that have annotations: the source, or those in it that have ``Annotations/``, as ``VOC2007/``."""
    if annotations_folder(source) is not None:
        return [source]
    inside = [path.parent for path in matching(source, '*/Annotations')] if source.is_dir() else []
    return [folder for folder in inside if annotations_folder(folder) is not None]


def read_voc(source: FilePath, options: ReadOptions) -> BoxSet:
    """Read a set in Pascal VOC's format; of a folder of several years, all as one set."""
    folders = year_folders(source)
    if len(folders) == 1:
        source = folders[0]
    elif options.root is not None:
        raise UsageError(f'{source} has {len(folders)} years with pictures of their own: leave out --root')
    root = options.root or (_pictures_folder(source) if len(folders) == 1 else source)
    classes = ClassIndices(options.given_classes(source))
    years = [_Year(folder, root, options, classes) for folder in folders]
    names = list(dict.fromkeys(name for year in years for name in year.splits))
    parts = [_part(name, [year for year in years if name in year.splits], root, options) for name in names]
    check_classes(classes.names(), source)
    result, final = BoxSet('voc', classes.names(), parts), classes.final()
    for part in parts:
        labels = part.columns.boxes.classes
        labels[:] = [final[label] for label in labels.tolist()]
    for year in years:
        for stem in year.unlisted:
            result.left_out.add('unlisted', relative_name(year.folder / f'{stem}.xml', source))
    if not any(year.unlisted for year in years):
        count_unannotated(root, [name for part in parts for name in part.columns.names], result.left_out)
    return result


def _pictures_folder(source: FilePath) -> FilePath:
    """The folder of the pictures of a year: that of the annotations where there is none."""
    places = (source / name for name in ('JPEGImages', 'images') if (source / name).is_dir())
    return next(places, None) or annotations_folder(source) or source


def _part(name: str, years: Sequence[_Year], root: FilePath, options: ReadOptions) -> BoxPart:
    """The pictures of a split of all years."""
    rows, faults, files = BoxRows(), Faults(), []
    listed = [(year, stem) for year in years for stem in year.splits[name]]
    for year, stem in options.progress(listed, len(listed), name):
        if year.add(rows, stem, faults):
            files.append(year.folder / f'{stem}.xml')
    columns = rows.columns()
    _check_pictures(columns.names, files)
    return BoxPart(
        name, columns, root, PictureFiles(root, columns.names), lambda number: str(files[number]), 'object', faults
    )


def _check_pictures(names: Sequence[str], files: Sequence[FilePath]) -> None:
    """Check that no picture has two files of annotations: it would be packed twice, with some of its boxes each."""
    first: Dict[str, FilePath] = {}
    for name, path in zip(names, files):
        if first.setdefault(name, path) != path:
            raise DataError(f'{first[name]} and {path} are both of the picture {shown(name)}: join them')


def _splits(source: FilePath, folder: FilePath, wanted: Sequence[str]) -> Tuple[Dict[str, List[str]], List[str]]:
    """Split -> names of its files of annotations, without ``.xml``; and those that no split has."""
    stems = sorted(path.name[: -len('.xml')] for path in folder.glob('*.xml'))
    sets = source / 'ImageSets' / 'Main'
    usual = (*_SPLITS, _BOTH)
    names = {name: sets / f'{name}.txt' for name in wanted or usual if (sets / f'{name}.txt').is_file()}
    if not wanted and 'train' in names and 'val' in names:
        names.pop(_BOTH, None)
    elif not wanted and _BOTH in names:
        names = {name: path for name, path in names.items() if name not in ('train', 'val')}
    if not names:
        return ({}, []) if wanted and sets.is_dir() else ({'train': stems}, [])
    known = set(stems)
    splits = {name: [_stem(line, known) for line in read_names(path) if line.strip()] for name, path in names.items()}
    for name, members in splits.items():
        check_listed_once(members, names[name])
    return splits, [stem for stem in stems if not any(stem in set(members) for members in splits.values())]


def _stem(line: str, known: set) -> str:
    """The name in a line of a list of a split; a second column, as the lists of classes have, is left out."""
    line = line.strip()
    return line if line in known else line.split()[0]


class _Year:
    """Reads the files of annotations of a folder.

    Attributes:
        folder: the folder of the XML files.
        splits: split -> names of its files of annotations, without ``.xml``.
        unlisted: those that no split has.
    """

    def __init__(self, source: FilePath, root: FilePath, options: ReadOptions, classes: ClassIndices) -> None:
        folder = annotations_folder(source)
        assert folder is not None  # it was found by it
        self.folder, self._root, self._classes = folder, root, classes
        self.splits, self.unlisted = _splits(source, folder, options.splits)
        pictures = options.root or _pictures_folder(source)
        self._prefix = '' if pictures == root else f'{relative_name(pictures, root)}/'
        self._pictures: Dict[str, List[str]] = {}
        for entry in file_names(pictures):
            if kind_of_file(entry) == IMAGE:
                self._pictures.setdefault(entry.rpartition('.')[0], []).append(entry)

    def add(self, rows: BoxRows, stem: str, faults: Faults) -> bool:
        """Add a picture; whether it could be."""
        path = self.folder / f'{stem}.xml'
        if not path.is_file():
            faults.add('missing', printable(path), 'there is no such file of annotations')
            return False
        root = read_xml(path)
        if root.tag != 'annotation':
            raise DataError(f'{path}: no annotation of Pascal VOC, but <{shown(root.tag)}>')
        picture = self._picture(stem, root, path, faults)
        if picture is None:
            return False
        picture = self._prefix + picture
        size = _size(root, path) or file_size(self._root / picture, faults)
        if size is None:
            return False
        owner = rows.image(picture, *size)
        if root.find('object') is None and root.find('.//object') is not None:
            faults.add('unreadable', printable(path), 'its objects are inside of another element than annotation')
        for order, item in enumerate(root.findall('object')):
            self._add_box(rows, owner, item, order, f'{path}: object {order}', faults)
        return True

    def _picture(self, stem: str, root: Element, path: FilePath, faults: Faults) -> Optional[str]:
        """The name of the picture of an annotation."""
        found = self._pictures.get(stem, [])
        named = (root.findtext('filename') or '').strip().replace('\\', '/').rpartition('/')[2]
        if len(found) == 1:
            return found[0]
        if named in found or (not found and named in self._pictures.get(named.rpartition('.')[0], [])):
            return named
        if found:
            raise DataError(f'{path}: {listed(found)} have its name, and its filename is {shown(named)}')
        faults.add(
            'missing',
            printable(path),
            f'no picture {shown(stem)} or {shown(named)} in {printable(self._root / self._prefix)}',
        )
        return None

    def _add_box(self, rows: BoxRows, owner: int, item: Element, order: int, where: str, faults: Faults) -> None:
        box = item.find('bndbox')
        try:
            if box is None:
                raise ValueError('it has no bndbox')
            for tag in ('bndbox', 'name'):
                if len(item.findall(tag)) > 1:
                    raise ValueError(f'it has several elements {tag}')
            xmin, ymin, xmax, ymax = (number(box.findtext(name)) for name in ('xmin', 'ymin', 'xmax', 'ymax'))
        except ValueError as error:
            faults.add('unreadable', where, str(error))
            return
        label = self._classes.index((item.findtext('name') or '').strip(), faults, where)
        if label is not None:
            difficult = _flag(item, where)
            rows.box(owner, (xmin - 1, ymin - 1, xmax, ymax), label, order, difficult)


def _flag(item: Element, where: str) -> bool:
    text = (item.findtext('difficult') or '').strip()
    if text not in _FLAGS:
        raise DataError(f'{where}: difficult is 0 or 1, got {shown(text)}')
    return _FLAGS[text]


def _size(root: Element, path: FilePath) -> Optional[Tuple[int, int]]:
    """Height and width that an annotation states; None where it states none, or 0 x 0 as some tools do."""
    texts = [root.findtext(f'size/{name}') for name in ('height', 'width')]
    if any(text is None for text in texts):
        return None
    try:
        height, width = (int(number(text)) for text in texts)
    except (ValueError, OverflowError) as error:
        raise DataError(f'{path}: size: {error}') from None
    return (height, width) if 0 < height < MAX_SIDE and 0 < width < MAX_SIDE else None

"""Image folders and lists to RecordIO."""

from __future__ import annotations

import math
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

import cv2

from zoo.files import PathLike, write_text

from ..errors import DataError, UsageError
from .parallel import ordered_map
from .preprocessing import decode, resize_short_side
from .recordio import RecordWriter

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp')
"""Endings of the files that are packed; compared without case."""
_SPLITS = ('train', 'val')
_SHOWN = 10  # bad files named in an error


class Item(NamedTuple):
    """An image to pack.

    Attributes:
        path: of the file.
        labels: one or more.
    """

    path: Path
    labels: Tuple[float, ...]


@dataclass
class Packed:
    """What became of one ``.rec`` file.

    Attributes:
        path: of the file.
        records: images in it.
        bad: path -> why it was left out.
        other: files that are no images by their name, which were passed over.
    """

    path: Path
    records: int = 0
    bad: Dict[str, str] = field(default_factory=dict)
    other: int = 0


class Source(NamedTuple):
    """One ``.rec`` file to be: its name without the ending, its images, and how many other files lay among them."""

    name: str
    items: List[Item]
    other: int


def pack(
    source: PathLike,
    output: PathLike,
    resize: Optional[int] = None,
    quality: int = 95,
    skip_bad: bool = False,
    workers: int = 1,
    root: Optional[PathLike] = None,
    progress: Callable[[Iterable, int, str], Iterable] = lambda items, total, name: items,
) -> List[Packed]:
    """Pack images to ``.rec``, ``.idx`` and ``classes.txt``.

    Args:
        source: a folder of class folders (gives ``train.rec``), a folder with ``train/`` and ``val/`` of class folders
            (``train.rec`` and ``val.rec``), or a ``.lst`` file (named like it): index, labels and path, separated by
            tabs.
        output: folder, made if it does not exist.
        resize: length of the shorter side in pixels, encoded anew as JPEG; default the original bytes.
        quality: of the JPEG, 1..100.
        skip_bad: leave out files that cannot be decoded instead of failing.
        workers: processes.
        root: where the paths of a ``.lst`` begin; default its folder.
        progress: wraps the images of a file, (images, how many, name), to show how far it is.

    Returns:
        One entry a file written.

    Raises:
        UsageError: the source does not exist or holds no images.
        DataError: files cannot be decoded, or the list is damaged. Nothing is written under the final names.
    """
    source, output = Path(source), Path(output)
    if source.is_file():
        sources, classes = _from_list(source, Path(root) if root else source.parent)
    elif source.is_dir():
        sources, classes = _from_folders(source)
    else:
        raise UsageError(f'no folder or list {str(source)!r}')
    output.mkdir(parents=True, exist_ok=True)
    encode = partial(_encode, resize=resize, quality=quality)
    done = [_pack_one(part, output, encode, skip_bad, workers, progress) for part in sources]
    if classes:
        write_text(output / 'classes.txt', ''.join(f'{name}\n' for name in classes))
    return done


def _pack_one(part: Source, output: Path, encode, skip_bad: bool, workers: int, progress) -> Packed:
    result = Packed(output / f'{part.name}.rec', other=part.other)
    paths = [str(item.path) for item in part.items]
    with RecordWriter(result.path) as writer, ProcessPoolExecutor(workers) as pool:
        encoded = ordered_map(pool, encode, paths, 16 * workers)
        for item, (image, fault) in zip(part.items, progress(encoded, len(paths), part.name)):
            if fault:
                result.bad[str(item.path)] = fault
            elif skip_bad or not result.bad:  # once it has failed, go on only to name every bad file
                writer.write(item.labels, image)
        if result.bad and not skip_bad:
            named = ', '.join(f'{path} ({fault})' for path, fault in list(result.bad.items())[:_SHOWN])
            more = ' ...' if len(result.bad) > _SHOWN else ''
            raise DataError(
                f'{len(result.bad)} of {len(paths)} images cannot be packed: {named}{more}; leave out with --skip-bad'
            )
        result.records = writer.count
    return result


def _encode(path: str, resize: Optional[int], quality: int) -> Tuple[bytes, Optional[str]]:
    """The bytes to store for a file, and why not if it is bad."""
    try:
        with open(path, 'rb') as file:
            data = file.read()
        pixels = decode(data, 'bad')
    except OSError as error:
        return b'', error.strerror or str(error)
    except DataError as error:
        return b'', str(error).partition(': ')[2]
    if resize is None:
        return data, None
    pixels = cv2.cvtColor(resize_short_side(pixels, resize), cv2.COLOR_RGB2BGR)
    return cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes(), None


def _from_folders(folder: Path) -> Tuple[List[Source], List[str]]:
    """The ``.rec`` files of a folder and its class names: the sorted names of the class folders."""
    splits = [name for name in _SPLITS if (folder / name).is_dir()]
    if splits and splits[0] != 'train':
        raise UsageError(f'{folder} has val/ and no train/ beside it')
    roots = {name: folder / name for name in splits} if splits else {'train': folder}
    classes = _class_folders(roots['train'])
    sources = []
    for name, root in roots.items():
        unknown = sorted(set(_class_folders(root)) - set(classes))
        if unknown:
            raise DataError(f'{root / unknown[0]}: a class that train/ does not have')
        items, other = [], 0
        for label, class_name in enumerate(classes):
            images, rest = _images(root / class_name)
            items += [Item(path, (float(label),)) for path in images]
            other += rest
        if not items:
            raise UsageError(f'no images ({", ".join(EXTENSIONS)}) in the class folders of {root}')
        sources.append(Source(name, items, other))
    return sources, classes


def _class_folders(root: Path) -> List[str]:
    return sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith('.'))


def _images(folder: Path) -> Tuple[List[Path], int]:
    """The images below a folder, sorted by path, and how many other files lie there."""
    images, other = [], 0
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.lower().endswith(EXTENSIONS):
                images.append(Path(parent) / name)
            else:
                other += 1
    return sorted(images), other


def _from_list(path: Path, root: Path) -> Tuple[List[Source], List[str]]:
    """The ``.rec`` file of a ``.lst`` and its class names."""
    items = []
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
        fields = line.split('\t')
        try:
            items.append(Item(root / fields[-1], tuple(float(label) for label in fields[1:-1])))
            if not items[-1].labels:
                raise ValueError
        except ValueError:
            raise DataError(f'{path}: line {number} is not "index <tab> label... <tab> path": {line[:80]!r}') from None
    if not items:
        raise UsageError(f'{path}: the list is empty')
    return [Source(path.stem, items, 0)], _names_of_labels(items)


def _names_of_labels(items: List[Item]) -> List[str]:
    """The folders of the images where each label has one of its own, else the labels; none if labels are no classes."""
    labels = [item.labels[0] for item in items]
    if not all(math.isfinite(label) and label >= 0 and label == int(label) for label in labels):
        return []
    folders: Dict[int, set] = {}
    for label, item in zip(labels, items):
        folders.setdefault(int(label), set()).add(item.path.parent.name)
    names = {label: next(iter(found)) for label, found in folders.items() if len(found) == 1}
    if len(set(names.values())) < len(folders):
        names = {}
    return [names.get(label, str(label)) for label in range(max(folders) + 1)]

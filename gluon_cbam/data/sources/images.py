"""Images to look at, one after another: files, folders, shell patterns, lists, records, standard input and videos.

Nothing is read before it is asked for. A file that cannot be read is a picture that says so when it is decoded.
"""

from __future__ import annotations

import glob
import os
import sys
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Callable, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import CbamError, DataError, EnvironmentProblem, UsageError
from gluon_cbam.common.natural_sort import naturally_sorted
from gluon_cbam.data.loading.preprocessing import decode, decode_record
from gluon_cbam.data.records.recordio import RecordFile

from . import video
from .file_trees import EXTENSIONS

STANDARD_INPUT = '-'
IN_FOLDERS = (*EXTENSIONS, '.jpe', '.jfif', '.webp', '.gif', '.tif', '.tiff')
"""Endings of the files that are taken from folders. What decode() cannot read is named there, not passed over."""


class Picture(NamedTuple):
    """An image that was not decoded yet.

    Attributes:
        file: the path, as results call it; ``-`` for standard input.
        number: of the record or the video's frame, from 0; None for a file of one image.
        decode: gives (H, W, 3) uint8 RGB, in any thread; raises DataError or OSError.
    """

    file: str
    number: Optional[int]
    decode: Callable[[], np.ndarray]


def open_pictures(
    arguments: Sequence[str] = (),
    files_from: Optional[str] = None,
    every: int = 1,
    limit: Optional[int] = None,
) -> Iterator[Picture]:
    """The images that some arguments name, in their order.

    Args:
        arguments: files of an image, ``.rec`` files, videos, folders (with those below them, in natural order, hidden
            ones left out), patterns such as ``photos/**/*.jpg``, or ``-`` for one image on standard input.
        files_from: a file with an argument a line, patterns aside, or ``-`` for such lines on standard input. They are
            read as they are needed; what is not there counts as an image that cannot be read.
        every: of the frames of a video, only those whose number is a multiple of it.
        limit: stop after so many images.

    Raises:
        UsageError: an argument is not there, or standard input should be read twice.
    """
    inputs = [*arguments, *([STANDARD_INPUT] if files_from == STANDARD_INPUT else [])].count(STANDARD_INPUT)
    if inputs > 1:
        raise UsageError(f'standard input (-) can be read once, got it {inputs} times')
    if files_from not in (None, STANDARD_INPUT) and not os.path.isfile(files_from):
        raise UsageError(f'no list of images {files_from!r}')
    paths = [path for argument in arguments for path in _expanded(argument)]
    return islice(_pictures(paths, files_from, every), limit)


def _pictures(paths: Iterable[str], files_from: Optional[str], every: int) -> Iterator[Picture]:
    for path in paths:
        yield from _of_path(path, every)
    for line in _lines(files_from) if files_from else ():
        yield from _of_path(line, every)


def _expanded(argument: str) -> List[str]:
    """A path as it is, or the paths that match a pattern."""
    if argument == STANDARD_INPUT or os.path.lexists(argument):
        return [argument]
    if not glob.has_magic(argument):
        raise UsageError(f'no image file or folder {argument!r}')
    matches = naturally_sorted(glob.iglob(argument, recursive=True))
    if not matches:
        raise UsageError(f'no file matches {argument!r}')
    return matches


def _lines(path: str) -> Iterator[str]:
    """The lines of a file of paths, blank ones left out."""
    descriptor = sys.stdin.fileno() if path == STANDARD_INPUT else path
    with open(descriptor, 'rb', closefd=path != STANDARD_INPUT) as file:
        for line in file:
            if line.strip():
                yield os.fsdecode(line.rstrip(b'\r\n'))


def _of_path(path: str, every: int) -> Iterator[Picture]:
    return next(read for fits, read in _KINDS if fits(path))(path, every)


def _standard_input(path: str, every: int) -> Iterator[Picture]:
    image = sys.stdin.buffer.read()  # here, as a thread that waits for input could not be interrupted
    yield Picture(path, None, lambda: decode(image, path))


def _folder(path: str, every: int) -> Iterator[Picture]:
    for file in _below(path):
        yield picture_of(file)


def _below(folder: str, above: Tuple[Tuple[int, int], ...] = ()) -> Iterator[str]:
    """The images in a folder, then those of the folders in it; a folder that cannot be read stands for itself."""
    try:
        status = os.stat(folder)
        with os.scandir(folder) as listing:
            entries = {entry.name: entry.is_dir() for entry in listing if not entry.name.startswith('.')}
    except OSError:
        yield folder
        return
    identity = status.st_dev, status.st_ino
    if identity in above:  # a link to a folder that it lies in
        return
    for name in naturally_sorted(
        name for name, is_folder in entries.items() if not is_folder and name.lower().endswith(IN_FOLDERS)
    ):
        yield os.path.join(folder, name)
    for name in naturally_sorted(name for name, is_folder in entries.items() if is_folder):
        yield from _below(os.path.join(folder, name), (*above, identity))


def _records(path: str, every: int) -> Iterator[Picture]:
    try:
        records = RecordFile(path, indexed=False)
    except (CbamError, OSError) as error:
        yield _broken(path, error)
        return
    for number in range(len(records)):
        yield Picture(path, number, partial(decode_record, records, number))


def _video(path: str, every: int) -> Iterator[Picture]:
    try:
        for number, frame in video.frames(path, every):
            yield Picture(path, number, partial(video.to_rgb, frame))
    except DataError as error:
        yield _broken(path, error)


def picture_of(path: str) -> Picture:
    """The image in a file, whether the file is there or not."""
    return Picture(path, None, lambda: decode(Path(path).read_bytes(), path))


def _file(path: str, every: int) -> Iterator[Picture]:
    yield picture_of(path)


def _broken(path: str, error: Exception) -> Picture:
    def fail():
        raise DataError(str(error))

    return Picture(path, None, fail)


# what a path is -> how its pictures are read; the first that fits
_KINDS = (
    (lambda path: path == STANDARD_INPUT, _standard_input),
    (os.path.isdir, _folder),
    (lambda path: path.lower().endswith('.rec'), _records),
    (lambda path: path.lower().endswith(video.ENDINGS), _video),
    (lambda path: True, _file),
)


def open_camera(camera: str, every: int = 1, limit: Optional[int] = None) -> Iterator[Picture]:
    """The frames of a camera, as they come.

    Args:
        camera: its number, the path of its device, or the address of a stream.
        every: as of :func:`open_pictures`.
        limit: likewise; without, they end with the stream.

    Raises:
        EnvironmentProblem: it gives no frame.
    """
    return islice(_camera(camera, every), limit)


def _camera(camera: str, every: int) -> Iterator[Picture]:
    source, name = (int(camera), f'camera {camera}') if camera.isdigit() else (camera, camera)
    try:
        for number, frame in video.frames(source, every):
            yield Picture(name, number, partial(video.to_rgb, frame))
    except DataError:
        raise EnvironmentProblem(f'{name} gives no frame: is it there, and does nobody else use it?') from None

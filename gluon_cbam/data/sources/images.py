"""Images to predict or explain: files, folders, shell patterns, lists, records, standard input, videos and cameras.

Images are read lazily. A file that cannot be read gives an image source that raises an error when it is decoded.
"""

from __future__ import annotations

import glob
import os
import sys
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Callable, Iterable, Iterator, List, NamedTuple, NoReturn, Optional, Sequence, Tuple, Union

import numpy as np

from gluon_cbam.common.errors import CbamError, DataError, EnvironmentProblem, UsageError
from gluon_cbam.common.natural_sort import naturally_sorted
from gluon_cbam.compat.renamed import renamed_attributes
from gluon_cbam.data.decoding import IMAGE_ENDINGS, decode
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.recordio import RecordFile

from . import video

STANDARD_INPUT = '-'
"""The argument that stands for standard input."""
IN_FOLDERS = IMAGE_ENDINGS
"""Suffixes of the files that are taken from folders."""


class ImageSource(NamedTuple):
    """An image that is decoded on demand.

    Attributes:
        file: path of the file, for results; ``-`` for standard input.
        number: index of the record or the video's frame, from 0; None for a file of one image.
        decode: returns (H, W, 3) uint8 RGB; thread-safe; raises DataError or OSError.
    """

    file: str
    number: Optional[int]
    decode: Callable[[], np.ndarray]


def open_images(
    arguments: Sequence[str] = (),
    files_from: Optional[str] = None,
    every: int = 1,
    limit: Optional[int] = None,
) -> Iterator[ImageSource]:
    """Open the images that some arguments name, in the order of the arguments.

    Args:
        arguments: image files, ``.rec`` files, videos, folders (with their subfolders, in natural order, without hidden
            files), patterns such as ``photos/**/*.jpg``, or ``-`` for one image on standard input.
        files_from: a file with an argument in each line, except patterns; ``-`` for such lines on standard input. They
            are read lazily; a line that does not name an existing file gives an image that cannot be read.
        every: use every n-th frame of a video; default 1.
        limit: maximum number of images; by default, no limit.

    Returns:
        An iterator over the images; each file is opened when the iterator reaches it.

    Raises:
        UsageError: an argument does not exist or matches no file, or standard input is given twice.
    """
    inputs = [*arguments, *([STANDARD_INPUT] if files_from == STANDARD_INPUT else [])].count(STANDARD_INPUT)
    if inputs > 1:
        raise UsageError(f'standard input (-) can be read once, got it {inputs} times')
    if files_from is not None and files_from != STANDARD_INPUT and not os.path.isfile(files_from):
        raise UsageError(f'no list of images {files_from!r}')
    paths = [path for argument in arguments for path in _expanded(argument)]
    return islice(_images(paths, files_from, every), limit)


def _images(paths: Iterable[str], files_from: Optional[str], every: int) -> Iterator[ImageSource]:
    for path in paths:
        yield from _from_path(path, every)
    for line in _lines(files_from) if files_from else ():
        yield from _from_path(line, every)


def _expanded(argument: str) -> List[str]:
    """The path itself, or the paths that match a pattern."""
    if argument == STANDARD_INPUT or os.path.lexists(argument):
        return [argument]
    if not glob.has_magic(argument):
        raise UsageError(f'no image file or folder {argument!r}')
    matches = naturally_sorted(glob.iglob(argument, recursive=True))
    if not matches:
        raise UsageError(f'no file matches {argument!r}')
    return matches


def _lines(path: str) -> Iterator[str]:
    """The lines of a file of paths, without blank lines."""
    file_or_descriptor: Union[int, str] = sys.stdin.fileno() if path == STANDARD_INPUT else path
    with open(file_or_descriptor, 'rb', closefd=path != STANDARD_INPUT) as file:
        for line in file:
            if line.strip():
                yield os.fsdecode(line.rstrip(b'\r\n'))


def _from_path(path: str, every: int) -> Iterator[ImageSource]:
    return next(read for applies, read in _KINDS if applies(path))(path, every)


def _standard_input(path: str, every: int) -> Iterator[ImageSource]:
    image = sys.stdin.buffer.read()  # in the main thread: another thread that waits for input could not be interrupted
    yield ImageSource(path, None, lambda: decode(image, path))


def _folder(path: str, every: int) -> Iterator[ImageSource]:
    for file in _below(path):
        yield image_file(file)


def _below(folder: str, parents: Tuple[Tuple[int, int], ...] = ()) -> Iterator[str]:
    """The paths of images in a folder, then in its subfolders; for a folder that cannot be read, its own path."""
    try:
        status = os.stat(folder)
        with os.scandir(folder) as listing:
            entries = {entry.name: entry.is_dir() for entry in listing if not entry.name.startswith('.')}
    except OSError:
        yield folder
        return
    identity = status.st_dev, status.st_ino
    if identity in parents:  # a link to one of its parent folders
        return
    for name in naturally_sorted(
        name for name, is_folder in entries.items() if not is_folder and name.lower().endswith(IN_FOLDERS)
    ):
        yield os.path.join(folder, name)
    for name in naturally_sorted(name for name, is_folder in entries.items() if is_folder):
        yield from _below(os.path.join(folder, name), (*parents, identity))


def _records(path: str, every: int) -> Iterator[ImageSource]:
    try:
        records = RecordFile(path, indexed=False)
    except (CbamError, OSError) as error:
        yield _broken(path, error)
        return
    for number in range(len(records)):
        yield ImageSource(path, number, partial(decode_record, records, number))


def _video(path: str, every: int) -> Iterator[ImageSource]:
    try:
        for number, frame in video.frames(path, every):
            yield ImageSource(path, number, partial(video.to_rgb, frame))
    except DataError as error:
        yield _broken(path, error)


def image_file(path: str) -> ImageSource:
    """The source of the image in a file.

    Args:
        path: path of the file, which may be missing: the error is raised when the image is decoded.

    Returns:
        The source.
    """
    return ImageSource(path, None, lambda: decode(Path(path).read_bytes(), path))


def _file(path: str, every: int) -> Iterator[ImageSource]:
    yield image_file(path)


def _broken(path: str, error: Exception) -> ImageSource:
    def fail() -> NoReturn:
        raise DataError(str(error))

    return ImageSource(path, None, fail)


# (condition on a path, function that opens its images); the first condition that holds applies
_KINDS: Sequence[Tuple[Callable[[str], bool], Callable[[str, int], Iterator[ImageSource]]]] = (
    (lambda path: path == STANDARD_INPUT, _standard_input),
    (os.path.isdir, _folder),
    (lambda path: path.lower().endswith('.rec'), _records),
    (lambda path: path.lower().endswith(video.ENDINGS), _video),
    (lambda path: True, _file),
)


def open_camera(camera: str, every: int = 1, limit: Optional[int] = None) -> Iterator[ImageSource]:
    """Open a camera; its frames are images, read as they are recorded.

    Args:
        camera: number of the camera, path of its device, or the URL of a stream.
        every: use every n-th frame; default 1.
        limit: maximum number of frames; by default, until the stream ends.

    Returns:
        An iterator over the frames.

    Raises:
        EnvironmentProblem: the camera gives no frame; raised by the iterator.
    """
    return islice(_camera(camera, every), limit)


def _camera(camera: str, every: int) -> Iterator[ImageSource]:
    source: Union[int, str] = int(camera) if camera.isdigit() else camera
    name = f'camera {camera}' if camera.isdigit() else camera
    try:
        for number, frame in video.frames(source, every):
            yield ImageSource(name, number, partial(video.to_rgb, frame))
    except DataError:
        raise EnvironmentProblem(f'{name} gives no frame: is it connected, and does no other program use it?') from None


__getattr__ = renamed_attributes(
    __name__,
    {
        'Picture': 'data.sources.images.ImageSource',
        'open_pictures': 'data.sources.images.open_images',
        'picture_of': 'data.sources.images.image_file',
    },
)

"""Images to predict or explain: files, folders, shell patterns, lists, records, standard input, videos and cameras.

Images are read lazily. A file that cannot be read gives an image source that raises an error when it is decoded.
"""

from __future__ import annotations

import sys
from functools import partial
from itertools import islice
from typing import Callable, Iterable, Iterator, NamedTuple, NoReturn, Optional, Sequence, Tuple, Union

import numpy as np

from gluon_cbam.common.errors import CbamError, DataError, EnvironmentProblem
from gluon_cbam.common.files import open_regular, read_regular
from gluon_cbam.common.limits import MAX_IMAGE_BYTES
from gluon_cbam.compat.renamed import renamed_attributes
from gluon_cbam.data.class_names import names_beside
from gluon_cbam.data.decoding import Decode, decode
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.recordio import RecordFile

from . import video
from .image_files import STANDARD_INPUT, ImageFile, image_files
from .left_out import LeftOut


class _Options(NamedTuple):
    """How files are opened, see :func:`open_files`."""

    every: int
    decoder: Decode
    label_index: Optional[int]


class ImageSource(NamedTuple):
    """An image that is decoded on demand.

    Attributes:
        file: path of the file, for results; ``-`` for standard input.
        number: index of the record or the video's frame, from 0; None for a file of one image.
        decode: returns (H, W, 3) uint8 RGB; thread-safe; raises DataError or OSError.
        labels: what its class may be: the label of a record with one, or the chosen one, and the name of its class; or
            the names of the folders that it is in, up to the one that was named by an argument; empty if nothing is
            known.
    """

    file: str
    number: Optional[int]
    decode: Callable[[], np.ndarray]
    labels: Tuple[Union[int, str], ...] = ()


def open_images(
    arguments: Sequence[str] = (),
    files_from: Optional[str] = None,
    every: int = 1,
    limit: Optional[int] = None,
    decoder: Decode = decode,
    left_out: Optional[LeftOut] = None,
) -> Iterator[ImageSource]:
    """Open the images that some arguments name, in the order of the arguments.

    Args:
        arguments: see :func:`.image_files.image_files`.
        files_from: see :func:`.image_files.image_files`.
        every: use every n-th frame of a video; default 1.
        limit: maximum number of images; by default, no limit.
        decoder: :func:`gluon_cbam.data.decoding.decode`, perhaps with options.
        left_out: see :func:`.image_files.image_files`.

    Returns:
        An iterator over the images; each file is opened when the iterator reaches it.

    Raises:
        UsageError: an argument does not exist or matches no file, or standard input is given twice.
    """
    return open_files(image_files(arguments, files_from, left_out=left_out), every, limit, decoder)


def open_files(
    files: Iterable[ImageFile],
    every: int = 1,
    limit: Optional[int] = None,
    decoder: Decode = decode,
    label_index: Optional[int] = None,
) -> Iterator[ImageSource]:
    """Open the images in some files.

    Args:
        files: see :func:`.image_files.image_files`.
        every: use every n-th frame of a video; default 1.
        limit: maximum number of images; by default, no limit.
        decoder: :func:`gluon_cbam.data.decoding.decode`, perhaps with options.
        label_index: the label of a record that is its class, from 0; default its only one.

    Returns:
        An iterator over the images; each file is opened when the iterator reaches it.
    """
    options = _Options(every, decoder, label_index)
    return islice((image for file in files for image in _open(file, options)), limit)


def _open(file: ImageFile, options: _Options) -> Iterator[ImageSource]:
    if file.fault:
        return iter([_broken(file.path, DataError(file.fault))])
    return next(read for applies, read in _KINDS if applies(file.path))(file, options)


def _standard_input(file: ImageFile, options: _Options) -> Iterator[ImageSource]:
    # in the main thread: another thread that waits for input could not be interrupted
    image = sys.stdin.buffer.read(MAX_IMAGE_BYTES)
    yield ImageSource(file.path, None, lambda: options.decoder(image, file.path))


def _records(file: ImageFile, options: _Options) -> Iterator[ImageSource]:
    try:
        records = RecordFile(file.path, indexed=False, label_index=options.label_index)
        if options.label_index is not None:
            records.check_label_counts()
        names = names_beside(file.path).names or []
    except (CbamError, OSError) as error:
        yield _broken(file.path, error)
        return
    chosen = records.label_index is not None or records.identities is not None
    for number, label in enumerate(records.labels):
        known = label >= 0 and float(label).is_integer() and (chosen or records.label_counts[number] == 1)
        decoded = partial(decode_record, records, number, options.decoder)
        labels: Tuple[Union[int, str], ...] = (int(label), *names[int(label) : int(label) + 1]) if known else ()
        yield ImageSource(file.path, number, decoded, labels)


def _video(file: ImageFile, options: _Options) -> Iterator[ImageSource]:
    try:
        open_regular(file.path).close()
        for number, frame in video.frames(file.path, options.every):
            yield ImageSource(file.path, number, partial(video.to_rgb, frame))
    except (DataError, OSError) as error:
        yield _broken(file.path, error)


def image_file(path: str, decoder: Decode = decode) -> ImageSource:
    """The source of the image in a file.

    Args:
        path: path of the file, which may be missing: the error is raised when the image is decoded.
        decoder: :func:`gluon_cbam.data.decoding.decode`, perhaps with options.

    Returns:
        The source.
    """
    return ImageSource(path, None, lambda: decoder(read_regular(path, MAX_IMAGE_BYTES), path))


def _file(file: ImageFile, options: _Options) -> Iterator[ImageSource]:
    yield image_file(file.path, options.decoder)._replace(labels=file.folders)


def _broken(path: str, error: Exception) -> ImageSource:
    def fail() -> NoReturn:
        raise DataError(str(error))

    return ImageSource(path, None, fail)


# (condition on a path, function that opens its images); the first condition that holds applies
_KINDS: Sequence[Tuple[Callable[[str], bool], Callable[[ImageFile, _Options], Iterator[ImageSource]]]] = (
    (lambda path: path == STANDARD_INPUT, _standard_input),
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

"""Packing images into RecordIO files."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.parallel import ordered_map
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.records.recordio import RecordWriter
from gluon_cbam.data.resizing import resize_short_side
from gluon_cbam.data.sources.file_trees import Location
from gluon_cbam.data.sources.layouts import Part, read_source

from .class_names import check_classes, write_classes

_REPORTED = 10  # bad files that an error names
_Progress = Callable[[Iterable, int, str], Iterable]


@dataclass
class Packed:
    """A ``.rec`` file that was written.

    Attributes:
        path: path of the file.
        records: number of images in it.
        bad: path of an image that was left out -> the reason.
        other: number of ignored files, which do not have the suffix of an image.
    """

    path: Path
    records: int = 0
    bad: Dict[str, str] = field(default_factory=dict)
    other: int = 0


def pack(
    source: PathLike,
    output: PathLike,
    resize: Optional[int] = None,
    quality: int = 95,
    skip_bad: bool = False,
    workers: int = 1,
    root: Optional[PathLike] = None,
    labels: Optional[PathLike] = None,
    classes_file: Optional[PathLike] = None,
    shuffle: bool = False,
    seed: int = 0,
    progress: _Progress = lambda items, total, name: items,
) -> List[Packed]:
    """Pack images into ``.rec``, ``.idx`` and ``classes.txt``.

    Args:
        source: a folder, a tar file (which is read without unpacking it), or a list: see
            :func:`gluon_cbam.data.sources.layouts.read_source`. Class folders give ``train.rec``, images with a label
            file give ``val.rec``, and a list gives a file of the same name.
        output: folder, created if it does not exist.
        resize: length of the shorter side in pixels; the image is encoded as JPEG. By default, the bytes are kept.
        quality: quality of the JPEG, 1..100.
        skip_bad: leave out files that cannot be decoded instead of failing.
        workers: number of processes.
        root: folder or tar file that the paths of a list are relative to; by default, the folder of the list.
        labels: label file of images that are not in class folders.
        classes_file: file with the names of the classes, in the order of the labels.
        shuffle: write the images in an order that depends only on the seed; by default, in the order of the source.
        seed: random seed of the order.
        progress: wraps the images of a file for a progress bar; called with (images, number of images, name).

    Returns:
        An entry for each file that was written.

    Raises:
        UsageError: the source does not exist, holds no images, or does not define what the labels mean.
        DataError: files cannot be decoded, or the source is damaged. Nothing is written under the final names.
    """
    dataset = read_source(source, root, labels, classes_file)
    if shuffle and any(part.tree.sequential for part in dataset.parts):
        raise UsageError(f'{source}: a compressed tar file is read in its order: uncompress it, or leave out --shuffle')
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    check_classes(output, dataset.classes)
    encode = partial(_encode, resize=resize, quality=quality)
    done = []
    for part in dataset.parts:
        order = np.random.RandomState(seed).permutation(len(part)) if shuffle else range(len(part))
        done.append(_pack_part(part, order, output, encode, skip_bad, workers, progress))
    write_classes(output, dataset.classes)
    return done


_Encode = Callable[[Union[Location, bytes]], Tuple[bytes, Optional[str]]]


def _pack_part(
    part: Part,
    order: Union[Sequence[int], np.ndarray],
    output: Path,
    encode: _Encode,
    skip_bad: bool,
    workers: int,
    progress: _Progress,
) -> Packed:
    result = Packed(output / f'{part.name}.rec', other=part.other)
    with RecordWriter(result.path) as writer, ProcessPoolExecutor(workers) as pool:
        contents = part.tree.contents(part.numbers[index] for index in order)
        encoded = ordered_map(pool, encode, contents, prefetch=16 * workers)
        for index, (image, fault) in zip(order, progress(encoded, len(part), part.name)):
            if fault:
                result.bad[part.path(index)] = fault
            elif skip_bad or not result.bad:  # after a failure, the remaining files are only checked
                writer.write(part.labels[index], image)
        if result.bad and not skip_bad:
            named = ', '.join(f'{path} ({fault})' for path, fault in list(result.bad.items())[:_REPORTED])
            more = ' ...' if len(result.bad) > _REPORTED else ''
            raise DataError(
                f'{len(result.bad)} of {len(part)} images cannot be packed: {named}{more}; leave out with --skip-bad'
            )
        result.records = writer.count
    return result


def _encode(content: Union[Location, bytes], resize: Optional[int], quality: int) -> Tuple[bytes, Optional[str]]:
    """The bytes to store for an image; for a bad image, no bytes and the reason."""
    try:
        data = content if isinstance(content, bytes) else content.read()
        pixels = decode(data, 'bad')
    except OSError as error:
        return b'', error.strerror or str(error)
    except DataError as error:
        return b'', str(error).partition(': ')[2]
    if resize is None:
        return data, None
    pixels = cv2.cvtColor(resize_short_side(pixels, resize), cv2.COLOR_RGB2BGR)
    return cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes(), None

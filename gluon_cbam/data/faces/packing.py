"""Packing folders of identities into a set of faces, aligned on the way: ``cbam data faces`` does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

import cv2
import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, refuse_existing
from gluon_cbam.common.parallel import ordered_map, process_pool
from gluon_cbam.data.decoding import decode, format_of
from gluon_cbam.data.preparation.summary import Written
from gluon_cbam.data.sources.file_trees import Readable
from gluon_cbam.data.sources.layouts import read_source
from gluon_cbam.data.sources.parts import Part

from .alignment import align, is_mirrored, reference_points
from .detection import detect, open_detector
from .landmarks import FindLandmarks, landmarks_of
from .record_sets import Progress, set_files, writing_faces

_REPORTED = 10  # bad files that an error names
_NO_LANDMARKS, _NO_FACE = 'no landmarks', 'no face found'


@dataclass
class PackedFaces:
    """A set of faces that was written.

    Attributes:
        path: path of its records.
        pictures: number of pictures.
        without_face: path of a picture without landmarks or without a face, which is left out -> which of the two.
        bad: path of a picture that was left out as it cannot be decoded or aligned -> the reason.
    """

    path: Path
    pictures: int = 0
    without_face: Dict[str, str] = field(default_factory=dict)
    bad: Dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FaceFormat:
    """How pictures become faces. Objects are sent to other processes.

    Attributes:
        width: width of a face, in pixels.
        height: height of a face, in pixels.
        aligned: whether faces are aligned; otherwise pictures are kept as they are, and must have the size.
        detector: the network that finds the landmarks; None where they are given.
        threshold: smallest score of a face that the detector finds, 0..1.
        quality: quality of JPEG, 1..100; None for PNG.
    """

    width: int = 112
    height: int = 112
    aligned: bool = True
    detector: Optional[Path] = None
    threshold: float = 0.6
    quality: Optional[int] = 95

    def __call__(self, task: _Task) -> _Face:
        """Make a face of a picture."""
        try:
            content = task.content if isinstance(task.content, bytes) else task.content.read()
            return self._aligned(content, task.landmarks) if self.aligned else self._as_it_is(content)
        except OSError as error:
            return _Face(b'', error.strerror or str(error))
        except DataError as error:
            return _Face(b'', str(error).partition(': ')[2] or str(error))

    def _as_it_is(self, content: bytes) -> _Face:
        """The bytes of a picture, after a check; in a format that readers of records do not know, as PNG."""
        pixels = decode(content, 'picture')
        height, width = pixels.shape[:2]
        if (width, height) != (self.width, self.height):
            return _Face(b'', f'{width} x {height} pixels instead of {self.width} x {self.height}')
        row = format_of(content)
        return _Face(content if row is not None and row.packed_as_is else _encoded(pixels, None))

    def _aligned(self, content: bytes, landmarks: Optional[np.ndarray]) -> _Face:
        pixels = decode(content, 'picture')
        if self.detector is not None:
            landmarks = detect(pixels, self.detector, self.threshold)
            if landmarks is None:
                return _Face(b'', left_out=_NO_FACE)
        if landmarks is None:
            return _Face(b'', left_out=_NO_LANDMARKS)
        limits = np.array(pixels.shape[1::-1])
        if (landmarks < -limits).any() or (landmarks > 2 * limits).any():
            return _Face(b'', 'landmarks far outside of the picture')
        mirrored = is_mirrored(landmarks, self.width, self.height)
        return _Face(_encoded(align(pixels, landmarks, self.width, self.height), self.quality), mirrored=mirrored)


class _Task(NamedTuple):
    """A picture and its landmarks, if they are given."""

    content: Union[Readable, bytes]
    landmarks: Optional[np.ndarray]


class _Face(NamedTuple):
    """The bytes of a face; or why the picture is bad, or why it is left out. Whether left and right seem exchanged."""

    data: bytes
    fault: Optional[str] = None
    left_out: Optional[str] = None
    mirrored: bool = False


def pack_faces(
    source: PathLike,
    output: PathLike,
    landmarks: Optional[str] = None,
    form: FaceFormat = FaceFormat(),
    skip_bad: bool = False,
    workers: int = 1,
    progress: Progress = lambda items, total, name: items,
    overwrite: bool = False,
) -> Written[PackedFaces]:
    """Pack identity folders in insightface's format: ``train.rec``, ``train.idx``, ``property``, ``classes.txt``.

    Args:
        source: a folder or tar file with a folder of pictures for each identity, or with folders of such for the
            splits; see :func:`gluon_cbam.data.sources.layouts.read_source`.
        output: folder of the set, created if it does not exist. A split NAME other than train is written to
            ``NAME/NAME.rec`` in it.
        landmarks: where the landmarks come from, see :func:`.landmarks.landmarks_of`; None with a detector, or for
            pictures that are not aligned.
        form: how pictures become faces.
        skip_bad: leave out pictures that cannot be decoded or aligned instead of failing.
        workers: number of processes.
        progress: wraps the pictures for a progress bar; called with (items, number of items, name).
        overwrite: whether the files may exist.

    Returns:
        An entry for each set that was written.

    Raises:
        UsageError: the source has no identity folders; not exactly one source of landmarks is given; a file exists.
        DataError: pictures cannot be decoded or aligned, no picture is left, or left and right are exchanged.
    """
    _check(landmarks, form)
    dataset = read_source(source, output=output)
    if not dataset.classes:
        raise UsageError(f'{source} has no folders of identities ({dataset.layout})')
    find = landmarks_of(landmarks, dataset.parts[0].tree.path) if landmarks is not None else None
    paths = [Path(output) / ('' if part.name == 'train' else part.name) / f'{part.name}.rec' for part in dataset.parts]
    refuse_existing([file for path in paths for file in set_files(path)], overwrite)
    done: Written[PackedFaces] = Written(dataset.layout, dataset.left_out)
    for part, path in zip(dataset.parts, paths):
        labels = np.array([row[0] for row in part.labels], np.int64)
        with writing_faces(
            path, (form.height, form.width), len(dataset.classes), dataset.classes, overwrite=overwrite
        ) as writer:
            packed, seen = PackedFaces(path), set()
            for number, face in _faces(part, labels, find, form, workers, progress, packed, skip_bad):
                writer.write(int(labels[number]), face)
                seen.add(float(labels[number]))
            packed.pictures = writer.pictures
        done.append(packed)
        done.note_classes(path, seen, dataset.classes)
    return done


def _check(landmarks: Optional[str], form: FaceFormat) -> None:
    """Check that it is known where the landmarks come from."""
    given = (landmarks is not None) + (form.detector is not None)
    if given != form.aligned:
        raise UsageError(
            'faces are aligned by their landmarks: give either --landmarks or --detector, or --no-align for pictures '
            'that are aligned already'
        )
    if form.aligned:
        reference_points(form.width, form.height)
    if form.detector is not None:
        open_detector(form.detector, form.threshold)


def _faces(
    part: Part,
    labels: np.ndarray,
    find: Optional[FindLandmarks],
    form: FaceFormat,
    workers: int,
    progress: Progress,
    packed: PackedFaces,
    skip_bad: bool,
) -> Iterator[Tuple[int, bytes]]:
    """Number and bytes of each face of a part, by identity; notes what is left out."""
    order = np.argsort(labels, kind='stable').tolist()
    if part.tree.sequential and order != list(range(len(order))):
        raise UsageError(f'{part.tree.path}: a compressed tar file is read in its order: uncompress it')
    mirrored = written = 0
    with process_pool(workers) as pool:
        made = ordered_map(pool, form, _tasks(part, order, find), prefetch=16 * workers)
        for number, face in zip(order, progress(made, len(order), packed.path.stem)):
            if face.left_out:
                packed.without_face[part.path(number)] = face.left_out
            elif face.fault:
                packed.bad[part.path(number)] = face.fault
            elif skip_bad or not packed.bad:  # after a failure, the remaining pictures are only checked
                mirrored += face.mirrored
                written += 1
                yield number, face.data
    _check_result(part, packed, skip_bad, written, mirrored)


def _check_result(part: Part, packed: PackedFaces, skip_bad: bool, written: int, mirrored: int) -> None:
    """Refuse a set of which too little is left."""
    if packed.bad and not skip_bad:
        named = ', '.join(f'{bad} ({fault})' for bad, fault in list(packed.bad.items())[:_REPORTED])
        more = ' ...' if len(packed.bad) > _REPORTED else ''
        raise DataError(
            f'{len(packed.bad)} of {len(part)} pictures cannot be packed: {named}{more}; leave out with --skip-bad'
        )
    if not written:
        reason = f', the first: {next(iter(packed.without_face.values()))}' if packed.without_face else ''
        raise DataError(f'{part.tree.path}: none of {len(part)} pictures is left{reason}')
    if 2 * mirrored > written:
        raise DataError(
            f'left and right of the landmarks seem exchanged in {mirrored} of {written} pictures: the eye and the '
            "corner of the mouth on the left of the picture come first, the person's right ones"
        )


def _tasks(part: Part, order: List[int], find: Optional[FindLandmarks]) -> Iterator[_Task]:
    contents = part.tree.contents(part.numbers[number] for number in order)
    for number, content in zip(order, contents):
        yield _Task(content, find(part.image(number)) if find else None)


def _encoded(pixels: np.ndarray, quality: Optional[int]) -> bytes:
    """RGB pixels as JPEG, or as PNG without a quality."""
    ending, options = ('.png', []) if quality is None else ('.jpg', [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imencode(ending, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1].tobytes()

"""Predictions for images, in the order of the images, yielded as soon as they are computed."""

from __future__ import annotations

from collections import deque
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Callable, Deque, Generator, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from gluon_cbam.common.errors import CbamError, DataError, UsageError
from gluon_cbam.common.parallel import ordered_map
from gluon_cbam.compat.renamed import renamed_attributes
from gluon_cbam.data.decoding import image_threads
from gluon_cbam.data.loading.pixels import check_pixels
from gluon_cbam.data.sources.images import ImageSource
from gluon_cbam.tasks.prediction import ImageReference, Prediction, Predictor

from .session import Session

Outputs = Callable[[], Sequence[np.ndarray]]
See = Callable[[Prediction, np.ndarray], None]


def predict(
    session: Session,
    pictures: Iterable[Union[ImageSource, np.ndarray]],
    top: Optional[int] = None,
    batch_size: int = 32,
    workers: int = 1,
    names: Optional[Sequence[str]] = None,
    live: bool = False,
    predictor: Optional[Predictor] = None,
    see: Optional[See] = None,
) -> Iterator[Prediction]:
    """The predictions for images, in the order of the images.

    Images are decoded ahead by threads, and results are fetched one batch behind the devices, so that these never wait.
    Memory holds a few batches, however many images there are. An image that cannot be read is in the results with its
    error.

    Args:
        session: a network with weights, or an exported file.
        pictures: see :func:`gluon_cbam.data.sources.images.open_images`; read as they are needed. Or decoded images,
            (H, W, 3) uint8 RGB, which the predictions name ``image 0`` and so on.
        top: the largest number of entries per image, for classification of classes; default the task's.
        batch_size: images per device and batch.
        workers: threads that decode.
        names: the names of the outputs; default the session's.
        live: give the result of each image before the next one is taken, for cameras.
        predictor: makes the predictions; default the predictor of the session's task, with ``top`` and ``names``.
        see: is called with each prediction and the pixels of its image before the prediction is given, for drawings.
            Without it, the pixels of an image are freed as soon as it is prepared.

    Yields:
        The task's predictions.

    Raises:
        DataError: an output is not finite.
        UsageError: a picture is neither of the two; see :func:`gluon_cbam.data.loading.pixels.check_pixels`.

    Example:
        >>> ctx = [mx.cpu()]
        >>> session = on_devices(load_network('cbamnet_tiny', ctx, pretrained=True), ctx)
        >>> for prediction in predict(session, open_images(['photos/'])):
        ...     print(prediction.name, prediction.error or prediction.text())
    """
    predictor = predictor or session.task.predictor(session, top or session.task.top, names)
    size, ahead = batch_size * session.devices, 2 * batch_size * session.devices + workers
    if see is not None:
        ahead = workers
    if live:
        size, ahead = 1, 0
    running: Deque[Tuple[List[_Image], Outputs]] = deque()
    with closing(_decoded(_sources(pictures), session.prepare, workers, ahead, see is not None)) as images:
        for batch in _batches(images, size, session.devices):
            outputs = session.start(batch.rows) if len(batch.rows) else list
            running.append((batch.images, outputs))
            if live or len(running) > 1:
                yield from _predicted(*running.popleft(), predictor, see)
        while running:
            yield from _predicted(*running.popleft(), predictor, see)


class _Image(NamedTuple):
    """An image, and its row of a batch if it could be read, or the error; and its pixels where they are asked for."""

    image: ImageReference
    row: Optional[np.ndarray]
    error: str = ''
    pixels: Optional[np.ndarray] = None


class _Batch(NamedTuple):
    """Images in their order, and the rows of those that could be read, padded with rows of zeros."""

    images: List[_Image]
    rows: np.ndarray


def _sources(pictures: Iterable[Union[ImageSource, np.ndarray]]) -> Iterator[ImageSource]:
    """The sources of images, and of decoded images under names of their own."""
    for number, picture in enumerate(pictures):
        if isinstance(picture, ImageSource):
            yield picture
        else:
            check_pixels(picture)
            yield ImageSource(f'image {number}', None, partial(np.asarray, picture))


def _decoded(
    pictures: Iterable[ImageSource],
    prepare: Callable[[np.ndarray], np.ndarray],
    workers: int,
    ahead: int,
    keep_pixels: bool,
) -> Generator[_Image, None, None]:
    """Yield the images, decoded by threads up to ``ahead`` images in advance; without threads for 0."""

    def load(picture: ImageSource) -> _Image:
        image = ImageReference(picture.file, picture.number)
        try:
            pixels = picture.decode()
            image = image._replace(size=(pixels.shape[0], pixels.shape[1]))
            return _Image(image, prepare(pixels), pixels=pixels if keep_pixels else None)
        except UsageError:  # not of the image, but of the caller
            raise
        except (CbamError, OSError, cv2.error) as error:
            return _Image(image, None, _reason(error, picture.file))

    if not ahead:
        yield from map(load, pictures)
        return
    with image_threads(workers) as pool, closing(ordered_map(pool, load, pictures, ahead)) as images:
        yield from images


def _reason(error: Exception, file: str) -> str:
    """The reason of an error, without the name of the file."""
    reason = getattr(error, 'strerror', None) or getattr(error, 'err', None) or str(error)
    return reason[len(file) + 2 :] if reason.startswith(f'{file}: ') else reason


def _batches(images: Iterator[_Image], size: int, devices: int) -> Iterator[_Batch]:
    """Yield batches of one size, so that the network is compiled once; smaller only if there is less than one batch."""
    full = False
    while True:
        chunk = list(islice(images, size))
        if not chunk:
            return
        full = full or len(chunk) == size
        read = [image.row for image in chunk if image.row is not None]
        if not read:
            yield _Batch(chunk, np.empty(0))
            continue
        parts = -(-(size if full else len(read)) // devices)
        rows = np.zeros((parts * devices, *read[0].shape), read[0].dtype)
        rows[: len(read)] = read
        yield _Batch(chunk, rows)


def _predicted(
    images: List[_Image], wait: Outputs, predictor: Predictor, see: Optional[See] = None
) -> Iterator[Prediction]:
    """The predictions of a batch."""
    rows = zip(*(output.astype(np.float64) for output in wait()))
    for image, row, error, pixels in images:
        if row is None:
            yield predictor.unreadable(image, error)
            continue
        outputs = next(rows)
        if not all(np.isfinite(output).all() for output in outputs):
            raise DataError(f'the output for {image.name} is not finite: the weights or the preprocessing are wrong')
        prediction = predictor(image, outputs)
        if see is not None and pixels is not None:
            see(prediction, pixels)
        yield prediction


__getattr__ = renamed_attributes(
    __name__,
    {
        'Guess': 'tasks.classification.prediction.ClassScore',
        'class_names': 'tasks.classification.prediction.class_names',
    },
)

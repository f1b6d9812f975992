"""The classes of images."""

from __future__ import annotations

from collections import deque
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Union

import cv2
import numpy as np

from gluon_cbam.common.errors import CbamError, DataError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.parallel import ordered_map
from gluon_cbam.data.datasets.imagenet import imagenet_classes
from gluon_cbam.data.decoding import image_threads
from gluon_cbam.data.sources.images import ImageSource
from gluon_cbam.data.sources.labels import read_names

from .classifier import Classifier
from .network import LoadedNetwork


class Guess(NamedTuple):
    """One class of an image.

    Attributes:
        index: of the class.
        label: its name, or the index as text.
        probability: softmax of the logits.
    """

    index: int
    label: str
    probability: float

    def as_dict(self) -> Dict[str, Any]:
        """As ``--json`` has it."""
        return {'class': self.index, 'label': self.label, 'probability': self.probability}


class Prediction(NamedTuple):
    """What a network says about an image.

    Attributes:
        file: see :class:`gluon_cbam.data.sources.images.ImageSource`.
        number: likewise.
        top: the most probable classes, best first; empty for an image that could not be read.
        error: why it could not be read, or None.
    """

    file: str
    number: Optional[int]
    top: Sequence[Guess] = ()
    error: Optional[str] = None

    @property
    def name(self) -> str:
        """For people: the file, with the number behind ``#`` if it has one."""
        return self.file if self.number is None else f'{self.file}#{self.number}'


def predict(
    classifier: Classifier,
    pictures: Iterable[ImageSource],
    top: int = 5,
    batch_size: int = 32,
    workers: int = 1,
    names: Optional[Sequence[str]] = None,
    live: bool = False,
) -> Iterator[Prediction]:
    """The ``top`` classes of every image, in the order of the images, as soon as they are known.

    Images are decoded ahead by threads, and results are fetched one batch behind the devices, so that these never wait.
    Memory holds a few batches, however many images there are. An image that cannot be read is in the results with its
    error.

    Args:
        classifier: a network with weights, or an exported file.
        pictures: as of :func:`.data.images.open_images`; read as they are needed.
        top: how many classes; all where there are fewer.
        batch_size: images a device at a time.
        workers: threads that decode.
        names: of the classes; default as of :func:`class_names`.
        live: give the result of each image before the next one is taken, for cameras.

    Raises:
        DataError: an output is not finite.

    Example:
        >>> ctx = [mx.cpu()]
        >>> classifier = on_devices(load_network('cbamnet_tiny', ctx, pretrained=True), ctx)
        >>> for prediction in predict(classifier, open_images(['photos/'])):
        ...     print(prediction.name, prediction.top[0].label if prediction.top else prediction.error)
    """
    names = names or class_names(classifier)
    size, ahead = batch_size * classifier.devices, 2 * batch_size * classifier.devices + workers
    if live:
        size, ahead = 1, 0
    running = deque()
    with closing(_decoded(pictures, classifier.prepare, workers, ahead)) as images:
        for batch in _batches(images, size, classifier.devices):
            logits = classifier.start(batch.rows) if len(batch.rows) else partial(np.empty, 0)
            running.append((batch.images, logits))
            if live or len(running) > 1:
                yield from _named(*running.popleft(), names, top)
        while running:
            yield from _named(*running.popleft(), names, top)


def class_names(classifier: Union[Classifier, LoadedNetwork], labels: Optional[PathLike] = None) -> List[str]:
    """The names of the classes: of the weights, else ImageNet's for 1000 classes, else the numbers.

    Args:
        classifier: or a loaded network.
        labels: a text file that says otherwise, a name a line.

    Raises:
        UsageError: there is no such file.
        DataError: it names more or fewer classes.
    """
    if labels is not None:
        names = read_names(Path(labels))
        if len(names) != classifier.classes:
            raise DataError(f'{labels} names {len(names)} classes, {classifier.name} has {classifier.classes}')
        return names
    if classifier.class_names and len(classifier.class_names) == classifier.classes:
        return list(classifier.class_names)
    if classifier.classes == 1000:
        return imagenet_classes()
    return [str(index) for index in range(classifier.classes)]


class _Image(NamedTuple):
    """An image that was decoded: what is known about it, and its row of a batch unless it could not be read."""

    known: Prediction
    row: Optional[np.ndarray]


class _Batch(NamedTuple):
    """Images in their order, and the rows of those that could be read, with rows of zeros behind."""

    images: List[_Image]
    rows: np.ndarray


def _decoded(pictures: Iterable[ImageSource], prepare: Callable, workers: int, ahead: int) -> Iterator[_Image]:
    """The images, decoded by threads up to ``ahead`` of the one that is asked for; without threads for 0."""

    def load(picture: ImageSource) -> _Image:
        known = Prediction(picture.file, picture.number)
        try:
            return _Image(known, prepare(picture.decode()))
        except (CbamError, OSError, cv2.error) as error:
            return _Image(known._replace(error=_reason(error, picture.file)), None)

    if not ahead:
        yield from map(load, pictures)
        return
    with image_threads(workers) as pool, closing(ordered_map(pool, load, pictures, ahead)) as images:
        yield from images


def _reason(error: Exception, file: str) -> str:
    """What was wrong with a file, without its name."""
    reason = getattr(error, 'strerror', None) or getattr(error, 'err', None) or str(error)
    return reason[len(file) + 2 :] if reason.startswith(f'{file}: ') else reason


def _batches(images: Iterator[_Image], size: int, devices: int) -> Iterator[_Batch]:
    """Batches of one size, so that the network is compiled once; fewer images than one batch make a smaller one."""
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


def _named(images: List[_Image], logits: Callable[[], np.ndarray], names: Sequence[str], top: int):
    """The predictions of a batch."""
    rows = iter(logits().astype(np.float64))
    for image in images:
        if image.row is None:
            yield image.known
            continue
        row = next(rows)
        if not np.isfinite(row).all():
            raise DataError(
                f'the output for {image.known.name} is not finite: the weights or the preprocessing are wrong'
            )
        probabilities = np.exp(row - row.max())
        probabilities /= probabilities.sum()
        best = np.argsort(-row, kind='stable')[:top]
        yield image.known._replace(top=[Guess(int(i), names[i], float(probabilities[i])) for i in best])

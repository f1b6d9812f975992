"""Encoders: networks that turn images into embeddings, on devices or in an exported file, with the flip test."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Deque,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    NoReturn,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.image_size import ImageSize, height_width
from gluon_cbam.data.sources.images import ImageSource
from gluon_cbam.inference.prediction import predict
from gluon_cbam.inference.session import Session
from gluon_cbam.models.registry import gives_embeddings
from gluon_cbam.tasks.evaluation import on_contexts
from gluon_cbam.tasks.faces.prediction import EmbeddingPrediction, EmbeddingPredictor
from gluon_cbam.tasks.prediction import ImageReference
from gluon_cbam.tasks.protocols import Start

if TYPE_CHECKING:
    import mxnet as mx

    from gluon_cbam.export.runtime import ExportedNetwork
    from gluon_cbam.inference.network import LoadedNetwork

TASK = 'faces'


class Encoded(NamedTuple):
    """An image and its embedding.

    Attributes:
        image: the image.
        labels: what is known of the person, see :class:`gluon_cbam.data.sources.images.ImageSource`.
        embedding: (D,) float64, not normalized; with the flip test the sum for the image and its mirror image. None
            where the image could not be read.
        norm: the norm of the embedding, with the flip test the mean of those for the image and its mirror image.
        error: why the image could not be read, or None.
    """

    image: ImageReference
    labels: Sequence[Any]
    embedding: Optional[np.ndarray]
    norm: float
    error: Optional[str]

    @property
    def label(self) -> str:
        """The person: the label of a record or its name, or the folder of a file; empty where nothing is known."""
        return str(self.labels[-1]) if self.labels else ''

    def resized_from(self, image_size: ImageSize) -> List[Tuple[Any, ...]]:
        """Name, height and width of an image of another size than the network's input."""
        size = self.image.size
        return [] if size in (None, height_width(image_size)) else [(self.image.name, *size)]


@dataclass(frozen=True)
class Encoder:
    """A network with weights that gives embeddings.

    Attributes:
        session: runs the network; with the flip test, its outputs are the sum of the embeddings of the images and of
            the mirror images, and the mean of their norms.
        flip: whether the flip test is applied.
        params_sha256: the SHA-256 of the parameter file, also of exported weights; None for random weights.
        exported_sha256: the SHA-256 of the exported file; None for a network on devices.
        batch_size: images per device and batch.
        workers: threads that decode.
    """

    session: Session
    flip: bool
    params_sha256: Optional[str]
    exported_sha256: Optional[str]
    batch_size: int
    workers: int

    @property
    def origin(self) -> Dict[str, Any]:
        """What embeddings that are compared must have in common, as values for JSON."""
        preprocessing = self.session.preprocessing.as_dict()
        return {
            'network': self.session.name,
            'params_sha256': self.params_sha256,
            'preprocessing': preprocessing,
            'flip': self.flip,
        }

    def encode(self, images: Iterable[ImageSource]) -> Iterator[Encoded]:
        """The embeddings of images, in their order, in bounded memory.

        An image's embedding does not depend on the number of images: batches are always of one size.

        Args:
            images: read as they are needed.

        Yields:
            An entry for each image, also for those that cannot be read.

        Raises:
            DataError: an embedding is not finite; the message names the image.
        """
        labels: Deque[Sequence[Any]] = deque()

        def noted() -> Iterator[ImageSource]:
            for image in images:
                labels.append(image.labels)
                yield image

        found = predict(
            self.session, noted(), batch_size=self.batch_size, workers=self.workers, predictor=EmbeddingPredictor()
        )
        for each in found:
            assert isinstance(each, EmbeddingPrediction)
            yield Encoded(each.image, labels.popleft(), each.embedding, each.norm, each.error)


def encoder_on_devices(
    network: LoadedNetwork, ctx: List[mx.Context], flip: bool = True, batch_size: int = 32, workers: int = 1
) -> Encoder:
    """Make an encoder of a network on some of its contexts.

    Args:
        network: a network with weights whose outputs are embeddings; it need not be of the task ``faces``.
        ctx: the contexts.
        flip: whether the embedding of the mirror image is added.
        batch_size: images per context and batch.
        workers: threads that decode.

    Returns:
        The encoder.

    Raises:
        UsageError: the outputs of the network are not embeddings.

    Example:
        >>> ctx = [mx.cpu()]
        >>> network = load_network('modified_cbamnet50', ctx, params='face.params')
        >>> encoder = encoder_on_devices(network, ctx)
        >>> [each.embedding.shape for each in encoder.encode(open_images(['alice.jpg']))]
        [(512,)]
    """
    outputs = getattr(network.net, 'outputs', None)
    if outputs is None:
        _refuse(network.name, network.classes)
    session = Session(
        network.name, outputs, None, len(ctx), network.preprocessing.normalize, on_contexts(network.net, ctx),
        network.task, network.preprocessing,
    )  # fmt: skip
    return _encoder(session, flip, network.params_sha256, None, batch_size, workers)


def encoder_of_export(network: ExportedNetwork, flip: bool = True, batch_size: int = 32, workers: int = 1) -> Encoder:
    """Make an encoder of an exported file, which needs no mxnet; see :func:`encoder_on_devices`.

    Raises:
        UsageError: the outputs of the network are not embeddings.
    """
    from gluon_cbam.common.files import sha256
    from gluon_cbam.export.runtime.session import exported_session

    # files of former versions do not say what their outputs are
    if not (network.embeddings or network.task.name == TASK or gives_embeddings(network.name, {})):
        _refuse(network.name, network.classes)
    session = exported_session(network, embeddings=True)
    return _encoder(session, flip, network.params_sha256, sha256(network.path), batch_size, workers)


def _refuse(name: str, classes: int) -> NoReturn:
    raise UsageError(
        f'{name} gives logits of {classes} classes, no embeddings: use a network with an embedding, such as '
        'modified_cbamnet50 or one with --option embedding=512'
    )


def _encoder(
    session: Session,
    flip: bool,
    params_sha256: Optional[str],
    exported_sha256: Optional[str],
    batch_size: int,
    workers: int,
) -> Encoder:
    start = _padded(_flipped(session.start) if flip else session.start, batch_size * session.devices)
    return Encoder(replace(session, start=start), flip, params_sha256, exported_sha256, batch_size, workers)


def _padded(start: Start, size: int) -> Start:
    """Run batches of one size, so that the rounding of an embedding does not depend on how many images there are."""

    def padded(images: np.ndarray) -> Callable[[], Sequence[np.ndarray]]:
        rows = np.zeros((max(size, len(images)), *images.shape[1:]), images.dtype)
        rows[: len(images)] = images
        return start(rows)

    return padded


def _flipped(start: Start) -> Start:
    """Run each batch also with the images mirrored, and add the outputs."""

    def flipped(images: np.ndarray) -> Callable[[], Sequence[np.ndarray]]:
        width = 2 if images.dtype == np.uint8 else 3  # the axis: (N, H, W, 3) pixels or (N, 3, H, W) floats
        waits = [start(images), start(np.ascontiguousarray(np.flip(images, width)))]

        def wait() -> Sequence[np.ndarray]:
            first, mirrored = (outputs()[0].astype(np.float64) for outputs in waits)
            norms = (np.linalg.norm(first, axis=1) + np.linalg.norm(mirrored, axis=1)) / 2
            return [first + mirrored, norms[:, None]]

        return wait

    return flipped

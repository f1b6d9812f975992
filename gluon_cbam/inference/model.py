"""``gluon_cbam.load``: a network with its weights, classes and preprocessing, ready to predict."""

from __future__ import annotations

import os
from itertools import chain
from typing import Any, Iterable, Iterator, List, Optional, Union

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.image_size import ImageSize, shown_image_size
from gluon_cbam.compat.threads import usable_cpus
from gluon_cbam.data.loading.pixels import check_pixels
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.sources.images import ImageSource, open_images
from gluon_cbam.tasks import Task
from gluon_cbam.tasks.prediction import Prediction
from gluon_cbam.weights.assignment import Contexts

from .network import LoadedNetwork, load_network
from .prediction import predict
from .session import on_devices

_ARRAY = 'array'  # the file of a prediction for an image in memory
_EXPORTED = ('.onnx', '-symbol.json')

Pictures = Union[PathLike, np.ndarray, mx.nd.NDArray, Iterable[Any]]
"""What :meth:`LoadedModel.predict` takes: a path or an image, or any number of them."""


class LoadedModel:
    """A network with weights, and what is needed to use it.

    Attributes:
        net: the network, hybridized, on its contexts: (N, 3, H, W) float32 -> outputs, one row for each image.
        name: the name of the model.
        classes: number of outputs.
        class_names: the names of the classes, in the order of the outputs, or None.
        preprocessing: the preprocessing of images that the weights expect; its ``shape`` is (H, W).
        params_sha256: the SHA-256 of the parameter file.
        task: the task that the network was trained for.
        ctx: the contexts.

    Args:
        network: a network with weights.
        ctx: its contexts.
    """

    def __init__(self, network: LoadedNetwork, ctx: List[mx.Context]) -> None:
        self.net: mx.gluon.HybridBlock = network.net
        self.name: str = network.name
        self.classes: int = network.classes
        self.class_names: Optional[List[str]] = network.class_names
        self.preprocessing: Preprocessing = network.preprocessing
        self.params_sha256: Optional[str] = network.params_sha256
        self.task: Task = network.task
        self.ctx = ctx
        self._session = on_devices(network, ctx)

    def __repr__(self) -> str:
        size = shown_image_size(self.preprocessing.image_size)
        return f'LoadedModel({self.name}, {self.classes} classes, images of {size} pixels)'

    def preprocess(self, pictures: Pictures) -> mx.nd.NDArray:
        """Prepare images for :attr:`net`.

        Args:
            pictures: see :meth:`predict`.

        Returns:
            (N, 3, S, S) float32 on the first context.

        Raises:
            UsageError: there are no images, or an argument is none.
            DataError: an image cannot be read.
        """
        rows = [self.preprocessing(source.decode()) for source in _sources(pictures)]
        if not rows:
            raise UsageError('there are no images to prepare')
        return mx.nd.array(np.stack(rows), ctx=self.ctx[0])

    def predict(
        self, pictures: Pictures, top: Optional[int] = None, batch_size: int = 32, workers: Optional[int] = None
    ) -> List[Prediction]:
        """Predict what is on images, as ``cbam predict`` does.

        Args:
            pictures: paths of images, folders, ``.rec`` files and videos, and shell patterns; images in memory,
                (H, W, 3) uint8 RGB, (N, H, W, 3), or of Pillow; or any number of these.
            top: the largest number of classes or boxes for an image; default 5 classes, 100 boxes.
            batch_size: images per device and batch.
            workers: threads that decode; default the CPUs that this process may use.

        Returns:
            The predictions in the order of the images, for classification
            :class:`gluon_cbam.tasks.classification.prediction.ClassPrediction`, for detection
            :class:`gluon_cbam.tasks.detection.prediction.BoxPrediction`. One whose file cannot be read has
            ``error``. :func:`.prediction.predict` gives them one by one.

        Raises:
            UsageError: a path does not exist, or an image in memory is not as stated.
            DataError: an output is not finite.
        """
        return list(predict(self._session, _sources(pictures), top, batch_size, workers or usable_cpus()))


def load(
    weights: PathLike,
    ctx: Optional[Contexts] = None,
    network: Optional[str] = None,
    classes: Optional[int] = None,
    image_size: Optional[ImageSize] = None,
    root: Optional[PathLike] = None,
    **options: Any,
) -> LoadedModel:
    """Load a network with its weights, classes and preprocessing.

    Args:
        weights: a run folder, a parameter file, the tag of published weights, or the name of a network for its default
            weights.
        ctx: one context or a list; default the CPU.
        network: the name of the network; default the one on the card of the weights.
        classes: number of outputs; default the card's.
        image_size: the side of square inputs in pixels, or height and width; default the card's.
        root: folder of the store of published weights; default see :func:`gluon_cbam.zoo.location.root_of`.
        **options: options of the network; default the card's.

    Returns:
        The network, ready to predict.

    Raises:
        UsageError: there are no such weights, or nothing says which network they are of.
        DataError: the weights are damaged, or of another network.
        TransferError: published weights could not be downloaded.

    Example:
        >>> model = gluon_cbam.load('cbamnet_tiny.digits')
        >>> for prediction in model.predict(['three.png', 'scans/'], top=3):
        ...     print(prediction.name, prediction.text())
    """
    text = os.fspath(weights)
    if text.endswith(_EXPORTED):
        raise UsageError(f'{text} is an exported file: gluon_cbam.export.runtime.load_exported loads it')
    contexts = [ctx] if isinstance(ctx, mx.Context) else list(ctx or [mx.cpu()])
    loaded = load_network(
        network, contexts, None, text, classes, image_size, options=options, root=root
    )  # fmt: skip
    return LoadedModel(loaded, contexts)


def _sources(pictures: Pictures) -> Iterator[ImageSource]:
    """The images of an argument, paths and images in memory in any mixture."""
    if isinstance(pictures, (str, os.PathLike)):
        return open_images([os.fspath(pictures)])
    if isinstance(pictures, mx.nd.NDArray):
        pictures = pictures.asnumpy()
    elif hasattr(pictures, 'convert'):  # an image of Pillow
        pictures = np.asarray(pictures.convert('RGB'))
    if isinstance(pictures, np.ndarray):
        images = pictures if pictures.ndim == 4 else pictures[None]
        for image in images:
            check_pixels(image)
        return iter([_in_memory(image) for image in images])
    try:
        each = [_sources(picture) for picture in pictures]
    except TypeError:
        raise UsageError(
            f'images are paths or (H, W, 3) uint8 arrays, or any number of them, got {type(pictures).__name__}'
        ) from None
    return chain.from_iterable(each)


def _in_memory(pixels: np.ndarray) -> ImageSource:
    return ImageSource(_ARRAY, None, lambda: pixels)

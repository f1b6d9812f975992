"""Types of the values that a task takes: settings, data, the network, the process group, a progress bar."""

from __future__ import annotations

from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Generator,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Sized,
)

if TYPE_CHECKING:
    import mxnet as mx
    import numpy as np

    from gluon_cbam.data.loading.bad_records import BadRecords
    from gluon_cbam.data.loading.preprocessing import Preprocessing
    from gluon_cbam.data.loading.views import View

Settings = Mapping[str, Any]
"""The settings of a training run by name, with every default filled in; see
:class:`gluon_cbam.training.config.train_config.TrainConfig`."""
Progress = Callable[[Iterable, int], Iterable]
"""Wraps an iterable of batches, given their number, to show the progress."""


def no_progress(batches: Iterable, total: int) -> Iterable:
    """The :data:`Progress` that shows nothing."""
    return batches


class ProcessGroup(Protocol):
    """The processes that train or evaluate together."""

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""

    @property
    def size(self) -> int:
        """How many processes there are."""

    def sum(self, values: np.ndarray) -> np.ndarray:
        """The sum of a float64 array over all processes: exact, and bitwise the same in all of them."""

    def gather(self, values: np.ndarray) -> List[np.ndarray]:
        """The arrays of all processes in the order of their ranks: (n, ...) float64, where ``n`` may differ; exact."""

    def add(self, name: str, array: mx.nd.NDArray) -> mx.nd.NDArray:
        """Queue the sum of a float32 array over all processes, which call this in the same order; nobody waits."""


class Dataset(Sized, Protocol):
    """Opened, checked data: ``len`` is the number of examples."""

    @property
    def path(self) -> Path:
        """The path of the file, for messages, tags and hashes."""


class Taught(NamedTuple):
    """The teacher that the settings of a run name.

    Attributes:
        weights: a run folder, a parameter file, the tag of published weights, or an exported file.
        network: the name of its network; None for the one that the weights name.
    """

    weights: str
    network: Optional[str] = None


class Teacher(Protocol):
    """A network that is not trained, whose outputs a loss learns."""

    def __call__(self, images: mx.nd.NDArray) -> mx.nd.NDArray:
        """Its outputs for images on a device, (N, ...) on that device, computed as in inference, without gradients.

        Args:
            images: (N, 3, H, W), as the student gets them.
        """


class TrainingBatches(Sized, Protocol):
    """The training batches of a run; ``len`` is the number of batches in an epoch.

    :class:`gluon_cbam.data.loading.training.TrainingData` is one.
    """

    @property
    def records(self) -> Dataset:
        """The dataset."""

    @property
    def batch_size(self) -> int:
        """Examples per batch, over all devices and processes."""

    @property
    def bad(self) -> BadRecords:
        """The counter of skipped examples."""

    def numbers(self, epoch: int, step: int) -> List[int]:
        """The examples of a batch over all processes, for messages.

        Args:
            epoch: the number of the epoch, from 0.
            step: the number of the batch in the epoch, from 0.
        """

    def epoch(self, number: int, skip: int = 0) -> Generator[Sequence[mx.nd.NDArray], None, None]:
        """The batches of this process in an epoch, which depend on the seed and the number of the epoch only.

        Args:
            number: the number of the epoch, from 0.
            skip: batches to leave out at the beginning, to continue inside an epoch.

        Yields:
            Named tuples of arrays on the CPU, each with one row per example, so that they can be split over the
            devices.
        """


class Prepare(Protocol):
    """Prepares images; a :class:`~gluon_cbam.data.loading.preprocessing.Preprocessing` does."""

    def __call__(self, pixels: np.ndarray, /) -> np.ndarray:
        """A row of a batch from an image, (H, W, 3) uint8 RGB."""

    def several(self, pixels: np.ndarray, views: Sequence[View]) -> np.ndarray:
        """Rows of a batch from views of an image, (views, ...)."""

    def to_image(self, points: np.ndarray, height: int, width: int) -> np.ndarray:
        """See :meth:`gluon_cbam.data.loading.preprocessing.Preprocessing.to_image`."""


class Start(Protocol):
    """Starts the network on a batch, and returns a function that waits for its outputs."""

    def __call__(self, images: np.ndarray) -> Callable[[], Sequence[np.ndarray]]:
        """Start a batch of prepared images, (N, ...); each output has N or more rows, one per image."""


class Model(Protocol):
    """A model that makes predictions.

    :class:`gluon_cbam.inference.session.Session` and :class:`gluon_cbam.inference.network.LoadedNetwork` are two.
    """

    @property
    def name(self) -> str:
        """The name of the network."""

    @property
    def classes(self) -> int:
        """Number of outputs of the last layer."""

    @property
    def class_names(self) -> Optional[List[str]]:
        """The names of the classes, in the order of the outputs, or None."""

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of images, which maps positions in the network's input to positions in the image."""

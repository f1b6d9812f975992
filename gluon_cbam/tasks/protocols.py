"""What the rest of the package gives to a task: settings, data, the network, the other processes, a progress bar."""

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
    Optional,
    Protocol,
    Sequence,
    Sized,
)

if TYPE_CHECKING:
    import mxnet as mx
    import numpy as np

    from gluon_cbam.data.loading.training import BadRecords

Settings = Mapping[str, Any]
"""The settings of a training run by name, with every default filled in; see
:class:`gluon_cbam.training.config.train_config.TrainConfig`."""
Progress = Callable[[Iterable, int], Iterable]
"""Wraps an iterable of so many batches, to show how far it is."""


def no_progress(batches: Iterable, total: int) -> Iterable:
    """The :data:`Progress` that shows nothing."""
    return batches


class ProcessGroup(Protocol):
    """The processes that work together, as far as a task needs them."""

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""

    @property
    def size(self) -> int:
        """How many processes there are."""

    def sum(self, values: np.ndarray) -> np.ndarray:
        """The sum over all processes of a float64 array that each has: exact, and the same bits for all."""


class Dataset(Sized, Protocol):
    """Opened, checked data: ``len`` is the number of examples."""

    @property
    def path(self) -> Path:
        """The file, for messages, tags and hashes."""


class TrainingBatches(Sized, Protocol):
    """The training batches of a run; ``len`` is the number of batches in an epoch.

    :class:`gluon_cbam.data.loading.training.TrainingData` is one.
    """

    @property
    def records(self) -> Dataset:
        """The data that the batches are made of."""

    @property
    def batch_size(self) -> int:
        """Examples in a batch, over all devices and processes."""

    @property
    def bad(self) -> BadRecords:
        """Counts the examples that had to be skipped."""

    def epoch(self, number: int, skip: int = 0) -> Generator[Sequence[mx.nd.NDArray], None, None]:
        """This process' batches of an epoch, which follow from the seed and the number alone.

        Args:
            number: the number of the epoch, from 0.
            skip: batches to leave out at the beginning, to continue inside an epoch.

        Yields:
            Named tuples of arrays on the CPU, each with an example a row, so that they can be split over the devices.
        """


class Start(Protocol):
    """Starts the network on a batch, and returns a function that waits for its outputs."""

    def __call__(self, images: np.ndarray) -> Callable[[], Sequence[np.ndarray]]:
        """Start a batch of prepared images, (N, ...); each output has an image a row, N or more rows."""


class Model(Protocol):
    """What predictions are made with, as far as a task needs it.

    :class:`gluon_cbam.inference.session.Session` and :class:`gluon_cbam.inference.network.LoadedNetwork` are two.
    """

    @property
    def name(self) -> str:
        """Of the network."""

    @property
    def classes(self) -> int:
        """Outputs of its last layer."""

    @property
    def class_names(self) -> Optional[List[str]]:
        """In the order of the outputs, or None."""

"""The contract between a task and what trains, evaluates, predicts with, publishes and exports its networks.

A task states which data it reads, its loss, the sums a training step leaves, how it validates, which figure is the best
and in which direction, what it predicts for an image and how that is written, and what its card holds. The training
loop (:mod:`gluon_cbam.training.loop.step`), ``cbam validate``, ``predict``, ``runs``, ``zoo publish``, ``zoo verify``,
``export`` and ``bench`` know :class:`Task` alone.

To add a task, write a package with a subclass of :class:`Task` (of :class:`.record_task.RecordTask` where its data are
record files) and add a row to :data:`gluon_cbam.tasks.TASKS`. Importing this module imports neither mxnet nor numpy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Generator,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Sized,
    Tuple,
)

if TYPE_CHECKING:
    import mxnet as mx
    import numpy as np

    from gluon_cbam.common.files import PathLike
    from gluon_cbam.data.loading.preprocessing import Preprocessing
    from gluon_cbam.data.loading.training import BadRecords

Settings = Mapping[str, Any]
"""The settings of a training run by name, with every default filled in; see
:class:`gluon_cbam.training.config.train_config.TrainConfig`."""
Progress = Callable[[Iterable, int], Iterable]
"""Wraps an iterable of so many batches, to show how far it is."""


def no_progress(batches: Iterable, total: int) -> Iterable:
    """The :data:`Progress` that shows nothing."""
    return batches


@dataclass(frozen=True)
class Figure:
    """A number that a task measures: its names, how it is printed and drawn, and which direction is better.

    Attributes:
        name: key in JSON files, cards and ``metrics.jsonl`` (there with ``val_`` or ``train_`` in front).
        label: in log lines and tables.
        title: of an axis or a picture.
        higher_is_better: whether a higher value is the better one.
        unit: printed behind the title, or empty.
        digits: decimals in log lines and tables.
        short_digits: decimals on the progress line.
        limits: of an axis, lower and upper; None leaves the end to the values.
        shown: whether log lines and curves have it; files, cards and TensorBoard have every figure.
    """

    name: str
    label: str
    title: str
    higher_is_better: bool
    unit: str = ''
    digits: int = 4
    short_digits: int = 4
    limits: Tuple[Optional[float], Optional[float]] = (0, None)
    shown: bool = True

    def text(self, value: float, short: bool = False) -> str:
        """Label and value, as log lines have them."""
        return f'{self.label} {value:.{self.short_digits if short else self.digits}f}'

    def sort_key(self, value: float) -> float:
        """A number that is the smaller, the better the value is."""
        return -value if self.higher_is_better else value


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
            number: of the epoch, from 0.
            skip: batches to leave out at the beginning, to continue inside an epoch.

        Yields:
            Named tuples of arrays on the CPU, each with an example a row, so that they can be split over the devices.
        """


class Start(Protocol):
    """Starts the network on a batch, and returns a function that waits for its outputs."""

    def __call__(self, images: np.ndarray) -> Callable[[], Sequence[np.ndarray]]:
        """Start a batch of prepared images, (N, ...); each output has an image a row, N or more rows."""


class Labels(NamedTuple):
    """The outputs of the network, as the training data define them.

    Attributes:
        classes: outputs of the network's last layer.
        class_names: in the order of the outputs, or None.
    """

    classes: int
    class_names: Optional[List[str]]


class Objective(ABC):
    """The loss of a training run and what is counted of it, on one device after the other.

    :class:`gluon_cbam.training.loop.step.TrainStep` calls the three methods in their order for every batch.

    Attributes:
        head: a block with the parameters of the loss itself, for instance the class centers of ArcFace, which are
            initialized, updated and saved with the network but are no part of it; None for a loss without.
    """

    head: Optional[mx.gluon.Block] = None

    @abstractmethod
    def prepare(self, parts: Sequence[Any], step: int, index: int) -> Sequence[Any]:
        """Make the inputs of the network from a batch, without recording gradients: normalize, mix, draw.

        Args:
            parts: the batch's named tuple for each device, its arrays on that device.
            step: number of the step, from 0; whatever is drawn follows from it, the batch and the run's seed.
            index: of the batch within the step, from 0.

        Returns:
            What :meth:`loss` takes, for each device.
        """

    @abstractmethod
    def loss(self, net: mx.gluon.HybridBlock, inputs: Any) -> Tuple[mx.nd.NDArray, Any]:
        """Run the network on one device, with gradients recorded.

        Returns:
            The loss of each example, (N,), and whatever :meth:`statistics` needs of the outputs.
        """

    @abstractmethod
    def statistics(self, inputs: Any, losses: mx.nd.NDArray, outputs: Any) -> Sequence[mx.nd.NDArray]:
        """Count one device's part of the batch, after the backward pass.

        Returns:
            A (1,) array for each of :attr:`Task.training_figures`, summed over the examples; not waited for.
        """


class Evaluation:
    """What a network scores on a dataset. Subclasses are frozen dataclasses with these attributes and the figures.

    Attributes:
        records: examples that were counted, each once.
        seconds: that it took.
    """

    records: int
    seconds: float

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name, as ``--json`` has them."""
        return asdict(self)  # type: ignore[call-overload]

    @property
    def figures(self) -> Dict[str, float]:
        """The figures by name."""
        return {name: value for name, value in self.as_dict().items() if name not in ('records', 'seconds')}


class ImageReference(NamedTuple):
    """An image that something is predicted for.

    Attributes:
        file: its path, or what stands for one.
        number: of a record or a frame in the file, or None.
        size: height and width of the decoded image, in pixels; None for one that could not be read.
    """

    file: str
    number: Optional[int] = None
    size: Optional[Tuple[int, int]] = None

    @property
    def name(self) -> str:
        """Human-readable: the file, with the number behind ``#`` if it has one."""
        return self.file if self.number is None else f'{self.file}#{self.number}'


class Prediction(ABC):
    """What a network predicts for an image. Subclasses are dataclasses with these attributes and their own.

    Attributes:
        file: see :class:`ImageReference`.
        number: see :class:`ImageReference`.
        error: why the image could not be read, or None.
    """

    file: str
    number: Optional[int]
    error: Optional[str]

    @property
    def name(self) -> str:
        """See :attr:`ImageReference.name`."""
        return ImageReference(self.file, self.number).name

    def as_dict(self) -> Dict[str, Any]:
        """The prediction as JSON holds it: ``file``, ``number`` if there is one, then ``error`` or :meth:`values`."""
        value: Dict[str, Any] = {'file': self.file}
        if self.number is not None:
            value['number'] = self.number
        return {**value, **(self.values() if self.error is None else {'error': self.error})}

    @abstractmethod
    def values(self) -> Dict[str, Any]:
        """What was predicted, by name, as JSON holds it."""

    @abstractmethod
    def text(self) -> str:
        """What was predicted, in one line."""

    @abstractmethod
    def row(self) -> Sequence[Any]:
        """What was predicted, as the cells of :attr:`Predictor.columns`; may be shorter."""


class Predictor(ABC):
    """Makes predictions of the outputs of a network.

    Attributes:
        columns: headings of a prediction in CSV.
    """

    columns: Sequence[str]

    @abstractmethod
    def __call__(self, image: ImageReference, outputs: Sequence[np.ndarray]) -> Prediction:
        """The prediction for an image.

        Args:
            image: the image.
            outputs: of the network for it: float64 arrays without the batch axis, finite.
        """

    @abstractmethod
    def unreadable(self, image: ImageReference, error: str) -> Prediction:
        """The entry of an image that could not be read."""


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


class Task(ABC):
    """What a network is trained for. Instances keep no state.

    Attributes:
        name: key of :data:`gluon_cbam.tasks.TASKS`.
        training_figures: one for each statistic of :class:`Objective`, of which it is the mean over the examples; the
            first is the loss, named ``loss``, which must be finite.
        validation_figures: that every :class:`Evaluation` of the task has, in the order of log lines. An evaluation may
            have more, which files get too.
        best: the figure of validation by which parameters are kept as the best and runs are compared.
        compared: names of the figures of validation that cards state and ``zoo verify`` compares.
        output_names: of the network's outputs in exported files, in their order.
    """

    name: str
    training_figures: Tuple[Figure, ...]
    validation_figures: Tuple[Figure, ...]
    best: Figure
    compared: Tuple[str, ...]
    output_names: Tuple[str, ...] = ('output',)

    @property
    def shown_figures(self) -> Tuple[Figure, ...]:
        """The figures of training and validation that log lines and curves have, each once."""
        figures = {figure.name: figure for figure in (*self.training_figures, *self.validation_figures)}
        return tuple(figure for figure in figures.values() if figure.shown)

    @property
    def final_names(self) -> Tuple[str, ...]:
        """Names of the figures of the last epoch in ``summary.json``: the one that decides first."""
        return tuple(dict.fromkeys((self.best.name, *(figure.name for figure in self.shown_figures))))

    def figure(self, name: str) -> Figure:
        """The figure of a name; one that only some evaluations have gets its name as label."""
        known = {figure.name: figure for figure in (*self.training_figures, *self.validation_figures)}
        return known.get(name) or Figure(name, name, name, self.best.higher_is_better)

    def training_values(self, sums: Sequence[float], examples: float) -> Dict[str, float]:
        """The training figures by name.

        Args:
            sums: of the statistics.
            examples: that they were summed over.
        """
        return {figure.name: float(value / examples) for figure, value in zip(self.training_figures, sums)}

    def validation_values(self, evaluation: Optional[Evaluation]) -> Dict[str, Optional[float]]:
        """The figures of an evaluation by name, :attr:`validation_figures` first; None for each without one."""
        names = [figure.name for figure in self.validation_figures]
        if evaluation is None:
            return dict.fromkeys(names)
        return {**{name: evaluation.figures.get(name) for name in names}, **evaluation.figures}

    def text(self, values: Mapping[str, float], names: Optional[Iterable[str]] = None) -> str:
        """Figures as a line: ``top-1 0.9123, loss 0.3012``."""
        return ', '.join(self.figure(name).text(values[name]) for name in (values if names is None else names))

    # settings, network and data

    def check_settings(self, settings: Settings) -> None:  # noqa: B027 (most tasks have nothing to check)
        """Check the settings of a run before any file is opened.

        Raises:
            UsageError: a setting means nothing for this task.
        """

    @abstractmethod
    def labels(self, data_train: PathLike, classes: Optional[int]) -> Labels:
        """The outputs of a network that is trained on a file.

        Args:
            data_train: path of the training data.
            classes: as the run's settings have it, or None.
        """

    @abstractmethod
    def check_network(self, net: mx.gluon.Block, network: str, classes: int) -> None:
        """Check that the outputs of a network fit this task.

        Args:
            net: the network.
            network: its name, for the message.
            classes: that it was built with.

        Raises:
            UsageError: they do not.
        """

    @abstractmethod
    def open_training(self, path: PathLike, classes: int) -> Dataset:
        """Open training data and check its labels.

        Args:
            path: of the data.
            classes: outputs of the network.

        Raises:
            UsageError: there is no such file.
            DataError: the data are damaged, or a label is none of this task.
        """

    def open_validation(self, path: PathLike, classes: int) -> Dataset:
        """Open validation data and check its labels; see :meth:`open_training`."""
        return self.open_training(path, classes)

    @abstractmethod
    def check_images(self, data: Dataset, workers: int) -> None:
        """Decode every image of validation data once, before a run starts.

        Raises:
            DataError: an image cannot be decoded.
        """

    @abstractmethod
    def fingerprint(self, data: Dataset) -> str:
        """A short hash of the examples and their labels, by which a run that continues knows its data."""

    # training

    @abstractmethod
    def training_batches(
        self,
        data: Dataset,
        settings: Settings,
        preprocessing: Preprocessing,
        batch_size: int,
        process_group: ProcessGroup,
    ) -> TrainingBatches:
        """The batches of a run.

        Args:
            data: of :meth:`open_training`.
            settings: of the run.
            preprocessing: of validation; training takes its image size and normalization.
            batch_size: examples in a batch over all devices and processes.
            process_group: of which this is one; each gets its share of every batch.

        Raises:
            UsageError: a setting makes no sense, or there are fewer examples than one batch.
        """

    @abstractmethod
    def objective(self, settings: Settings, preprocessing: Preprocessing, rank: int) -> Objective:
        """The loss of a run.

        Args:
            settings: of the run.
            preprocessing: normalizes the images, on the devices.
            rank: of this process, which draws random numbers of its own.
        """

    # validation

    @abstractmethod
    def evaluate(
        self,
        start: Start,
        data: Any,
        prepare: Callable[[np.ndarray], np.ndarray],
        batch_size: int,
        workers: int,
        progress: Progress = no_progress,
        process_group: Optional[ProcessGroup] = None,
    ) -> Evaluation:
        """Evaluate a network on every example of a dataset, each once.

        Args:
            start: of the network, one batch ahead of the counting.
            data: of :meth:`open_validation`.
            prepare: from (H, W, 3) uint8 RGB to an image of a batch.
            batch_size: images in a batch, over all devices of this process.
            workers: threads that decode.
            progress: shows how far it is.
            process_group: that evaluate together, each a part of the data; all get the same result.

        Raises:
            DataError: an image cannot be decoded.
            RunError: an output is not finite.
        """

    # prediction

    @abstractmethod
    def predictor(
        self, model: Model, top: int, names: Optional[Sequence[str]] = None, labels: Optional[PathLike] = None
    ) -> Predictor:
        """What makes predictions of a model's outputs.

        Args:
            model: whose outputs they are.
            top: most entries an image (classes, boxes).
            names: of the outputs; default the model's.
            labels: a text file of such names, one a line.

        Raises:
            UsageError: there is no such file, or the task has no names.
            DataError: the file does not fit the model.
        """

    # cards

    @abstractmethod
    def tolerance(self, measured_by: str, records: int) -> float:
        """Up to which difference a figure measured here agrees with the one that a card states.

        Args:
            measured_by: ``publisher`` or ``verified``, see :class:`gluon_cbam.zoo.card.Metrics`.
            records: how many were counted.
        """

    # benchmarks

    @abstractmethod
    def example_batch(self, images: int, image_size: int, classes: int) -> Sequence[mx.nd.NDArray]:
        """A training batch of noise, as :class:`TrainingBatches` gives them."""

    @abstractmethod
    def write_example(self, path: PathLike, images: int, classes: int) -> None:
        """Write training data of so many small images, for a run that is only measured."""

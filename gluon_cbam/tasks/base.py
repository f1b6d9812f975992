"""The interface of a task, by which its networks are trained, evaluated, published and exported.

A task defines its data, its loss, the statistics of a training step, the evaluation, the figure that decides which
parameters are the best, the predictions for images and their formats, and the figures on cards. The training loop
(:mod:`gluon_cbam.training.loop.step`), ``cbam validate``, ``predict``, ``runs``, ``zoo publish``, ``zoo verify``,
``export`` and ``bench`` use nothing of a task except :class:`Task`.

To add a task, write a package with a subclass of :class:`Task` (of :class:`.record_task.RecordTask` where its data are
record files) and add a row to :data:`gluon_cbam.tasks.TASKS`. Importing this module imports neither mxnet nor numpy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import sha256
from gluon_cbam.data.class_names import ClassNames

from .classes import ClassCheck, Labels
from .figures import Evaluation
from .labeled_pictures import LabeledPicture
from .objective import Objective
from .prediction import Predictor
from .protocols import (
    Dataset,
    Model,
    Prepare,
    ProcessGroup,
    Progress,
    Settings,
    Start,
    Taught,
    TrainingBatches,
    no_progress,
)
from .task_figures import TaskFigures

if TYPE_CHECKING:
    import mxnet as mx
    import numpy as np

    from gluon_cbam.common.files import PathLike
    from gluon_cbam.common.image_size import ImageSize
    from gluon_cbam.data.loading.preprocessing import Preprocessing


class Task(TaskFigures, ABC):
    """A task. Instances keep no state.

    Its figures are the attributes of :class:`.task_figures.TaskFigures`.

    Attributes:
        name: key of :data:`gluon_cbam.tasks.TASKS`.
        output_names: names of the network's outputs in exported files, in their order.
        settings: a dataclass of :func:`gluon_cbam.common.settings.setting` fields, the settings that belong to this
            task alone; None for a task without. They are flags of ``cbam train``, in recipes, in ``config.yaml`` and in
            :data:`.protocols.Settings`; a run that continues compares the immutable ones.
        finds_boxes: whether its networks find boxes in images.
        finds_masks: whether its networks give the class of each pixel.
        classifies: whether its networks give the class of each image.
        top: the number of entries of a prediction, where none is asked for.
    """

    name: str
    output_names: Tuple[str, ...] = ('output',)
    settings: Optional[type] = None
    finds_boxes: bool = False
    finds_masks: bool = False
    classifies: bool = False
    top: int = 5

    # settings, network and data

    def configured(self, settings: Settings) -> Task:
        """The task configured by the settings of a run, for instance with another best figure.

        Args:
            settings: the settings of the run, before files and devices are checked. Saved runs have them, too.

        Returns:
            This task, or one of the same name with other attributes.
        """
        return self

    def check_settings(self, settings: Settings) -> None:  # noqa: B027 (most tasks have nothing to check)
        """Check the settings of a run before any file is opened.

        Raises:
            UsageError: a setting has no meaning for this task.
        """

    def notes(self, settings: Settings) -> List[str]:
        """What the log of a run says of its settings, one line each: that images are not decoded as in validation."""
        if settings.get('decode') != 'fast':  # tasks that decode images exactly do not have the setting
            return []
        return ['--decode fast: JPEGs are trained on with other pixels than those of exact decoding and of validation']

    def with_label_index(self, index: Optional[int]) -> Task:
        """The task with another choice of the label that it reads of records with several.

        Args:
            index: the label, from 0; None for records with one label, or for a task that reads all of them.

        Raises:
            UsageError: the task does not read one label of each record.
        """
        if index is not None:
            raise UsageError(f'--label-index {index}: the task {self.name} has no label to choose: leave it out')
        return self

    @abstractmethod
    def labels(self, data_train: PathLike, classes: Optional[int]) -> Labels:
        """The outputs of a network that is trained on a file.

        Args:
            data_train: path of the training data.
            classes: the number of classes in the settings of the run, or None.
        """

    @abstractmethod
    def check_network(self, net: mx.gluon.Block, network: str, classes: int) -> None:
        """Check that the outputs of a network fit this task.

        Args:
            net: the network.
            network: its name, for the message.
            classes: the number of classes that it was built with.

        Raises:
            UsageError: they do not fit.
        """

    @abstractmethod
    def open_training(self, path: PathLike, classes: int) -> Dataset:
        """Open training data and check its labels.

        Args:
            path: the path of the data.
            classes: outputs of the network.

        Raises:
            UsageError: there is no such file.
            DataError: the data are damaged, or a label is not valid for this task.
        """

    def open_validation(self, path: PathLike, classes: int) -> Dataset:
        """Open validation data and check its labels; see :meth:`open_training`."""
        return self.open_training(path, classes)

    # the names of classes; tasks without classes leave these as they are

    def class_names(self, path: PathLike) -> ClassNames:
        """The names of the classes of data, without opening them."""
        return ClassNames(str(path), None)

    def compare_classes(
        self, expected: ClassNames, found: ClassNames, ignore: bool = False, moved: bool = False
    ) -> ClassCheck:
        """Compare the names of classes that must agree: of a network, of its data, of other weights.

        Args:
            expected: the names that decide.
            found: the names that must agree with them.
            ignore: do not compare.
            moved: see :func:`gluon_cbam.data.class_names.first_difference`.

        Raises:
            DataError: the names differ.
        """
        return ClassCheck()

    def label_hints(self, data: Dataset, classes: int) -> List[str]:
        """Lines about labels that are valid but look wrong, such as classes without images; from the labels alone."""
        return []

    @abstractmethod
    def check_images(self, data: Dataset, workers: int) -> None:
        """Decode every image of validation data once, before a run starts.

        Raises:
            UsageError: the data lack what the settings of the run need.
            DataError: an image cannot be decoded.
        """

    @abstractmethod
    def sample_images(self, path: PathLike, count: int) -> List[np.ndarray]:
        """Sample images of a dataset, evenly spaced, for the comparison and the calibration of exported files.

        Args:
            path: the path of training or validation data; labels are not checked.
            count: number of images; all if there are fewer.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            UsageError: there are no such data.
            DataError: an image cannot be decoded.
        """

    def digest(self, data: Dataset) -> str:
        """The SHA-256 on a card of the data that its figures were measured on; by default the hash of the file.

        A task with several files per dataset returns a hash of all of them.
        """
        return sha256(data.path)

    @abstractmethod
    def fingerprint(self, data: Dataset) -> str:
        """A short hash of the examples and their labels, by which a resumed run recognizes its data."""

    def contents(self, data: Dataset) -> Optional[str]:
        """A hash of the images, by which a resumed run recognizes its data besides :meth:`fingerprint`.

        Returns:
            The hash, which must be cheap also for large data; None where the images are not compared.
        """
        return None

    # training

    def taught(self, settings: Settings) -> Optional[Taught]:
        """The teacher of a run, whose outputs the objective gets; None, the default, for none."""
        return None

    def references(self, settings: Settings, data: Dataset) -> Dict[str, str]:
        """Hashes of what settings name besides the data, such as a file of weights; called before a run starts.

        Args:
            settings: the settings of the run.
            data: the result of :meth:`open_training`.

        Returns:
            Name of the setting -> hash, which a resumed run compares; the path may be another one.

        Raises:
            UsageError: there is no such file.
            DataError: what a setting names does not fit the run.
        """
        return {}

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
            data: the result of :meth:`open_training`.
            settings: the settings of the run.
            preprocessing: the preprocessing of validation images; training takes its image size and normalization.
            batch_size: examples in a batch over all devices and processes.
            process_group: the processes that train together; each gets its share of every batch.

        Raises:
            UsageError: a setting is not valid, or there are fewer examples than one batch.
        """

    @abstractmethod
    def objective(self, settings: Settings, preprocessing: Preprocessing, rank: int, data: Dataset) -> Objective:
        """The loss of a run.

        Args:
            settings: the settings of the run.
            preprocessing: normalizes the images, on the devices.
            rank: the rank of this process, which draws random numbers of its own.
            data: the training data, of :meth:`open_training`: how many identities there are, for instance.
        """

    # dry runs

    def rows_to_fit(self, batch: Sequence[mx.nd.NDArray]) -> List[int]:
        """The rows of a training batch that ``--dry-run`` trains on until the network should know them.

        Returns:
            A few rows that :meth:`batch_figures` can measure; none, the default, to do without.
        """
        return []

    def batch_figures(self, batch: Sequence[mx.nd.NDArray], outputs: Sequence[np.ndarray]) -> Dict[str, float]:
        """Figures of a network on a training batch, by name.

        Args:
            batch: the batch.
            outputs: the outputs of the network for it, in the mode of validation.
        """
        return {}

    def labeled_pictures(
        self, batch: Sequence[mx.nd.NDArray], names: Optional[Sequence[str]] = None
    ) -> List[LabeledPicture]:
        """The images of a training batch with their labels, to look at; by default without labels.

        Args:
            batch: the batch.
            names: names of the classes, or None.
        """
        return [LabeledPicture(pixels, '') for pixels in batch[0].asnumpy()]

    # validation

    @abstractmethod
    def evaluate(
        self,
        start: Start,
        data: Any,
        prepare: Prepare,
        batch_size: int,
        workers: int,
        progress: Progress = no_progress,
        process_group: Optional[ProcessGroup] = None,
    ) -> Evaluation:
        """Evaluate a network on every example of a dataset, each once.

        Args:
            start: starts the network on a batch, one batch ahead of the counting.
            data: the result of :meth:`open_validation`.
            prepare: makes an image of a batch of an image, (H, W, 3) uint8 RGB.
            batch_size: images in a batch, over all devices of this process.
            workers: threads that decode.
            progress: shows the progress.
            process_group: the processes that evaluate together, each a part of the data; all get the same result.

        Raises:
            DataError: an image cannot be decoded.
            RunError: an output is not finite.
        """

    def scored(self, data: Any, evaluation: Evaluation, model: Optional[Model] = None) -> Any:
        """What an evaluation scored, with the truth, for the report of the task and for files of results.

        Args:
            data: the result of :meth:`open_validation`.
            evaluation: the result of :meth:`evaluate`.
            model: the network that was evaluated, for the names of its classes; default those of the data.

        Returns:
            What the report of the task takes; of tasks with :attr:`finds_boxes` a
            :class:`gluon_cbam.tasks.detection.scored.ScoredBoxes`, with :attr:`classifies` a
            :class:`gluon_cbam.tasks.classification.scored.ScoredClasses`.

        Raises:
            UsageError: the task has no report.
        """
        raise UsageError(f'there is no report of the task {self.name}')

    def with_views(self, kinds: Sequence[str], preprocessing: Preprocessing) -> Task:
        """The task that evaluates several views of each image, test-time augmentation.

        Args:
            kinds: keys of :data:`gluon_cbam.data.loading.views.KINDS`; none for the image as it is.
            preprocessing: the preprocessing of images.

        Raises:
            UsageError: an unknown kind, the preprocessing leaves nothing to crop, or the task has no views.
        """
        if kinds:
            raise UsageError(f'--tta {",".join(kinds)}: the task {self.name} has one view of an image: leave it out')
        return self

    def with_kept(self, classes: int) -> Task:
        """The task whose evaluations have some of the most probable classes of each record.

        Args:
            classes: their number, at most that of the network's classes; 0 for none.

        Raises:
            UsageError: the task does not classify.
        """
        if classes:
            raise UsageError(f'the task {self.name} has no classes of an image to save')
        return self

    def with_logits(self) -> Task:
        """The task whose evaluations have the logits of each record, to fit a temperature to.

        Raises:
            UsageError: the task does not classify.
        """
        raise UsageError(f'the task {self.name} has no logits of classes to keep')

    def with_temperature(self, temperature: Optional[float]) -> Task:
        """The task that divides the logits by a temperature, in evaluations and predictions.

        Args:
            temperature: above 0; None for logits as they are.

        Raises:
            UsageError: the task does not classify.
        """
        if temperature is not None:
            raise UsageError(
                f'--temperature {temperature:g} is for classification, and the task is {self.name}: leave it out'
            )
        return self

    # prediction

    @abstractmethod
    def predictor(
        self, model: Model, top: int, names: Optional[Sequence[str]] = None, labels: Optional[PathLike] = None
    ) -> Predictor:
        """The predictor that turns a model's outputs into predictions.

        Args:
            model: the model that computes the outputs.
            top: the largest number of entries per image (classes, boxes).
            names: the names of the outputs; default the model's.
            labels: a text file of such names, one per line.

        Raises:
            UsageError: there is no such file, or the task has no names.
            DataError: the file does not fit the model.
        """

    # cards

    @abstractmethod
    def tolerance(self, measured_by: str, records: int) -> float:
        """The largest difference at which a measured figure agrees with the figure on a card.

        Args:
            measured_by: ``publisher`` or ``verified``, see :class:`gluon_cbam.zoo.card.Metrics`.
            records: number of examples that were evaluated.
        """

    # benchmarks

    @abstractmethod
    def example_batch(self, images: int, image_size: ImageSize, classes: int) -> Sequence[mx.nd.NDArray]:
        """A training batch of noise, as :class:`TrainingBatches` gives them."""

    @abstractmethod
    def write_example(self, path: PathLike, images: int, classes: int) -> None:
        """Write training data for a benchmark.

        Args:
            path: the path of the file.
            images: number of images, which may be small.
            classes: number of classes.
        """

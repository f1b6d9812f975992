"""Multi-label classification as a :class:`gluon_cbam.tasks.Task`."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, cast

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.tasks import figures
from gluon_cbam.tasks.annotated_task import AnnotatedTask
from gluon_cbam.tasks.classes import check_logits, given_names, names_or_numbers
from gluon_cbam.tasks.classification.settings import check_distillation, taught_by
from gluon_cbam.tasks.figures import Figure
from gluon_cbam.tasks.image_augmentation import repeated_order, steps_of
from gluon_cbam.tasks.labeled_pictures import LabeledPicture
from gluon_cbam.tasks.loading import load_batches
from gluon_cbam.tasks.objective import Objective
from gluon_cbam.tasks.prediction import Predictor
from gluon_cbam.tasks.protocols import (
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

from .settings import MultilabelSettings

if TYPE_CHECKING:
    import mxnet as mx
    import numpy as np

    from gluon_cbam.common.files import PathLike
    from gluon_cbam.common.image_size import ImageSize
    from gluon_cbam.data.loading.preprocessing import Preprocessing
    from gluon_cbam.data.loading.training import Batch
    from gluon_cbam.data.loading.views import View
    from gluon_cbam.data.records.multi_labels import MultiLabelRecords

    from .evaluation import Evaluation
    from .scored import ScoredLabels

_LIMITS = (0, 1.02)
LOSS = Figure('loss', 'loss', 'loss', higher_is_better=False, unit='binary cross-entropy, nats')
MAP = Figure('map', 'mAP', 'mean average precision', higher_is_better=True, limits=_LIMITS)
MICRO_F1 = Figure('micro_f1', 'micro F1', 'F1 of all decisions', higher_is_better=True, limits=_LIMITS)
MACRO_F1 = Figure('macro_f1', 'macro F1', 'macro F1', higher_is_better=True, limits=_LIMITS, shown=False)
# publisher: another decoder and another resizing; verified: the same computation on another processor


class Multilabel(AnnotatedTask):
    """Multi-label classification: each class is on an image or not.

    Data are records with a label for every class, see :class:`gluon_cbam.data.records.multi_labels.MultiLabelRecords`;
    ``classes.txt`` beside them names the classes. Networks are those of classification.
    """

    name = 'multilabel'
    training_figures = (LOSS,)
    validation_figures = (LOSS, MAP, MICRO_F1, MACRO_F1)
    best = MAP
    compared = ('map', 'micro_f1', 'macro_f1')
    output_names = ('logits',)
    settings = MultilabelSettings
    top = 1 << 24  # all that are probable enough
    views: Sequence[View] = ()

    def configured(self, settings: Settings) -> Multilabel:
        """The task with the figure that decides."""
        task = copy(self)
        task.best = self.figure(settings['best_label_figure'])
        return task

    def check_settings(self, settings: Settings) -> None:
        """Refuse settings of one label for each image, and steps of augmentation that have no meaning."""
        if settings['label_smoothing']:
            given = f'--label-smoothing {settings["label_smoothing"]:g}'
            raise UsageError(f'{given} is for images with one label: leave it out')
        self.with_label_index(settings['label_index'])
        check_distillation(settings)
        steps_of(settings)

    def check_network(self, net: mx.gluon.Block, network: str, classes: int) -> None:
        """Check that the network returns logits and not embeddings."""
        check_logits(net, network, classes)

    def open_training(self, path: PathLike, classes: int) -> MultiLabelRecords:
        """Open records and check their labels; some image must have a class."""
        records = self._open(path)
        records.check_classes(classes)
        if not records.labels.any():
            raise DataError(f'{records.path}: no image has a class: all labels are 0')
        return records

    def _open(self, path: PathLike) -> MultiLabelRecords:
        from gluon_cbam.data.records.multi_labels import MultiLabelRecords

        return MultiLabelRecords(path)

    def label_hints(self, data: Dataset, classes: int) -> List[str]:
        """Classes that are on no image."""
        records = cast('MultiLabelRecords', data)
        empty = [number for number, column in enumerate(records.labels.T) if not column.any()]
        if not empty:
            return []
        return [f'{records.path}: {len(empty)} of {classes} classes are on no image, the first is class {empty[0]}']

    def check_images(self, data: Dataset, workers: int) -> None:
        """Decode every image once."""
        from gluon_cbam.data.loading.evaluation import check_images

        check_images(cast('MultiLabelRecords', data).records, workers)

    def taught(self, settings: Settings) -> Optional[Taught]:
        """The network of the setting ``teacher``."""
        return taught_by(settings)

    def references(self, settings: Settings, data: Dataset) -> Dict[str, str]:
        """The hash of the weights of the positives."""
        from gluon_cbam.tasks.classification.class_weights import digest

        weights = self._weights(settings, data)
        return {} if weights is None else {'class_weights': digest(weights)}

    def training_batches(
        self,
        data: Dataset,
        settings: Settings,
        preprocessing: Preprocessing,
        batch_size: int,
        process_group: ProcessGroup,
    ) -> TrainingBatches:
        """The batches of a run, augmented as its settings state."""
        from gluon_cbam.data.loading.training import MultiLabelData

        return load_batches(
            MultiLabelData, data, settings, preprocessing, batch_size, process_group,
            decode=settings['decode'], further=steps_of(settings),
            order=repeated_order(settings, data, batch_size),
        )  # fmt: skip

    def objective(self, settings: Settings, preprocessing: Preprocessing, rank: int, data: Dataset) -> Objective:
        """Binary cross-entropy with weights of positives, mixup and cutmix."""
        from .objective import MultilabelObjective

        return MultilabelObjective(settings, preprocessing, rank, self._weights(settings, data))

    def _weights(self, settings: Settings, data: Dataset) -> Optional[np.ndarray]:
        """The weights of the positives of the classes, (classes,); None for none."""
        from gluon_cbam.tasks.classification.class_weights import class_weights

        from .positive_weights import balanced

        return class_weights(settings, lambda: balanced(cast('MultiLabelRecords', data)))

    def labeled_pictures(
        self, batch: Sequence[mx.nd.NDArray], names: Optional[Sequence[str]] = None
    ) -> List[LabeledPicture]:
        """The images with the names of their classes."""
        from gluon_cbam.tasks.labeled_pictures import with_label

        images, labels = batch
        return with_label(images.asnumpy(), labels.asnumpy(), names)

    def evaluate(
        self,
        start: Start,
        data: MultiLabelRecords,
        prepare: Prepare,
        batch_size: int,
        workers: int,
        progress: Progress = no_progress,
        process_group: Optional[ProcessGroup] = None,
    ) -> Evaluation:
        """Average precisions, F1 and loss over every record."""
        from .evaluation import evaluate, evaluate_views

        if self.views:
            return evaluate_views(start, data, prepare, self.views, batch_size, workers, progress, process_group)
        return evaluate(start, data, prepare, batch_size, workers, progress, process_group)

    def with_views(self, kinds: Sequence[str], preprocessing: Preprocessing) -> Multilabel:
        """The task that averages the probabilities over views."""
        from gluon_cbam.data.loading.views import checked_views

        task = copy(self)
        task.views = checked_views(kinds, preprocessing)
        return task

    def scored(self, data: Any, evaluation: figures.Evaluation, model: Optional[Model] = None) -> ScoredLabels:
        """The logits of records, with the names of the classes: those of the network, else of the data, or numbers."""
        from gluon_cbam.data.records.images import decode_record
        from gluon_cbam.tasks.classification.scored import distinct

        from .scored import ScoredLabels

        records, found = cast('MultiLabelRecords', data), cast('Evaluation', evaluation)
        names = (model and given_names(model)) or [each.label for each in found.classes]
        return ScoredLabels(
            name=records.path.stem, evaluation=found, classes=distinct(names),
            load=lambda number: decode_record(records.records, number),
        )  # fmt: skip

    def predictor(
        self, model: Model, top: int, names: Optional[Sequence[str]] = None, labels: Optional[PathLike] = None
    ) -> Predictor:
        """The classes of each image, with their names."""
        from .prediction import LabelPredictor

        return LabelPredictor(tuple(names or names_or_numbers(model, labels)), top)

    def tolerance(self, measured_by: str, records: int) -> float:
        """The tolerance of the source of the figures, at least one record."""
        return figures.share_tolerance(measured_by, records)

    def example_batch(self, images: int, image_size: ImageSize, classes: int) -> Batch:
        """Noise, with each class on half of the images."""
        from .examples import noise_batch

        return noise_batch(images, image_size, classes)

    def write_example(self, path: PathLike, images: int, classes: int) -> None:
        """Black images of one class each, ``0 .. classes - 1`` in turn."""
        from .examples import write_black_images

        write_black_images(path, images, classes)

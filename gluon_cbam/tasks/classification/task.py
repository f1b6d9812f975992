"""Classification as a :class:`gluon_cbam.tasks.Task`."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, cast

from gluon_cbam.data.class_names import ClassNames, compare, names_beside
from gluon_cbam.data.datasets.imagenet import imagenet_classes, is_imagenet_class, same_imagenet_class
from gluon_cbam.tasks import figures
from gluon_cbam.tasks.classes import ClassCheck, Labels, check_logits
from gluon_cbam.tasks.figures import Figure
from gluon_cbam.tasks.image_augmentation import repeated_order, steps_of
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
    no_progress,
)
from gluon_cbam.tasks.record_task import RecordTask

from .settings import ClassificationSettings, check_loss, taught_by

if TYPE_CHECKING:
    import mxnet as mx
    import numpy as np

    from gluon_cbam.common.files import PathLike
    from gluon_cbam.data.loading.preprocessing import Preprocessing
    from gluon_cbam.data.loading.views import View
    from gluon_cbam.data.records.recordio import RecordFile

    from .evaluation import Evaluation
    from .scored import ScoredClasses

_CLASSES = 1000  # ImageNet's, where the data have no class names
LOSS = Figure('loss', 'loss', 'loss', higher_is_better=False, unit='cross-entropy, nats')
TOP1 = Figure('top1', 'top-1', 'top-1 accuracy', higher_is_better=True, short_digits=3, limits=(0, 1.02))
TOP5 = Figure('top5', 'top-5', 'top-5 accuracy', higher_is_better=True, limits=(0, 1.02), shown=False)
MACRO_F1 = Figure('macro_f1', 'macro F1', 'macro F1', higher_is_better=True, limits=(0, 1.02), shown=False)
BALANCED = Figure(
    'balanced_accuracy', 'balanced accuracy', 'balanced accuracy', higher_is_better=True, limits=(0, 1.02), shown=False
)
ECE = Figure('ece', 'ECE', 'expected calibration error', higher_is_better=False, limits=(0, None), shown=False)
BRIER = Figure('brier', 'Brier', 'Brier score', higher_is_better=False, limits=(0, None), shown=False)
# publisher: another decoder and another resizing change accuracies by up to half a percentage point; verified: the same
# computation, in which another processor may change the prediction of one record in a thousand, or of a single one


class Classification(RecordTask):
    """Image classification: the label of an image is the first of its record, an integer in 0 .. classes - 1."""

    name = 'classification'
    classifies = True
    training_figures = (LOSS, TOP1)
    validation_figures = (LOSS, TOP1, TOP5, MACRO_F1, BALANCED, ECE, BRIER)
    best = TOP1
    compared = ('top1', 'top5')
    tabled = (MACRO_F1, ECE)
    settings = ClassificationSettings
    views: Sequence[View] = ()
    kept = 0
    kept_logits = False
    temperature: Optional[float] = None

    def check_settings(self, settings: Settings) -> None:
        """Check the settings of the loss and the steps of augmentation."""
        check_loss(settings)
        steps_of(settings)

    def labels(self, data_train: PathLike, classes: Optional[int]) -> Labels:
        """As many classes as the settings, ``classes.txt`` or insightface's ``property`` next to them say, or 1000."""
        from gluon_cbam.data.records.faces import read_property

        names = names_beside(data_train).names
        if classes is None:
            classes = len(names) if names else read_property(Path(data_train).parent) or _CLASSES
        return Labels(classes, names if names and len(names) == classes else None)

    def check_network(self, net: mx.gluon.Block, network: str, classes: int) -> None:
        """Check that the network returns logits and not embeddings."""
        check_logits(net, network, classes)

    def check_labels(self, records: RecordFile, classes: int) -> None:
        """Check that every label is a class."""
        records.check_labels(classes)

    def class_names(self, path: PathLike) -> ClassNames:
        """The names in ``classes.txt`` next to the data."""
        return names_beside(path)

    def compare_classes(
        self, expected: ClassNames, found: ClassNames, ignore: bool = False, moved: bool = False
    ) -> ClassCheck:
        """Compare index by index; WordNet ids and names of ImageNet's classes are the same where they mean the same."""
        if ignore:
            return ClassCheck(False)
        reason = compare(_with_imagenet(expected, found), found, same_imagenet_class, moved)
        return ClassCheck(reason is None, () if reason is None else (reason,))

    def label_hints(self, data: Dataset, classes: int) -> List[str]:
        """Labels that seem to count from 1, and classes without images."""
        from gluon_cbam.data.records.label_hints import label_hints

        records = cast('RecordFile', data)
        return label_hints(records.labels, str(records.path), classes)

    def taught(self, settings: Settings) -> Optional[Taught]:
        """The network of the setting ``teacher``."""
        return taught_by(settings)

    def references(self, settings: Settings, data: Dataset) -> Dict[str, str]:
        """The hash of the weights of the classes."""
        from .class_weights import digest

        weights = self._weights(settings, data)
        return {} if weights is None else {'class_weights': digest(weights)}

    def loading_options(self, data: RecordFile, settings: Settings, batch_size: int) -> Dict[str, Any]:
        """How images are decoded and augmented, and the order in which they are repeated."""
        order = repeated_order(settings, data, batch_size)
        return {'decode': settings['decode'], 'further': steps_of(settings), 'order': order}

    def objective(self, settings: Settings, preprocessing: Preprocessing, rank: int, data: Dataset) -> Objective:
        """The loss of the settings, with weights of classes, label smoothing, mixup and cutmix."""
        from .objective import ClassificationObjective

        return ClassificationObjective(settings, preprocessing, rank, self._weights(settings, data))

    def _weights(self, settings: Settings, data: Dataset) -> Optional[np.ndarray]:
        """The weights of the classes, (classes,); None for none."""
        from .class_weights import balanced, class_weights

        return class_weights(settings, lambda: balanced(cast('RecordFile', data), settings['classes']))

    def with_views(self, kinds: Sequence[str], preprocessing: Preprocessing) -> Classification:
        """The task that averages the probabilities over views."""
        from gluon_cbam.data.loading.views import checked_views

        task = copy(self)
        task.views = checked_views(kinds, preprocessing)
        return task

    def with_kept(self, classes: int) -> Classification:
        """The task whose outcomes have the most probable classes."""
        task = copy(self)
        task.kept = classes
        return task

    def with_temperature(self, temperature: Optional[float]) -> Classification:
        """The task whose probabilities are the softmax of the logits over a temperature."""
        task = copy(self)
        task.temperature = temperature
        return task

    def with_logits(self) -> Classification:
        """The task whose evaluations have the logits of each record."""
        task = copy(self)
        task.kept_logits = True
        return task

    def evaluate(
        self,
        start: Start,
        data: RecordFile,
        prepare: Prepare,
        batch_size: int,
        workers: int,
        progress: Progress = no_progress,
        process_group: Optional[ProcessGroup] = None,
    ) -> Evaluation:
        """Accuracies, loss and calibration over every record."""
        from .evaluation import score, score_views
        from .temperature import scaled

        if self.temperature is not None:
            start = scaled(start, self.temperature)
        if self.views:
            return score_views(
                start, data, prepare, self.views, batch_size, workers, progress, process_group, self.kept
            )  # fmt: skip
        return score(
            start, data, prepare, batch_size, workers, progress, process_group, self.kept, self.kept_logits
        )  # fmt: skip

    def scored(self, data: Any, evaluation: figures.Evaluation, model: Optional[Model] = None) -> ScoredClasses:
        """The outcomes of records, with the names of the classes."""
        from gluon_cbam.data.records.images import decode_record

        from .scored import ScoredClasses, names_of_classes

        records, found = cast('RecordFile', data), cast('Evaluation', evaluation)
        return ScoredClasses(
            name=records.path.stem, evaluation=found, classes=names_of_classes(found.outcomes, records.path, model),
            load=lambda number: decode_record(records, number),
        )  # fmt: skip

    def predictor(
        self, model: Model, top: int, names: Optional[Sequence[str]] = None, labels: Optional[PathLike] = None
    ) -> Predictor:
        """The most probable classes of each image, with their names."""
        from .prediction import ClassPredictor, class_names

        return ClassPredictor(names or class_names(model, labels), min(top, model.classes), self.temperature or 1.0)

    def tolerance(self, measured_by: str, records: int) -> float:
        """The tolerance of the source of the figures, at least one record."""
        return figures.share_tolerance(measured_by, records)


def _with_imagenet(expected: ClassNames, found: ClassNames) -> ClassNames:
    """The names of a network; of one with 1000 classes without names, as published ones are, ImageNet's.

    They are compared only with names of ImageNet's classes, since the network may be of 1000 others.
    """
    unnamed = expected.names is None and expected.count == _CLASSES
    if unnamed and found.names and all(map(is_imagenet_class, found.names)):
        return replace(expected, names=imagenet_classes(), where=f"{expected.where} (with ImageNet's 1000 classes)")
    return expected

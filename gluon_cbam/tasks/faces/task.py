"""Face recognition as a :class:`gluon_cbam.tasks.Task`."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple, cast

from gluon_cbam.common.errors import UsageError
from gluon_cbam.tasks.classes import Labels
from gluon_cbam.tasks.figures import Figure
from gluon_cbam.tasks.image_augmentation import check_square, steps_of
from gluon_cbam.tasks.objective import Objective
from gluon_cbam.tasks.prediction import Predictor
from gluon_cbam.tasks.protocols import (
    Dataset,
    Model,
    ProcessGroup,
    Progress,
    Settings,
    Start,
    no_progress,
)
from gluon_cbam.tasks.record_task import RecordTask

from .settings import FaceSettings

if TYPE_CHECKING:
    import mxnet as mx
    import numpy as np

    from gluon_cbam.common.files import PathLike
    from gluon_cbam.data.loading.preprocessing import Preprocessing
    from gluon_cbam.data.records.recordio import RecordFile

    from .evaluation import Evaluation
    from .validation_sets import ValidationSets

LOSS = Figure('loss', 'loss', 'loss', higher_is_better=False, unit='nats')
THETA = Figure('theta', 'theta', 'mean angle to the own class', higher_is_better=False, unit='degrees', digits=2)
HARD = Figure('hard', 'hard', 'share of hard images', higher_is_better=False, limits=(0, 1.02))
NORM = Figure('norm', 'norm', 'mean norm of embeddings', higher_is_better=True, digits=2, short_digits=1)
ACCURACY = Figure('accuracy', 'accuracy', 'accuracy of verification', higher_is_better=True, limits=(0.45, 1.02))
_COMPARED = ('_accuracy', '_auc')  # endings of the figures of a set that cards state
_RECORDS = '.rec'
_CUT_SHARE, _CUT_COLOR = 0.5, 128  # of `cutoff` of insightface


class Faces(RecordTask):
    """Face recognition: the label of a picture is its identity, and the network gives embeddings.

    Training data are records, those of insightface or others; validation data are verification sets, see
    :func:`.validation_sets.open_validation_sets`. ``classes`` is the number of identities in training, for which the
    network has no outputs.

    The share of hard images counts those for which, with the margin, another class has a larger logit than their own;
    of triplets, the anchors with a loss. Their angle is the one between an anchor and its positives.
    """

    name = 'faces'
    training_figures = (LOSS, THETA, HARD, NORM)
    validation_figures: Tuple[Figure, ...] = (ACCURACY,)
    best = ACCURACY
    compared = ('accuracy',)
    output_names = ('fc1',)
    settings = FaceSettings
    best_set: Optional[str] = None
    images_filter = 0

    def configured(self, settings: Settings) -> Faces:
        """The task with the verification set that decides."""
        task = copy(self)
        task.images_filter = settings['images_filter']
        task.best_set = settings['best_set']
        if task.best_set is not None:
            name = f'{task.best_set}_accuracy'
            task.best = Figure(
                name, f'{task.best_set} accuracy', f'accuracy on {task.best_set}', True, limits=ACCURACY.limits
            )
            task.validation_figures = (ACCURACY, task.best)
        return task

    def compared_in(self, values: Iterable[str]) -> List[str]:
        """The mean accuracy, and the accuracy and the area under the ROC curve of each set."""
        return [name for name in values if name in self.compared or name.endswith(_COMPARED)]

    def shown_in(self, values: Iterable[str]) -> List[str]:
        """Also the accuracy of each set."""
        names = list(values)
        shown = super().shown_in(names)
        return [*shown, *(name for name in names if name.endswith('_accuracy') and name not in shown)]

    def check_settings(self, settings: Settings) -> None:
        """Check the head and the steps of augmentation, and refuse settings that change labels."""
        from .objective import check_head

        check_head(settings)
        steps_of(settings)
        for name in ('label_smoothing', 'mixup', 'cutmix'):
            if settings[name]:
                raise UsageError(f'--{name.replace("_", "-")} {settings[name]:g} mixes identities: leave it out')

    def labels(self, data_train: PathLike, classes: Optional[int]) -> Labels:
        """As many identities as the settings or ``property`` next to the data say, or as the largest label asks for."""
        from gluon_cbam.data.records.faces import read_property

        if classes is None:
            classes = read_property(Path(data_train).parent)
        if classes is None:
            classes = int(self._open(data_train).labels.max()) + 1
        return Labels(classes, None)

    def check_network(self, net: mx.gluon.Block, network: str, classes: int) -> None:
        """Check that the network gives embeddings."""
        if getattr(net, 'detects', False):
            raise UsageError(f'{network} finds boxes and gives no embeddings: give --task detection')
        if not hasattr(net, 'outputs'):
            raise UsageError(f'{network} gives logits of classes, faces need embeddings: give --option embedding=512')

    def check_labels(self, records: RecordFile, classes: int) -> None:
        """Check that every label is an identity."""
        records.check_labels(classes)

    def open_training(self, path: PathLike, classes: int) -> RecordFile:
        """Open a record file and check its labels."""
        from .identities import with_pictures

        records = super().open_training(path, classes)
        return with_pictures(records, self.images_filter) if self.images_filter > 1 else records

    def open_validation(self, path: PathLike, classes: int) -> ValidationSets:
        """Open verification sets; ``classes`` is without effect: their persons are others."""
        from .validation_sets import open_validation_sets

        return open_validation_sets(path)

    def check_images(self, data: Dataset, workers: int) -> None:
        """Decode every picture of the verification sets once; the set that decides in the run must be one of them."""
        sets = cast('ValidationSets', data)
        if self.best_set is not None and self.best_set not in sets.names:
            raise UsageError(f'--best-set {self.best_set}: {sets.path} has {", ".join(sets.names)}')
        sets.check_images(workers)

    def sample_images(self, path: PathLike, count: int) -> List[np.ndarray]:
        """Sample pictures of records or of verification sets."""
        from .validation_sets import open_validation_sets

        if Path(path).suffix == _RECORDS:
            return super().sample_images(path, count)
        return open_validation_sets(path).sample_images(count)

    def label_hints(self, data: Dataset, classes: int) -> List[str]:
        """Identities without pictures."""
        from gluon_cbam.data.records.label_hints import label_hints

        labels = getattr(data, 'labels', None)
        return [] if labels is None else label_hints(labels, str(data.path), classes)

    def digest(self, data: Dataset) -> str:
        """A hash of the files of all sets."""
        return cast('ValidationSets', data).digest()

    def fingerprint(self, data: Dataset) -> str:
        """See :meth:`.ValidationSets.fingerprint`; of records, of offsets and labels."""
        return super().fingerprint(data) if hasattr(data, 'labels') else cast('ValidationSets', data).fingerprint()

    def contents(self, data: Dataset) -> str:
        """See :meth:`.ValidationSets.contents`, and :func:`gluon_cbam.data.records.contents.contents_hash`."""
        return super().contents(data) if hasattr(data, 'labels') else cast('ValidationSets', data).contents()

    def loading_options(self, data: RecordFile, settings: Settings, batch_size: int) -> Dict[str, Any]:
        """How pictures are decoded, the steps of augmentation, gray squares, and the order of the pictures."""
        from gluon_cbam.data.loading.policies.erasing import Cutout

        from .identities import order_of

        steps = steps_of(settings)
        if settings['cutoff']:
            check_square('cutoff', settings)
            steps.append(Cutout(settings['cutoff'], _CUT_SHARE, _CUT_COLOR))
        return {'decode': settings['decode'], 'further': steps, 'order': order_of(settings, data, batch_size)}

    def objective(self, settings: Settings, preprocessing: Preprocessing, rank: int, data: Dataset) -> Objective:
        """The loss of the head."""
        from .objective import objective_of

        return objective_of(settings, preprocessing)

    def evaluate(
        self,
        start: Start,
        data: ValidationSets,
        prepare: Callable[[np.ndarray], np.ndarray],
        batch_size: int,
        workers: int,
        progress: Progress = no_progress,
        process_group: Optional[ProcessGroup] = None,
    ) -> Evaluation:
        """Verify the pairs of every set."""
        from .evaluation import score

        return score(start, data, prepare, batch_size, workers, progress, process_group)

    def predictor(
        self, model: Model, top: int, names: Optional[Sequence[str]] = None, labels: Optional[PathLike] = None
    ) -> Predictor:
        """The embedding of each image.

        Raises:
            UsageError: names of classes are given, which embeddings have not.
        """
        from .prediction import EmbeddingPredictor

        if labels is not None:
            raise UsageError(f'--labels {labels}: embeddings have no names: leave it out')
        return EmbeddingPredictor()

    def tolerance(self, measured_by: str, records: int) -> float:
        """One pair in a hundred of another decoder, one in a thousand of the same computation, at least one pair."""
        return max({'publisher': 0.01, 'verified': 0.001}[measured_by], 1.01 / records)  # 1.01: they are floats

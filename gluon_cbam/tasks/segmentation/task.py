"""Semantic segmentation as a :class:`gluon_cbam.tasks.Task`."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, cast

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.tasks import figures
from gluon_cbam.tasks.annotated_task import AnnotatedTask
from gluon_cbam.tasks.classes import names_or_numbers
from gluon_cbam.tasks.figures import Figure
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
    TrainingBatches,
    no_progress,
)

from .settings import SegmentationSettings

if TYPE_CHECKING:
    import mxnet as mx
    import numpy as np

    from gluon_cbam.common.files import PathLike
    from gluon_cbam.common.image_size import ImageSize
    from gluon_cbam.data.class_masks.records import MaskRecords
    from gluon_cbam.data.loading.mask_training import MaskBatch
    from gluon_cbam.data.loading.preprocessing import Preprocessing

    from .evaluation import Evaluation
    from .scored import ScoredMasks

LOSS = Figure('loss', 'loss', 'loss', higher_is_better=False, unit='mean over pixels, with the auxiliary head')
PIXEL_LOSS = Figure('pixel_loss', 'pixels', 'cross-entropy of pixels', higher_is_better=False)
AUX_LOSS = Figure('aux_loss', 'aux', 'term of the auxiliary head', higher_is_better=False)
_LIMITS = (0, 1.02)
_FITTED = 4  # pictures of a dry run
MIOU = Figure('miou', 'mIoU', 'mean IoU of the classes', higher_is_better=True, limits=_LIMITS)
PIXEL_ACCURACY = Figure(
    'pixel_accuracy', 'pixel accuracy', 'share of pixels with the right class', higher_is_better=True, limits=_LIMITS
)
MEAN_ACCURACY = Figure(
    'mean_accuracy', 'mean accuracy', 'mean accuracy of the classes', higher_is_better=True, limits=_LIMITS, shown=False
)
# publisher: another decoder and another resizing; verified: the same computation on another processor


class Segmentation(AnnotatedTask):
    """Semantic segmentation: the label of a picture is the class of each of its pixels.

    Data are segmentation records, see :class:`gluon_cbam.data.class_masks.records.MaskRecords`; ``classes.txt`` beside
    them names the classes. Networks have the attribute ``segments``, see
    :class:`gluon_cbam.models.segmentation.segmenter.Segmenter`.
    """

    name = 'segmentation'
    training_figures = (LOSS, PIXEL_LOSS, AUX_LOSS)
    validation_figures = (MIOU, PIXEL_ACCURACY, MEAN_ACCURACY)
    best = MIOU
    compared = ('miou', 'pixel_accuracy', 'mean_accuracy')
    output_names = ('logits',)
    settings = SegmentationSettings
    finds_masks = True
    top = 255

    def configured(self, settings: Settings) -> Segmentation:
        """The task with the figure that decides."""
        task = copy(self)
        task.best = self.figure(settings['best_mask_figure'])
        return task

    def check_settings(self, settings: Settings) -> None:
        """Refuse settings that mix the labels of whole images, and crops that hide a part of a picture."""
        super().check_settings(settings)
        if settings['resize'] == 'crop':
            raise UsageError('--resize crop hides a part of a picture: segmentation takes letterbox or stretch')

    def check_network(self, net: mx.gluon.Block, network: str, classes: int) -> None:
        """Check that the network gives the class of each pixel."""
        if not getattr(net, 'segments', False):
            option = '' if getattr(net, 'detects', False) else f' with --option backbone={network}'
            raise UsageError(f'{network} gives no classes of pixels: take fcn or deeplabv3{option}')

    def open_training(self, path: PathLike, classes: int) -> MaskRecords:
        """Open segmentation records and check their labels; something must count."""
        records = self._open(path)
        records.check_classes(classes)
        if not records.counted:
            raise DataError(f'{records.path}: every pixel of its masks is ignored')
        return records

    def _open(self, path: PathLike) -> MaskRecords:
        from gluon_cbam.data.class_masks.records import MaskRecords

        return MaskRecords(path)

    def check_images(self, data: Dataset, workers: int) -> None:
        """Decode every image and mask once."""
        from gluon_cbam.data.loading.evaluation import load_all

        records = cast('MaskRecords', data)
        load_all(lambda number: records.load(number)[0], len(records), workers)

    def training_batches(
        self,
        data: Dataset,
        settings: Settings,
        preprocessing: Preprocessing,
        batch_size: int,
        process_group: ProcessGroup,
    ) -> TrainingBatches:
        """The batches of a run, pictures and masks augmented together."""
        from gluon_cbam.data.loading.mask_training import MaskData

        return load_batches(
            MaskData, data, settings, preprocessing, batch_size, process_group,
            base_size=settings['base_size'],
        )  # fmt: skip

    def objective(self, settings: Settings, preprocessing: Preprocessing, rank: int, data: Dataset) -> Objective:
        """The cross-entropy of the pixels."""
        from .objective import SegmentationObjective

        return SegmentationObjective(settings, preprocessing)

    def rows_to_fit(self, batch: Sequence[mx.nd.NDArray]) -> List[int]:
        """A few pictures."""
        return list(range(min(_FITTED, len(batch[0]))))

    def batch_figures(self, batch: Sequence[mx.nd.NDArray], outputs: Sequence[np.ndarray]) -> Dict[str, float]:
        """Mean IoU and pixel accuracy on the pictures of a batch, in pixels of the network's input."""
        from .evaluation import batch_figures

        return batch_figures(cast('MaskBatch', batch).masks.asnumpy(), outputs[0])

    def labeled_pictures(
        self, batch: Sequence[mx.nd.NDArray], names: Optional[Sequence[str]] = None
    ) -> List[LabeledPicture]:
        """The pictures in the colors of the classes of their pixels."""
        from .shown import labeled_pictures

        return labeled_pictures(cast('MaskBatch', batch), names)

    def evaluate(
        self,
        start: Start,
        data: MaskRecords,
        prepare: Prepare,
        batch_size: int,
        workers: int,
        progress: Progress = no_progress,
        process_group: Optional[ProcessGroup] = None,
    ) -> Evaluation:
        """Mean IoU and accuracy over all pixels that are not ignored."""
        from .evaluation import evaluate

        return evaluate(start, data, prepare, batch_size, workers, progress, process_group)

    def scored(self, data: Any, evaluation: figures.Evaluation, model: Optional[Model] = None) -> ScoredMasks:
        """The pictures, their true masks and some that were found."""
        from .scored import ScoredMasks

        records, found = cast('MaskRecords', data), cast('Evaluation', evaluation)
        return ScoredMasks(
            records.path.stem, found.scores, found.pictures, lambda number: f'record {number}', records.load
        )

    def predictor(
        self, model: Model, top: int, names: Optional[Sequence[str]] = None, labels: Optional[PathLike] = None
    ) -> Predictor:
        """The class of each pixel of each image."""
        from .prediction import MaskPredictor

        return MaskPredictor(model.preprocessing, tuple(names or names_or_numbers(model, labels)), top)

    def tolerance(self, measured_by: str, records: int) -> float:
        """The tolerance of the source of the figures."""
        return figures.TOLERANCES[measured_by]

    def example_batch(self, images: int, image_size: ImageSize, classes: int) -> MaskBatch:
        """Noise, with a random class for each pixel."""
        from .examples import noise_batch

        return noise_batch(images, image_size, classes)

    def write_example(self, path: PathLike, images: int, classes: int) -> None:
        """Black images of one class each, ``0 .. classes - 1`` in turn."""
        from .examples import write_black_images

        write_black_images(path, images, classes)

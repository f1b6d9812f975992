"""Object detection as a :class:`gluon_cbam.tasks.Task`."""

from __future__ import annotations

import hashlib
import json
from copy import copy
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple, Union, cast

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.image_size import square_side
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

from .settings import OF_SSD, DetectionSettings, check_sizes, image_sizes
from .terms import LOSS, TERMS, WITH_MASKS, kind_of

if TYPE_CHECKING:
    import mxnet as mx
    import numpy as np

    from gluon_cbam.common.files import PathLike
    from gluon_cbam.common.image_size import ImageSize
    from gluon_cbam.data.boxes.records import BoxRecords
    from gluon_cbam.data.loading.box_mask_training import MaskedDetectionBatch
    from gluon_cbam.data.loading.box_training import DetectionBatch
    from gluon_cbam.data.loading.preprocessing import Preprocessing

    from .evaluation import Evaluation
    from .scored import ScoredBoxes

_LIMITS = (0, 1.02)
_FITTED = 4  # pictures of a dry run
AP = Figure('ap', 'AP', 'AP at IoU 0.50 to 0.95', higher_is_better=True, limits=_LIMITS)
AP50 = Figure('ap50', 'AP50', 'AP at IoU 0.50', higher_is_better=True, limits=_LIMITS)
AP75 = Figure('ap75', 'AP75', 'AP at IoU 0.75', higher_is_better=True, limits=_LIMITS, shown=False)
VOC07 = Figure('voc07', 'VOC07', 'mAP of Pascal VOC 2007', higher_is_better=True, limits=_LIMITS)
MASK_AP = Figure('mask_ap', 'mask AP', 'AP of masks at IoU 0.50 to 0.95', higher_is_better=True, limits=_LIMITS)
MASK_AP50 = Figure('mask_ap50', 'mask AP50', 'AP of masks at IoU 0.50', higher_is_better=True, limits=_LIMITS)
# publisher: another decoder and another resizing; verified: the same computation on another processor, where a few
# detections change their order


class Detection(AnnotatedTask):
    """Object detection: the label of a picture is its boxes with their classes.

    Data are detection records, see :class:`gluon_cbam.data.boxes.records.BoxRecords`; ``classes.txt`` beside them names
    the classes. Networks have the attribute ``detects``, see :class:`gluon_cbam.models.detection.detector.Detector`.
    """

    name = 'detection'
    training_figures = (LOSS, *TERMS[kind_of(None)])
    validation_figures: Tuple[Figure, ...] = (AP, AP50, AP75, VOC07)
    best = AP
    compared = ('ap', 'ap50', 'ap75', 'voc07', 'mask_ap', 'mask_ap50')
    output_names = ('detections', 'masks')
    settings = DetectionSettings
    finds_boxes = True
    top = 100
    _sizes: Sequence[int] = ()
    _masks_for = ''  # the network that needs masks

    def configured(self, settings: Settings) -> Detection:
        """The task with the figure that decides, and the terms of the loss of its detector."""
        task, kind = copy(self), kind_of(settings['network'])
        if kind in WITH_MASKS:
            task._masks_for = settings['network']
            task.validation_figures = (*self.validation_figures, MASK_AP, MASK_AP50)
        task.best = task.figure(settings['best_figure'])
        task.training_figures = (LOSS, *TERMS[kind])
        task._sizes = image_sizes(settings['multi_scale'])
        return task

    def check_settings(self, settings: Settings) -> None:
        """Refuse settings that mix the labels of whole images, and sizes that are none."""
        image_sizes(settings['multi_scale'])
        super().check_settings(settings)
        if settings['best_figure'].startswith(MASK_AP.name) and kind_of(settings['network']) not in WITH_MASKS:
            raise UsageError(
                f'--best-figure {settings["best_figure"]} is for detectors of masks, which {settings["network"]} is '
                'not: take mask_rcnn_fpn, or ap'
            )
        for name in OF_SSD if kind_of(settings['network']) != 'ssd' else ():
            if settings[name] != DetectionSettings.__dataclass_fields__[name].default:
                given = f'--{name.replace("_", "-")} {settings[name]:g}'
                raise UsageError(f'{given} is for SSD, which {settings["network"]} is not: leave it out')

    def check_network(self, net: mx.gluon.Block, network: str, classes: int) -> None:
        """Check that the network is a detector, and takes the sizes of ``--multi-scale``."""
        if not getattr(net, 'detects', False):
            option = '' if getattr(net, 'segments', False) else f' --option backbone={network}'
            raise UsageError(f'{network} finds no boxes: take a detector, such as ssd_300{option}')
        check_sizes(net, self._sizes)

    def open_training(self, path: PathLike, classes: int) -> BoxRecords:
        """Open detection records and check their boxes."""
        records = self._open(path)
        records.check_classes(classes)
        if self._masks_for and not records.read_segmentations():
            raise DataError(
                f'{records.path}: no object has a mask, which {self._masks_for} is trained with: pack data with '
                'segmentations, or take a detector of boxes, such as faster_rcnn_fpn'
            )
        return records

    def open_validation(self, path: PathLike, classes: int) -> BoxRecords:
        """Open detection records and check their boxes; something must count."""
        records = self.open_training(path, classes)
        if not records.counted:
            raise DataError(f'{records.path} has no object, crowds aside: there is nothing to measure')
        return records

    def _open(self, path: PathLike) -> BoxRecords:
        from gluon_cbam.data.boxes.records import BoxRecords

        return BoxRecords(path)

    def check_images(self, data: Dataset, workers: int) -> None:
        """Decode every image once."""
        from gluon_cbam.data.loading.evaluation import check_images

        check_images(cast('BoxRecords', data).records, workers)

    def fingerprint(self, data: Dataset) -> str:
        """A short hash of the offsets, the boxes and the masks of the records; the images are not read."""
        records = cast('BoxRecords', data)
        content = (
            records.offsets.astype('<i8').tobytes()
            + records.counts.astype('<i8').tobytes()
            + records.objects.astype('<f4').tobytes()
        )
        if records.segmentations:
            content += json.dumps(sorted(records.segmentations.items())).encode()
        return hashlib.sha256(content).hexdigest()[:16]

    def training_batches(
        self,
        data: Dataset,
        settings: Settings,
        preprocessing: Preprocessing,
        batch_size: int,
        process_group: ProcessGroup,
    ) -> TrainingBatches:
        """The batches of a run, pictures and boxes augmented together."""
        from gluon_cbam.data.loading.box_mask_training import MaskedDetectionData
        from gluon_cbam.data.loading.box_training import DetectionData

        sizes = image_sizes(settings['multi_scale'])
        if sizes:
            square_side(preprocessing.image_size, '--multi-scale')
        loader: Callable[..., TrainingBatches] = MaskedDetectionData if self._masks_for else DetectionData
        return load_batches(
            loader, data, settings, preprocessing, batch_size, process_group,
            ignore_difficult=settings['ignore_difficult'], image_sizes=sizes,
        )  # fmt: skip

    def objective(self, settings: Settings, preprocessing: Preprocessing, rank: int, data: Dataset) -> Objective:
        """The loss of the detector."""
        from .objective import DetectionObjective

        return DetectionObjective(settings, preprocessing, cast('BoxRecords', data))

    def rows_to_fit(self, batch: Sequence[mx.nd.NDArray]) -> List[int]:
        """A few pictures that have objects."""
        objects = (cast('DetectionBatch', batch).boxes.asnumpy()[:, :, 0] >= 0).any(axis=1)
        return [number for number, some in enumerate(objects.tolist()) if some][:_FITTED]

    def batch_figures(self, batch: Sequence[mx.nd.NDArray], outputs: Sequence[np.ndarray]) -> Dict[str, float]:
        """AP and AP50 on the pictures of a batch, in pixels of the network's input; of its masks, too."""
        from .fitting import batch_figures

        return batch_figures([array.asnumpy() for array in batch], outputs)

    def labeled_pictures(
        self, batch: Sequence[mx.nd.NDArray], names: Optional[Sequence[str]] = None
    ) -> List[LabeledPicture]:
        """The pictures with their boxes."""
        from .shown import labeled_pictures

        return labeled_pictures(cast('DetectionBatch', batch), names)

    def evaluate(
        self,
        start: Start,
        data: BoxRecords,
        prepare: Prepare,
        batch_size: int,
        workers: int,
        progress: Progress = no_progress,
        process_group: Optional[ProcessGroup] = None,
    ) -> Evaluation:
        """The figures of COCO and Pascal VOC over all images."""
        from .evaluation import evaluate

        return evaluate(start, data, prepare, batch_size, workers, progress, process_group)

    def scored(self, data: Any, evaluation: figures.Evaluation, model: Optional[Model] = None) -> ScoredBoxes:
        """The boxes that an evaluation of records is of."""
        from gluon_cbam.data.boxes.segmentation_files import read_category_ids
        from gluon_cbam.data.records.images import decode_record

        from .scored import ScoredBoxes

        records, found = cast('BoxRecords', data), cast('Evaluation', evaluation)
        return ScoredBoxes(
            name=records.path.stem, truths=found.results.truths, detections=found.results.detections,
            scores=found.scores, image_name=lambda number: f'record {number}',
            load=lambda number: decode_record(records.records, number), image_ids=records.records.ids.tolist(),
            category_ids=read_category_ids(records.path, found.scores.classes),
        )  # fmt: skip

    def predictor(
        self, model: Model, top: int, names: Optional[Sequence[str]] = None, labels: Optional[PathLike] = None
    ) -> Predictor:
        """The boxes of each image, the surest first."""
        from .prediction import BoxPredictor

        return BoxPredictor(model.preprocessing, tuple(names or names_or_numbers(model, labels)), top)

    def tolerance(self, measured_by: str, records: int) -> float:
        """The tolerance of the source of the figures, at least one image."""
        return figures.share_tolerance(measured_by, records)

    def example_batch(
        self, images: int, image_size: ImageSize, classes: int
    ) -> Union[DetectionBatch, MaskedDetectionBatch]:
        """Noise, and three boxes an image, with masks where the network needs them."""
        from .examples import noise_batch

        return noise_batch(images, image_size, classes, bool(self._masks_for))

    def write_example(self, path: PathLike, images: int, classes: int) -> None:
        """Black images with a box each, of the classes 0 .. ``classes - 1`` in turn."""
        from .examples import write_black_images

        write_black_images(path, images, classes)

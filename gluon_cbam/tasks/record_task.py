"""The base of tasks with record files: each record has an image and a label."""

from __future__ import annotations

from abc import abstractmethod
from copy import copy
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, cast

from .base import Task
from .labeled_pictures import LabeledPicture, with_label
from .loading import load_batches
from .protocols import Dataset, ProcessGroup, Settings, TrainingBatches

if TYPE_CHECKING:
    import mxnet as mx
    import numpy as np

    from gluon_cbam.common.files import PathLike
    from gluon_cbam.common.image_size import ImageSize
    from gluon_cbam.data.loading.preprocessing import Preprocessing
    from gluon_cbam.data.loading.training import Batch
    from gluon_cbam.data.records.recordio import RecordFile


class RecordTask(Task):
    """A task whose training and validation data are ``.rec`` files with a number as the label of a record.

    A task that reads several labels of a record sets ``one_label`` to False, and takes them from
    :meth:`gluon_cbam.data.records.recordio.RecordFile.labels_of`.

    Attributes:
        one_label: whether the label of a record is one number; records with several are refused then, unless
            ``label_index`` chooses one.
        label_index: the label of a record that is used, from 0; None for the only one.
    """

    one_label = True
    label_index: Optional[int] = None

    def with_label_index(self, index: Optional[int]) -> RecordTask:
        """The task that uses another label of each record."""
        if not self.one_label:
            super().with_label_index(index)
        task = copy(self)
        task.label_index = index
        return task

    @abstractmethod
    def check_labels(self, records: RecordFile, classes: int) -> None:
        """Check the labels of a file.

        Args:
            records: the file.
            classes: outputs of the network.

        Raises:
            DataError: a label is not valid for this task.
        """

    def open_training(self, path: PathLike, classes: int) -> RecordFile:
        """Open a record file and check its labels."""
        records = self._open(path)
        self.check_labels(records, classes)
        return records

    def _open(self, path: PathLike) -> RecordFile:
        """Open a record file; each record has the label that the task uses."""
        from gluon_cbam.data.records.recordio import RecordFile

        records = RecordFile(path, label_index=self.label_index)
        if self.one_label:
            records.check_label_counts()
        return records

    def check_images(self, data: Dataset, workers: int) -> None:
        """Decode every image once."""
        from gluon_cbam.data.loading.evaluation import check_images

        check_images(cast('RecordFile', data), workers)

    def sample_images(self, path: PathLike, count: int) -> List[np.ndarray]:
        """Sample images of a record file, evenly spaced."""
        from gluon_cbam.data.records.images import evenly_spaced

        return evenly_spaced(self._open(path), count)

    def fingerprint(self, data: Dataset) -> str:
        """A short hash of the offsets and labels of the records; the images are not read."""
        from gluon_cbam.data.records.contents import labels_hash

        records = cast('RecordFile', data)
        return labels_hash(records.offsets, records.labels)

    def contents(self, data: Dataset) -> str:
        """See :func:`gluon_cbam.data.records.contents.contents_hash`."""
        from gluon_cbam.data.records.contents import contents_hash

        return contents_hash(cast('RecordFile', data))

    def training_batches(
        self,
        data: Dataset,
        settings: Settings,
        preprocessing: Preprocessing,
        batch_size: int,
        process_group: ProcessGroup,
    ) -> TrainingBatches:
        """The batches of a run, augmented as its settings state."""
        from gluon_cbam.data.loading.training import TrainingData

        options = self.loading_options(cast('RecordFile', data), settings, batch_size)
        return load_batches(TrainingData, data, settings, preprocessing, batch_size, process_group, **options)

    def loading_options(self, data: RecordFile, settings: Settings, batch_size: int) -> Dict[str, Any]:
        """Further arguments of :class:`gluon_cbam.data.loading.training.TrainingData` that a task has settings for."""
        return {}

    def labeled_pictures(
        self, batch: Sequence[mx.nd.NDArray], names: Optional[Sequence[str]] = None
    ) -> List[LabeledPicture]:
        """The images with the names of their labels."""
        return with_label(batch[0].asnumpy(), batch[1].asnumpy(), names)

    def example_batch(self, images: int, image_size: ImageSize, classes: int) -> Batch:
        """Noise and random integers below ``classes`` as labels."""
        import mxnet as mx
        import numpy as np

        from gluon_cbam.common.image_size import height_width
        from gluon_cbam.data.loading.training import Batch

        random = np.random.RandomState(0)
        pixels = random.randint(0, 256, (images, *height_width(image_size), 3), np.uint8)
        return Batch(mx.nd.array(pixels, dtype='uint8'), mx.nd.array(random.randint(0, classes, images)))

    def write_example(self, path: PathLike, images: int, classes: int) -> None:
        """Black images with the labels 0 .. ``classes - 1`` in turn."""
        import cv2
        import numpy as np

        from gluon_cbam.data.records.recordio import RecordWriter

        image = cv2.imencode('.png', np.zeros((8, 8, 3), np.uint8))[1].tobytes()
        with RecordWriter(path) as writer:
            for number in range(images):
                writer.write(number % classes, image)

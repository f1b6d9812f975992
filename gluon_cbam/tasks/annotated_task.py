"""The base of tasks whose records have annotations: boxes, masks, or any number of labels."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, List, Optional, cast

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.class_names import ClassNames, compare, names_beside

from .base import Task
from .classes import ClassCheck, Labels
from .protocols import Dataset, Settings

if TYPE_CHECKING:
    import numpy as np

    from gluon_cbam.common.files import PathLike

_OF_WHOLE_IMAGES = ('label_smoothing', 'mixup', 'cutmix')


class AnnotatedTask(Task):
    """A task whose data are records with annotations; ``classes.txt`` beside them names the classes."""

    @abstractmethod
    def _open(self, path: PathLike) -> Any:
        """Open the records, which have ``records``, their file, and ``classes``, as many as their annotations need."""

    def check_settings(self, settings: Settings) -> None:
        """Refuse settings that mix or choose the labels of whole images."""
        for name in _OF_WHOLE_IMAGES:
            if settings[name]:
                given = f'--{name.replace("_", "-")} {settings[name]:g}'
                raise UsageError(f'{given} is for images with one label: leave it out')
        if settings['label_index'] is not None:
            self.with_label_index(settings['label_index'])

    def labels(self, data_train: PathLike, classes: Optional[int]) -> Labels:
        """As many classes as the settings or ``classes.txt`` say, or as the largest class of the annotations needs."""
        names = names_beside(data_train).names
        if classes is None:
            classes = len(names) if names else self._open(data_train).classes
        return Labels(classes, names if names and len(names) == classes else None)

    def class_names(self, path: PathLike) -> ClassNames:
        """The names in ``classes.txt`` next to the data."""
        return names_beside(path)

    def compare_classes(
        self, expected: ClassNames, found: ClassNames, ignore: bool = False, moved: bool = False
    ) -> ClassCheck:
        """Compare index by index."""
        if ignore:
            return ClassCheck(False)
        reason = compare(expected, found, moved=moved)
        return ClassCheck(reason is None, () if reason is None else (reason,))

    def sample_images(self, path: PathLike, count: int) -> List[np.ndarray]:
        """Sample images of a record file, evenly spaced; annotations are not read."""
        from gluon_cbam.data.records.images import evenly_spaced
        from gluon_cbam.data.records.recordio import RecordFile

        return evenly_spaced(RecordFile(path), count)

    def fingerprint(self, data: Dataset) -> str:
        """A short hash of the offsets and labels of the records; images and annotations of their parts are not read."""
        from gluon_cbam.data.records.contents import labels_hash

        records = cast(Any, data)
        return labels_hash(records.records.offsets, records.labels)

    def contents(self, data: Dataset) -> str:
        """See :func:`gluon_cbam.data.records.contents.contents_hash`."""
        from gluon_cbam.data.records.contents import contents_hash

        return contents_hash(cast(Any, data).records)

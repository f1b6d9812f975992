"""Predictions written as annotations, for programs that label pictures: COCO, Pascal VOC, YOLO or CSV."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Dict, Sequence

from gluon_cbam.common.errors import DataError, UsageError, closest
from gluon_cbam.common.files import PathLike, disk_errors, refuse_existing
from gluon_cbam.common.printable import printable
from gluon_cbam.data.boxes.columns import BoxRows
from gluon_cbam.data.boxes.writing import WRITERS, Output
from gluon_cbam.tasks.detection.prediction import BoxPrediction
from gluon_cbam.tasks.prediction import ImageReference

_SPLIT = 'train'  # the name that all formats know


def picture_name(image: ImageReference, ending: str = '.png') -> str:
    """The name of a picture without folders; a record or a frame is named after its file and its number.

    Args:
        image: the picture.
        ending: of the name of a record or a frame.
    """
    path = PurePath(image.file)
    return path.name if image.number is None else f'{path.stem}-{image.number:06d}{ending}'


class Annotations:
    """Collects predictions, and writes them as a folder of annotations; the pictures are not copied.

    Scores are not written: the formats have none for annotations. COCO's have the masks, others boxes alone.

    Args:
        folder: the folder; it must be empty or not exist.
        form: a key of :data:`gluon_cbam.data.boxes.writing.WRITERS`.
        classes: names of the classes.

    Raises:
        UsageError: there is no such format, or the folder is not empty.
    """

    def __init__(self, folder: PathLike, form: str, classes: Sequence[str]) -> None:
        if form not in WRITERS:
            raise UsageError(f'unknown format of annotations {form!r}: {closest(form, WRITERS)}')
        self._folder, self._writer, self._classes = Path(folder), WRITERS[form], classes
        if self._folder.is_file() or (self._folder.is_dir() and any(self._folder.iterdir())):
            raise UsageError(f'{printable(self._folder)} exists and is not empty: give another folder')
        refuse_existing([self._folder / 'annotations'], overwrite=True)
        self._rows = BoxRows()
        self._files: Dict[str, str] = {}  # name, or name without its ending -> the picture that has it

    def add(self, prediction: BoxPrediction) -> None:
        """Add a prediction; pictures that could not be read are left out.

        Raises:
            DataError: another picture has the same name.
        """
        if prediction.error is not None or prediction.image.size is None:
            return
        name = picture_name(prediction.image)
        key = name.rpartition('.')[0] if self._writer.stems else name
        other = self._files.setdefault(key, prediction.name)
        if other != prediction.name:
            raise DataError(
                f'{printable(other)} and {printable(prediction.name)} would have one file of annotations: predict them '
                'in two calls'
            )
        owner = self._rows.image(name, *prediction.image.size)
        for number, box in enumerate(prediction.boxes):
            area = float(box.mask().sum()) if box.segmentation else float('nan')
            self._rows.box(owner, box.corners, box.number, number, area=area, segmentation=box.segmentation)

    def write(self) -> None:
        """Write the folder, whole or not at all."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        with disk_errors(self._folder), TemporaryDirectory(prefix='.writing-', dir=self._folder.parent) as temporary:
            made = Path(temporary) / 'set'
            made.mkdir()
            self._writer.write(made, [Output(_SPLIT, self._rows.columns())], self._classes)
            os.replace(made, self._folder)

"""The options of ``cbam predict`` for networks that find boxes or masks: which boxes, pictures, annotations."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple, cast

import click

from gluon_cbam.cli.options import NumberRange, add_options
from gluon_cbam.common.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from gluon_cbam.data.sources.images import ImageSource
    from gluon_cbam.detection.annotations import Annotations
    from gluon_cbam.detection.drawn_pictures import DrawnPictures
    from gluon_cbam.inference.prediction import See
    from gluon_cbam.inference.session import Session
    from gluon_cbam.tasks.detection.prediction import BoxPrediction, BoxPredictor
    from gluon_cbam.tasks.prediction import Prediction, Predictor
    from gluon_cbam.tasks.segmentation.prediction import MaskPredictor

_FORMATS = ('coco', 'voc', 'yolo', 'csv')  # the keys of a table that imports numpy
BOXES = ('threshold', 'only', 'tiles', 'draw', 'masks', 'annotations', 'annotations_format')
"""The parameters of :data:`box_options`."""
box_options = add_options(
    [
        click.option(
            '--threshold', type=NumberRange(0, 1), metavar='X',
            help='least score of a box, or probability of one of several labels  [any box, labels from 0.5]',
        ),
        click.option('--only', multiple=True, metavar='CLASS', help='boxes of this class alone; repeat for more'),
        click.option(
            '--tiles', type=click.IntRange(8), metavar='N',
            help='cut large pictures into tiles of N pixels that overlap, and merge their boxes  [whole pictures]',
        ),
        click.option('--draw', metavar='DIR', help='also write each picture with its boxes or mask to a folder'),
        click.option('--masks', metavar='DIR', help='also write the class of each pixel to a folder, as PNG'),
        click.option('--annotations', metavar='DIR', help='also write the boxes as annotations to a new folder'),
        click.option(
            '--annotations-format', type=click.Choice(_FORMATS), default='coco', show_default=True,
            help='format of --annotations',
        ),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class BoxOptions:
    """What the options say; see :data:`box_options`."""

    threshold: Optional[float]
    only: Tuple[str, ...]
    tiles: Optional[int]
    draw: Optional[str]
    masks: Optional[str]
    annotations: Optional[str]
    annotations_format: str

    @classmethod
    def taken_from(cls, options: Dict[str, Any]) -> BoxOptions:
        """Take the options out of all of a command."""
        return cls(**{name: options.pop(name) for name in BOXES})

    def predictor(self, predictor: Predictor) -> Predictor:
        """The predictor of the boxes that are asked for.

        Raises:
            UsageError: the predictor gives no boxes, or the network has no such class.
        """
        return predictor.filtered(self.threshold, self.only) if self.threshold is not None or self.only else predictor

    def predictions(
        self, session: Session, sources: Iterator[ImageSource], predictor: Predictor, see: Optional[See], **options: Any
    ) -> Iterator[Prediction]:
        """The predictions for images, of whole ones or in tiles; see :func:`gluon_cbam.inference.prediction.predict`.

        Raises:
            UsageError: a camera's images are asked for in tiles.
        """
        from gluon_cbam.inference.prediction import predict

        if self.tiles is None:
            return predict(session, sources, predictor=predictor, see=see, **options)
        from gluon_cbam.detection.tiling import predict_tiles

        if options.pop('live'):
            raise UsageError(f'--tiles {self.tiles} is for pictures: leave it out with --camera')
        return predict_tiles(session, sources, cast('BoxPredictor', predictor), self.tiles, see=see, **options)

    def outputs(self, session: Session, predictor: Predictor) -> BoxOutputs:
        """The files that are asked for, checked and not written yet.

        Raises:
            UsageError: the network finds no boxes or masks, or a folder cannot be taken.
        """
        if session.task.finds_masks:
            return self._of_masks(session, predictor)
        if self.masks:
            raise UsageError(f'--masks {self.masks}: {session.name} gives no classes of pixels: leave it out')
        given = {'--tiles': self.tiles, '--draw': self.draw, '--annotations': self.annotations}
        asked = [f'{flag} {value}' for flag, value in given.items() if value]
        if asked and not session.task.finds_boxes:
            raise UsageError(f'{asked[0]}: {session.name} finds no boxes: leave it out')
        result = BoxOutputs()
        if self.annotations:
            from gluon_cbam.detection.annotations import Annotations

            names = cast('BoxPredictor', predictor).names
            result.annotations = Annotations(self.annotations, self.annotations_format, names)
        if self.draw:
            from gluon_cbam.detection.drawn_pictures import DrawnPictures, drawn_boxes

            result.pictures.append(DrawnPictures(self.draw, drawn_boxes(cast('BoxPredictor', predictor).names)))
        return result

    def _of_masks(self, session: Session, predictor: Predictor) -> BoxOutputs:
        """The files of a network of segmentation."""
        from gluon_cbam.detection.drawn_pictures import DrawnPictures
        from gluon_cbam.segmentation.predicted_masks import drawn_masks, palette_mask

        given = {'--tiles': self.tiles, '--annotations': self.annotations}
        asked = [f'{flag} {value}' for flag, value in given.items() if value]
        if asked:
            raise UsageError(f'{asked[0]}: {session.name} finds no boxes: leave it out')
        result = BoxOutputs()
        if self.masks:
            result.pictures.append(DrawnPictures(self.masks, palette_mask))
        if self.draw:
            if self.masks and Path(self.masks).resolve() == Path(self.draw).resolve():
                raise UsageError(f'--draw {self.draw} is the folder of --masks: give another one')
            result.pictures.append(DrawnPictures(self.draw, drawn_masks(cast('MaskPredictor', predictor).names)))
        return result


@dataclass
class BoxOutputs:
    """Files of boxes or masks besides the formats of predictions.

    Attributes:
        annotations: the annotations, or None.
        pictures: the folders of pictures.
    """

    annotations: Optional[Annotations] = None
    pictures: List[DrawnPictures] = field(default_factory=list)

    def see(self, prediction: Prediction, pixels: np.ndarray) -> None:
        """Draw a picture."""
        for pictures in self.pictures:
            pictures.add(prediction, pixels)

    def add(self, prediction: Prediction) -> None:
        """Keep the annotations of a picture."""
        if self.annotations is not None:
            self.annotations.add(cast('BoxPrediction', prediction))

    def end(self) -> None:
        """Write what can only be written after the last picture."""
        if self.annotations is not None:
            self.annotations.write()

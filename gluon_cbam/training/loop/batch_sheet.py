"""A picture of the first training batch of a run, as the network gets it but for mixup and CutMix."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Sequence

import cv2
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike, atomic_path
from gluon_cbam.common.printable import printable
from gluon_cbam.tasks.labeled_pictures import LabeledPicture
from gluon_cbam.training.config.train_config import TrainConfig
from gluon_cbam.training.setup import prepare

_MOST, _COLUMNS = 32, 8  # pictures
_SIDES = (96, 256)  # smallest and largest longer side of a picture, in pixels
_GAP, _LINE, _FONT, _DPI = 6, 16, 9, 100  # pixels, but for the last one
_LETTER = 6.5  # pixels of width, about


@dataclass(frozen=True)
class BatchSheet:
    """The picture of a batch.

    Attributes:
        picture: path of the file.
        images: how many images it shows.
        batch_size: images of the batch.
        image_size: height and width of an image, in pixels.
    """

    picture: str
    images: int
    batch_size: int
    image_size: Sequence[int]

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name, as JSON holds them."""
        return asdict(self)

    def as_text(self) -> str:
        """Human-readable."""
        height, width = self.image_size
        return f'{self.images} of the {self.batch_size} images of the first batch, {width} x {height}: {self.picture}'


def show_batch(config: TrainConfig, picture: PathLike) -> BatchSheet:
    """Draw the first batch of a run with its labels; nothing is trained.

    Args:
        config: the settings of the run.
        picture: path of the picture to write, ending in ``.png``.

    Returns:
        What the picture shows.

    Raises:
        CbamError: see :func:`gluon_cbam.training.loop.trainer.train`.
        UsageError: the picture is no ``.png`` file.
    """
    path = Path(picture)
    if path.suffix.lower() != '.png':
        raise UsageError(f'the picture is a .png file, got {str(picture)!r}')
    setup = prepare(config)
    with closing(setup.data.epoch(0)) as batches:
        batch = next(batches)
    pictures = setup.task.labeled_pictures(batch, setup.class_names)
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(pictures[:_MOST], path)
    return BatchSheet(str(path), min(len(pictures), _MOST), len(pictures), pictures[0].pixels.shape[:2])


def draw_sheet(pictures: Sequence[LabeledPicture], path: Path) -> None:
    """Draw pictures of one size in rows of eight, with their labels below.

    Args:
        pictures: the pictures.
        path: the PNG file.
    """
    from matplotlib.figure import Figure

    height, width = pictures[0].pixels.shape[:2]
    longer = max(height, width)
    scale = min(max(longer, _SIDES[0]), _SIDES[1]) / longer
    tall, wide = max(1, round(height * scale)), max(1, round(width * scale))
    columns = min(_COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (tall + _LINE + _GAP) + _GAP, columns * (wide + _GAP) + _GAP, 3), 255, np.uint8)
    figure = Figure(figsize=(sheet.shape[1] / _DPI, sheet.shape[0] / _DPI), dpi=_DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for number, each in enumerate(pictures):
        row, column = divmod(number, columns)
        top, left = _GAP + row * (tall + _LINE + _GAP), _GAP + column * (wide + _GAP)
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
        resized = cv2.resize(each.pixels, (wide, tall), interpolation=way).reshape(tall, wide, -1)
        sheet[top : top + tall, left : left + wide] = resized
        axes.text(left, top + tall + 2, _shortened(each.text, wide), fontsize=_FONT * 72 / _DPI, va='top',
                  parse_math=False)  # fmt: skip
    axes.set_xlim(0, sheet.shape[1])
    axes.set_ylim(sheet.shape[0], 0)
    # below the labels, pixel by pixel: imshow repeats a column where the width is rounded
    figure.figimage(sheet, origin='upper', zorder=-1)
    with atomic_path(path) as temporary:
        figure.savefig(str(temporary), format='png')


def _shortened(text: str, width: int) -> str:
    """As much of a text as fits into a width, in pixels."""
    letters, text = int(width / _LETTER), printable(text)
    return text if len(text) <= letters else text[: max(letters - 3, 1)] + '...'

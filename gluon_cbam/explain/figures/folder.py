"""A folder of pictures, and the report of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence, Union

from gluon_cbam.common.files import PathLike, write_text
from gluon_cbam.explain.explaining import Explanation, Unreadable

from . import report as report_file
from .image_figure import draw
from .naming import PictureNames

REPORT = 'report.html'


@dataclass(frozen=True)
class Written:
    """What :func:`write` wrote.

    Attributes:
        images: an object for each image that could be read, as ``cbam explain --json`` has it.
        unreadable: the others.
        report: its path, or None.
    """

    images: List[Dict[str, Any]]
    unreadable: List[Unreadable]
    report: Optional[str]

    def as_dict(self) -> Dict[str, Any]:
        """As JSON holds it."""
        unreadable = [bad._asdict() for bad in self.unreadable]
        return {'images': self.images, 'report': self.report, 'unreadable': unreadable}

    def as_text(self) -> str:
        """A line for each image."""
        lines = [f'{image["file"]} -> {image["picture"]}{_said(image["top"])}' for image in self.images]
        return '\n'.join([*lines, *([f'report: {self.report}'] if self.report else [])])


def _said(top) -> str:
    return f': {top[0]["label"]} {top[0]["probability"]:.4f}' if top else ''


def write(
    explained: Iterable[Union[Explanation, Unreadable]],
    folder: PathLike,
    inputs: Sequence[str],
    network: str,
    method: str,
    channels: int,
    report: bool,
) -> Written:
    """Write the picture of every image, as it comes, and the report at the end.

    Args:
        explained: of :func:`.explaining.explain`.
        folder: made if it does not exist.
        inputs: paths of all images; none is written over.
        network: its name.
        method: of Grad-CAM.
        channels: as of :func:`.picture.draw`.
        report: whether to write ``report.html``.
    """
    folder = Path(folder)
    name, images, unreadable, rows = PictureNames(folder, inputs), [], [], []
    for item in explained:
        if isinstance(item, Unreadable):
            unreadable.append(item)
            continue
        folder.mkdir(parents=True, exist_ok=True)  # not before there is something to write
        path = name(item.file)
        maps = draw(item, path, network, method, channels)
        top = [guess.as_dict() for guess in item.top]
        images.append({'file': item.file, 'picture': str(path), 'top': top, 'maps': maps})
        if report:
            rows.append(report_file.row(item, path.name))
    if report:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / REPORT, report_file.page(network, method, rows, unreadable))
    return Written(images, unreadable, str(folder / REPORT) if report else None)

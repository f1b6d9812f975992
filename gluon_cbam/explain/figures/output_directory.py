"""The directory of figures: a figure for each image and their report, or one figure of a comparison."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Union

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike, refuse_existing, write_text
from gluon_cbam.common.printable import printable
from gluon_cbam.data.sources.image_files import STANDARD_INPUT
from gluon_cbam.explain.images.comparison import Cell, Comparison
from gluon_cbam.explain.images.explanation import Explanation, UnreadableImage
from gluon_cbam.tasks.prediction import ImageReference

from .comparison_figure import draw_comparison
from .html_report import ReportRow, report_page, report_row
from .image_figure import draw_explanation

REPORT, COMPARISON = 'report.html', 'comparison.png'
_MAX_STEM, _CUT_STEM = 200, 50  # bytes and letters: a name has 255 bytes, and a letter up to four


class FigurePaths:
    """Assigns each image the path of its figure: the image's name with ``.png``, numbered where that is taken.

    The paths of other figures and of all inputs are taken, so that no input is overwritten.

    Args:
        directory: the directory of the figures.
        inputs: paths of all files of images.
    """

    def __init__(self, directory: PathLike, inputs: Iterable[str]) -> None:
        self._directory = Path(directory)
        self._taken: Set[Path] = {Path(path).resolve() for path in inputs}
        self._next: Dict[str, int] = {}

    def __call__(self, file: str, number: Optional[int] = None) -> Path:
        """The path of the figure of an image: of a file, or of a record or frame with a number."""
        stem = 'standard_input' if file == STANDARD_INPUT else printable(Path(file).stem)
        stem = stem if len(os.fsencode(stem)) <= _MAX_STEM else stem[:_CUT_STEM]
        stem = stem if number is None else f'{stem}_{number}'
        free = next(path for path in self._candidates(stem) if path.resolve() not in self._taken)
        self._taken.add(free.resolve())
        return free

    def _candidates(self, stem: str) -> Iterator[Path]:
        if stem not in self._next:
            self._next[stem] = 2
            yield self._directory / f'{stem}.png'
        while True:
            number = self._next[stem]
            self._next[stem] = number + 1
            yield self._directory / f'{stem}_{number}.png'


@dataclass(frozen=True)
class WrittenExplanations:
    """What :func:`write_explanations` wrote.

    Attributes:
        images: an object for each image that could be read, as ``cbam explain --json`` prints it.
        unreadable: the other images.
        report: path of the report, or None.
    """

    images: List[Dict[str, Any]]
    unreadable: List[UnreadableImage]
    report: Optional[str]

    @property
    def count(self) -> int:
        """The number of all images."""
        return len(self.images) + len(self.unreadable)

    def as_dict(self) -> Dict[str, Any]:
        """The value for ``--json``."""
        unreadable = [bad.as_dict() for bad in self.unreadable]
        return {'images': self.images, 'report': self.report, 'unreadable': unreadable}

    def as_text(self) -> str:
        """Human-readable: a line for each image."""
        lines = [_line(image) for image in self.images]
        return '\n'.join([*lines, *([f'report: {printable(self.report)}'] if self.report else [])])


def _line(image: Dict[str, Any]) -> str:
    name = ImageReference(image['file'], image.get('number')).name
    best = f': {image["top"][0]["label"]} {image["top"][0]["probability"]:.4f}' if image['top'] else ''
    true = f' (true class {image["true"]["label"]})' if 'true' in image else ''
    return printable(f'{name} -> {image["picture"]}{best}{true}')


def write_explanations(
    explained: Iterable[Union[Explanation, UnreadableImage]],
    directory: PathLike,
    inputs: Iterable[str],
    network: str,
    names: Sequence[str],
    method: str,
    channels: int,
    report: bool,
    overwrite: bool = True,
) -> WrittenExplanations:
    """Write the figure of each image as soon as it is explained, and the report at the end.

    Args:
        explained: see :func:`gluon_cbam.explain.images.pipeline.explain_images`.
        directory: created if it does not exist.
        inputs: paths of all files of images; none is overwritten.
        network: its name.
        names: the names of its outputs.
        method: the method, a key of :data:`.methods.EXPLAIN_METHODS`.
        channels: number of the strongest channels of a gate to show.
        report: whether to write ``report.html``.
        overwrite: whether figures and report may exist.

    Raises:
        UsageError: one exists and must not be overwritten.
    """
    directory, figure_path = Path(directory), FigurePaths(directory, inputs)
    planned = FigurePaths(directory, inputs)
    refuse_existing([*map(planned, inputs), *[directory / REPORT] * report], overwrite)  # before any is written
    images: List[Dict[str, Any]] = []
    unreadable: List[UnreadableImage] = []
    rows: List[ReportRow] = []
    for item in explained:
        if isinstance(item, UnreadableImage):
            unreadable.append(item)
            continue
        directory.mkdir(parents=True, exist_ok=True)  # not before there is something to write
        path = figure_path(item.file, item.number)
        refuse_existing([path], overwrite)
        maps = draw_explanation(item, path, network, method, channels)
        top = [score.as_dict() for score in item.top]
        images.append({**_known(item, names), 'picture': str(path), 'top': top, 'maps': maps})
        if report:
            rows.append(report_row(item, path.name, method))
    if report:
        directory.mkdir(parents=True, exist_ok=True)
        write_text(directory / REPORT, report_page(network, method, rows, unreadable))
    return WrittenExplanations(images, unreadable, str(directory / REPORT) if report else None)


def _known(item: Explanation, names: Sequence[str]) -> Dict[str, Any]:
    """What is known of an image: ``file``, ``number`` of a record or frame, and its class ``true``."""
    value = item.image.as_dict()
    if item.true_class is not None:
        value['true'] = {'class': item.true_class, 'label': names[item.true_class]}
    return value


@dataclass(frozen=True)
class WrittenComparison:
    """What :func:`write_comparison` wrote.

    Attributes:
        comparison: the result.
        figure: path of the figure; None if no image could be read.
    """

    comparison: Comparison
    figure: Optional[str]

    @property
    def count(self) -> int:
        """The number of all images."""
        return len(self.comparison.cells) + len(self.unreadable)

    @property
    def unreadable(self) -> List[UnreadableImage]:
        """Images that are left out."""
        return self.comparison.unreadable

    def as_dict(self) -> Dict[str, Any]:
        """The value for ``--json``."""
        images = [self._image(row) for row in self.comparison.cells]
        unreadable = [bad.as_dict() for bad in self.unreadable]
        return {'picture': self.figure, 'images': images, 'unreadable': unreadable}

    def _image(self, row: Sequence[Cell]) -> Dict[str, Any]:
        networks = [
            {
                'network': contender.network,
                'weights': contender.weights,
                'probability': cell.probability,
                'predicted': cell.explanation.top[0].label,
            }
            for contender, cell in zip(self.comparison.contenders, row)
        ]
        target, explanation = row[0].activation, row[0].explanation
        return {
            **explanation.image.as_dict(),
            'class': target.class_index,
            'label': target.label,
            'chosen_by': self.comparison.chosen_by(row).kind,
            'networks': networks,
        }

    def as_text(self) -> str:
        """Human-readable: a line for each image, with the probability that each network gives its class."""
        lines = []
        for row in self.comparison.cells:
            pairs = zip(self.comparison.contenders, row)
            scores = ', '.join(f'{contender.label} {cell.probability:.4f}' for contender, cell in pairs)
            chosen = self.comparison.chosen_by(row)
            lines.append(
                printable(f'{row[0].explanation.image.name}: {row[0].activation.label} ({chosen.words}): {scores}')
            )
        return '\n'.join([*lines, *([f'picture: {printable(self.figure)}'] if self.figure else [])])


def write_comparison(
    comparison: Comparison, directory: PathLike, inputs: Iterable[str], method: str, overwrite: bool = True
) -> WrittenComparison:
    """Write the figure of a comparison, ``comparison.png``, unless no image could be read.

    Args:
        comparison: see :func:`gluon_cbam.explain.images.comparison.compare_networks`.
        directory: created if it does not exist.
        inputs: paths of all files of images; none is overwritten.
        method: the method, a key of :data:`.methods.EXPLAIN_METHODS`.
        overwrite: whether the figure may exist.

    Raises:
        UsageError: the figure would overwrite an image, or exists and must not be overwritten.
    """
    if not comparison.cells:
        return WrittenComparison(comparison, None)
    path = Path(directory) / COMPARISON
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.resolve() in {Path(file).resolve() for file in inputs}:
        raise UsageError(f'{path} is one of the images: choose another --output')
    refuse_existing([path], overwrite)
    draw_comparison(comparison, path, method)
    return WrittenComparison(comparison, str(path))

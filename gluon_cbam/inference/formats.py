"""Predictions as text, CSV, JSON and JSON lines, written one by one as they come.

A format is a class with the methods of :class:`Text`, and a row of :data:`FORMATS`.
"""

from __future__ import annotations

import csv
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_path
from gluon_cbam.common.printable import printable, spreadsheet_cell
from gluon_cbam.data.sources.left_out import LeftOut
from gluon_cbam.tasks.prediction import Prediction

STANDARD_OUTPUT = '-'
_NAMED = 12  # images in a message
Write = Callable[[str], Any]


class Text:
    """One line per image: ``cat.jpg: tabby 0.8213, tiger cat 0.1512``; none for images that could not be read.

    Args:
        write: takes the text.
        columns: headings of a prediction, see :class:`gluon_cbam.tasks.prediction.Predictor`.
    """

    def __init__(self, write: Write, columns: Sequence[str]) -> None:
        self._write = write

    def add(self, prediction: Prediction) -> None:
        """Write a prediction."""
        if prediction.error is None:
            self._write(printable(f'{prediction.name}: {prediction.text()}') + '\n')

    def end(self) -> None:
        """Write the end of the output, after the last prediction."""


class Csv(Text):
    """One row per image, or per box; the parts of its prediction in columns; ``error`` is why it could not be read.

    Text is written by :func:`gluon_cbam.common.printable.spreadsheet_cell`; JSON has the names as they are.
    """

    def __init__(self, write: Write, columns: Sequence[str]) -> None:
        self._rows = csv.writer(SimpleNamespace(write=write), lineterminator='\n')
        self._width = 3 + len(columns)
        self._rows.writerow(['file', 'number', 'error', *columns])

    def add(self, prediction: Prediction) -> None:
        """Write the rows of a prediction."""
        for cells in [[]] if prediction.error is not None else prediction.rows():
            row = [prediction.file, prediction.number, prediction.error, *cells]
            row = [spreadsheet_cell(cell) if isinstance(cell, str) else cell for cell in row]
            self._rows.writerow(row + [None] * (self._width - len(row)))


class JsonLines(Text):
    """One object per line and image: ``file``, ``number`` of a record or frame, and the prediction or ``error``."""

    def add(self, prediction: Prediction) -> None:
        """Write a line."""
        self._write(json.dumps(prediction.as_dict(), allow_nan=False) + '\n')


class Json(Text):
    """One object: ``images`` with the objects of :class:`JsonLines`, and ``failed`` with those of unreadable images.

    Where :attr:`left_out` is set, ``left_out`` has what folders hold besides images: kind -> ``count`` and ``first``.
    :attr:`at_end` gives further values, which are known after the last image.
    """

    left_out: Optional[LeftOut] = None
    at_end: Callable[[], Mapping[str, Any]] = dict

    def __init__(self, write: Write, columns: Sequence[str]) -> None:
        super().__init__(write, columns)
        self._failed: List[Dict[str, Any]] = []
        self._before = '{"images": ['

    def add(self, prediction: Prediction) -> None:
        """Write an object, or keep it for the end."""
        if prediction.error is not None:
            self._failed.append(prediction.as_dict())
            return
        self._write(self._before + json.dumps(prediction.as_dict(), allow_nan=False))
        self._before = ', '

    def end(self) -> None:
        """Write the images that could not be read."""
        opening = self._before if self._before != ', ' else ''
        values = {} if self.left_out is None else {'left_out': self.left_out.as_dict()}
        more = ''.join(f', "{name}": {json.dumps(value)}' for name, value in {**values, **self.at_end()}.items())
        self._write(f'{opening}], "failed": {json.dumps(self._failed)}{more}}}\n')


Format = Callable[[Write, Sequence[str]], Text]
FORMATS: Dict[str, Format] = {'.csv': Csv, '.json': Json, '.jsonl': JsonLines, '.txt': Text}
"""Ending of a file -> its format."""


def format_of(path: PathLike) -> Format:
    """The format of a file, by its ending.

    Raises:
        UsageError: no format has this ending.
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise UsageError(f'predictions go to files that end in {", ".join(FORMATS)}, got {str(path)!r}')
    return FORMATS[ending]


@contextmanager
def written(target: PathLike, file_format: Format, columns: Sequence[str]) -> Iterator[Text]:
    """Open a format that writes to standard output, or to a file that appears when the block ends without error.

    Args:
        target: the file, or ``-``.
        file_format: the class of the format.
        columns: headings of a prediction.
    """
    if target == STANDARD_OUTPUT:
        writer = file_format(_print, columns)
        yield writer
        writer.end()
        return
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary, open(temporary, 'wb') as file:
        writer = file_format(lambda text: file.write(_encoded(text)), columns)
        yield writer
        writer.end()


def _print(text: str) -> None:
    """Write to standard output without buffering, so that results can be read as they come."""
    sys.stdout.buffer.write(_encoded(text))
    sys.stdout.buffer.flush()


def _encoded(text: str) -> bytes:
    return text.encode('utf-8')


class Tally:
    """Counts predictions and the images that could not be read.

    Attributes:
        images: number of all images.
        failed: number of images that could not be read.
    """

    def __init__(self, images: int = 0) -> None:
        self.images, self.failed = images, 0
        self._names: List[str] = []
        self._first = ''

    def add(self, prediction: Prediction) -> None:
        """Count a prediction."""
        self.images += 1
        if prediction.error is not None:
            self.add_failed(prediction.name, f'{prediction.name}: {prediction.error}')

    def add_failed(self, name: str, fault: str) -> None:
        """Count one of the images as one that could not be read.

        Args:
            name: its name.
            fault: its name and the reason, in one line.
        """
        self.failed += 1
        self._first = self._first or fault
        if self.failed <= _NAMED:
            self._names.append(name)

    def text(self) -> str:
        """The images that could not be read, in one line; empty if there are none."""
        if not self.failed:
            return ''
        names = ', '.join(self._names) + (', ...' if self.failed > _NAMED else '')
        which = self._first if self.failed == 1 else f'{names} ({self._first})'
        return f'{self.failed} of {self.images} images could not be read: {which}'

    def check(self) -> None:
        """Raise DataError, which names the images, if some could not be read."""
        if self.failed:
            raise DataError(self.text())

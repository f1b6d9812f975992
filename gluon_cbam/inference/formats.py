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
from typing import Any, Callable, Dict, Iterator, List

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_path

from .prediction import Prediction

STANDARD_OUTPUT = '-'
_NAMED = 12  # images in a message
Write = Callable[[str], Any]


class Text:
    """A line an image: ``cat.jpg: tabby 0.8213, tiger cat 0.1512``. Images that could not be read have none.

    Args:
        write: takes the text.
        top: classes an image.
    """

    def __init__(self, write: Write, top: int):
        self._write = write

    def add(self, prediction: Prediction) -> None:
        """Write a prediction."""
        if prediction.error is None:
            guesses = ', '.join(f'{guess.label} {guess.probability:.4f}' for guess in prediction.top)
            self._write(f'{prediction.name}: {guesses}\n')

    def end(self) -> None:
        """Write what comes behind the last one."""


class Csv(Text):
    """A row an image, with its classes side by side; ``error`` says why it has none."""

    def __init__(self, write: Write, top: int):
        self._rows = csv.writer(SimpleNamespace(write=write), lineterminator='\n')
        heads = [f'{name}_{rank}' for rank in range(1, top + 1) for name in ('class', 'label', 'probability')]
        self._width = 3 + len(heads)
        self._rows.writerow(['file', 'number', 'error', *heads])

    def add(self, prediction: Prediction) -> None:
        guesses = [value for guess in prediction.top for value in guess]
        row = [prediction.file, prediction.number, prediction.error, *guesses]
        self._rows.writerow(row + [None] * (self._width - len(row)))


class JsonLines(Text):
    """An object a line and image: ``file``, ``number`` of a record or frame, and ``top`` or ``error``."""

    def add(self, prediction: Prediction) -> None:
        self._write(json.dumps(as_dict(prediction), allow_nan=False) + '\n')


class Json(Text):
    """One object: ``images`` as of :class:`JsonLines`, and ``failed`` with those that could not be read."""

    def __init__(self, write: Write, top: int):
        super().__init__(write, top)
        self._failed, self._before = [], '{"images": ['

    def add(self, prediction: Prediction) -> None:
        if prediction.error is not None:
            self._failed.append(as_dict(prediction))
            return
        self._write(self._before + json.dumps(as_dict(prediction), allow_nan=False))
        self._before = ', '

    def end(self) -> None:
        opening = self._before if self._before != ', ' else ''
        self._write(f'{opening}], "failed": {json.dumps(self._failed)}}}\n')


FORMATS = {'.csv': Csv, '.json': Json, '.jsonl': JsonLines, '.txt': Text}
"""Ending of a file -> its format."""


def as_dict(prediction: Prediction) -> Dict[str, Any]:
    """A prediction as JSON holds it."""
    value = {'file': prediction.file}
    if prediction.number is not None:
        value['number'] = prediction.number
    if prediction.error is not None:
        return {**value, 'error': prediction.error}
    top = [guess.as_dict() for guess in prediction.top]
    return {**value, 'top': top}


def format_of(path: PathLike) -> Callable[[Write, int], Text]:
    """The format of a file, by its ending; raises UsageError for one that has none."""
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise UsageError(f'predictions go to files that end in {", ".join(FORMATS)}, got {str(path)!r}')
    return FORMATS[ending]


@contextmanager
def written(target: PathLike, form: Callable[[Write, int], Text], top: int) -> Iterator[Text]:
    """A format that writes standard output, or a file, which appears whole when the block ends without an error.

    Args:
        target: the file, or ``-``.
        form: the class of the format.
        top: classes an image.
    """
    if target == STANDARD_OUTPUT:
        writer = form(_print, top)
        yield writer
        writer.end()
        return
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary, open(temporary, 'wb') as file:
        writer = form(lambda text: file.write(_encoded(text)), top)
        yield writer
        writer.end()


def _print(text: str) -> None:
    """At once, for who reads the results as they come."""
    sys.stdout.buffer.write(_encoded(text))
    sys.stdout.buffer.flush()


def _encoded(text: str) -> bytes:
    """UTF-8; what in the names of files is none keeps its bytes."""
    return text.encode('utf-8', 'surrogateescape')


class Tally:
    """How many predictions there were, and which images could not be read.

    Attributes:
        images: all of them.
        failed: those that could not be read.
    """

    def __init__(self):
        self.images = self.failed = 0
        self._names: List[str] = []
        self._first = ''

    def add(self, prediction: Prediction) -> None:
        """Count a prediction."""
        self.images += 1
        if prediction.error is None:
            return
        self.failed += 1
        self._first = self._first or f'{prediction.name}: {prediction.error}'
        if self.failed <= _NAMED:
            self._names.append(prediction.name)

    def check(self) -> None:
        """Raise DataError, which names the images, if some could not be read."""
        if not self.failed:
            return
        names = ', '.join(self._names) + (', ...' if self.failed > _NAMED else '')
        which = self._first if self.failed == 1 else f'{names} ({self._first})'
        raise DataError(f'{self.failed} of {self.images} images could not be read: {which}')

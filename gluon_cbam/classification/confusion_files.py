"""The confusion matrix of a set as a file: a table or a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike, atomic_path
from gluon_cbam.explain.figures.confusions import draw_confusions
from gluon_cbam.explain.figures.csv_table import write_csv
from gluon_cbam.tasks.classification.scored import ScoredClasses

MOST_CLASSES = 40
"""Classes in the picture; of more, those that are confused most often and the others together."""


def write_confusions(scored: ScoredClasses, path: PathLike) -> None:
    """Write the whole matrix as CSV, a row for each true class."""
    rows = ((name, *scored.row(number).tolist()) for number, name in enumerate(scored.classes))
    write_csv(Path(path), ['true class', *scored.classes], rows)


def picture_confusions(scored: ScoredClasses, path: PathLike) -> None:
    """Draw the matrix as PNG."""
    table, names = scored.confusions(MOST_CLASSES)
    with atomic_path(path) as temporary:
        draw_confusions(table, names, temporary, 'predicted as')


FORMATS: Dict[str, Callable[[ScoredClasses, PathLike], None]] = {'.csv': write_confusions, '.png': picture_confusions}
"""Ending of a file -> function that writes it."""


def confusion_format(path: PathLike) -> Callable[[ScoredClasses, PathLike], None]:
    """The function that writes a file, by its ending.

    Raises:
        UsageError: there is no format of this ending.
    """
    writer = FORMATS.get(Path(path).suffix.lower())
    if writer is None:
        raise UsageError(f'a confusion matrix is a .csv or .png file, got {str(path)!r}')
    return writer

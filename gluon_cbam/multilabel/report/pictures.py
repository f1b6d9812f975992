"""The worst and the best images of a classifier of several labels as sheets of pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Sequence

import numpy as np

from gluon_cbam.explain.figures.sheets import SheetGroup, draw_sheet
from gluon_cbam.tasks.multilabel.scored import ScoredLabels

MOST = 24
"""Pictures on a sheet."""
_COLUMNS, _SIDE = 6, 150


def draw_pictures(scored: ScoredLabels, numbers: Sequence[int], title: str, path: Path) -> None:
    """Draw pictures with their classes, and with what is missed and what is found wrongly, or with what is found.

    Args:
        scored: the set.
        numbers: the numbers of the images, at least one; all have a wrong decision, or none.
        title: the title of the sheet.
        path: the PNG file.
    """
    right = int((scored.wrong == 0).sum())
    note = f'{right} of {len(scored.labels)} images have no wrong decision'
    draw_sheet([_group(scored, number) for number in numbers], title, note, path, _COLUMNS, _SIDE)


def _group(scored: ScoredLabels, number: int) -> SheetGroup:
    labels, found, wrong = scored.labels[number], scored.found[number], bool(scored.wrong[number])
    chosen = {'missed': labels & ~found, 'false': found & ~labels} if wrong else {'found': found}
    lines = [f'{what}: {_names(scored, number, each)}' for what, each in chosen.items()]
    lines.append(f'record {number}, loss {scored.losses[number]:.3f}')
    names = ', '.join(scored.classes[index] for index in np.flatnonzero(labels)) or '-'
    return SheetGroup([partial(scored.load, number)], lines, f'true: {names}', wrong)


def _names(scored: ScoredLabels, number: int, chosen: np.ndarray) -> str:
    """The names of some classes with their probabilities for an image; ``-`` for none."""
    probabilities = scored.probabilities[number]
    return ', '.join(f'{scored.classes[index]} {probabilities[index]:.2f}' for index in np.flatnonzero(chosen)) or '-'

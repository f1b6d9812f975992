"""The worst mistakes of a classifier as a sheet of pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import List

import numpy as np

from gluon_cbam.explain.figures.sheets import SheetGroup, draw_sheet
from gluon_cbam.tasks.classification.scored import ScoredClasses

MOST = 24
"""Pictures on the sheet."""
_COLUMNS, _SIDE = 6, 150


def draw_mistakes(scored: ScoredClasses, numbers: List[int], path: Path) -> None:
    """Draw pictures with their true and predicted classes.

    Args:
        scored: the set.
        numbers: the numbers of the images, at least one.
        path: the PNG file.
    """
    wrong = int((~scored.outcomes.hits).sum())
    note = f'{wrong} of {len(scored.outcomes)} images are not recognized; those with the highest loss come first'
    groups = [_group(scored, number) for number in numbers]
    draw_sheet(groups, 'The worst mistakes', note, path, _COLUMNS, _SIDE)


def _group(scored: ScoredClasses, number: int) -> SheetGroup:
    outcomes = scored.outcomes
    label, predicted = scored.classes[outcomes.labels[number]], scored.classes[outcomes.predicted[number]]
    loss = float(outcomes.losses[number])
    return SheetGroup(
        [partial(scored.load, number)],
        [f'true: {label} {_probability(float(np.exp(-loss)))}', f'record {number}, loss {loss:.2f}'],
        f'pred: {predicted} {_probability(float(outcomes.confidence[number]))}', True,
    )  # fmt: skip


def _probability(value: float) -> str:
    return f'{value:.3f}' if value >= 0.001 else f'{value:.0e}'

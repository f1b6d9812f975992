"""The probabilities of all classes for each image of a set as a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, List

from gluon_cbam.common.files import PathLike
from gluon_cbam.explain.figures.csv_table import write_csv
from gluon_cbam.tasks.multilabel.scored import ScoredLabels


def write_predictions(scored: ScoredLabels, path: PathLike) -> None:
    """Write a row for each record, in their order.

    The number of the record, its loss and its wrong decisions at a probability of 0.5; then for each class whether the
    class is on the image, 1 or 0, and its probability.

    Args:
        scored: the set.
        path: the file.
    """
    classes = [f'{name} {column}' for name in scored.classes for column in ('label', 'probability')]
    write_csv(Path(path), ['record', 'loss', 'wrong', *classes], _rows(scored), exact=True)


def _rows(scored: ScoredLabels) -> Iterator[List[Any]]:
    columns = (scored.losses, scored.wrong, scored.labels.astype(int), scored.probabilities)
    for number, (loss, wrong, labels, probabilities) in enumerate(zip(*(column.tolist() for column in columns))):
        yield [number, loss, wrong, *(cell for pair in zip(labels, probabilities) for cell in pair)]

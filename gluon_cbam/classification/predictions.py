"""The predictions for each image of a set as a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, List

from gluon_cbam.common.files import PathLike
from gluon_cbam.explain.figures.csv_table import write_csv
from gluon_cbam.tasks.classification.scored import ScoredClasses

_COLUMNS = ['record', 'class', 'label', 'predicted', 'predicted_label', 'probability', 'rank', 'loss']


def write_predictions(scored: ScoredClasses, path: PathLike) -> None:
    """Write a row for each record, in their order.

    The true class with its name, the predicted one with its name and probability, the rank of the true class, from 1,
    and the loss; then the most probable classes that the evaluation kept, three columns each.

    Args:
        scored: the set.
        path: the file.
    """
    kept = scored.outcomes.top.shape[1]
    further = [f'{name}_{rank}' for rank in range(1, kept + 1) for name in ('class', 'label', 'probability')]
    write_csv(Path(path), [*_COLUMNS, *further], _rows(scored), exact=True)


def _rows(scored: ScoredClasses) -> Iterator[List[Any]]:
    outcomes, names = scored.outcomes, scored.classes
    columns = (
        outcomes.labels, outcomes.predicted, outcomes.confidence, outcomes.ranks, outcomes.losses, outcomes.top,
        outcomes.top_probabilities,
    )  # fmt: skip
    for number, (label, predicted, probability, rank, loss, top, probabilities) in enumerate(
        zip(*(column.tolist() for column in columns))
    ):
        further = [cell for index, share in zip(top, probabilities) for cell in (index, names[index], share)]
        yield [number, label, names[label], predicted, names[predicted], probability, rank + 1, loss, *further]

"""What a task measures: the figures of training and validation, and which of them decides."""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from .figures import Evaluation, Figure


class TaskFigures:
    """The figures of a :class:`.Task`.

    Attributes:
        training_figures: one for each statistic of :class:`.objective.Objective`: its mean over the examples. The first
            is the loss, named ``loss``, which must be finite.
        validation_figures: the figures that every :class:`Evaluation` of the task has, in the order of log lines. An
            evaluation may have more, which files get too.
        best: the figure of validation that decides which parameters are the best, and by which runs are compared.
        compared: names of the figures of validation that cards state and ``zoo verify`` compares; see
            :meth:`compared_in`.
        tabled: further figures of the best validation that ``cbam runs`` shows.
    """

    training_figures: Tuple[Figure, ...]
    validation_figures: Tuple[Figure, ...]
    best: Figure
    compared: Tuple[str, ...]
    tabled: Tuple[Figure, ...] = ()

    @property
    def shown_figures(self) -> Tuple[Figure, ...]:
        """The figures of training and validation that log lines and curves have, each once."""
        figures = {figure.name: figure for figure in (*self.training_figures, *self.validation_figures)}
        return tuple(figure for figure in figures.values() if figure.shown)

    def shown_in(self, values: Iterable[str]) -> List[str]:
        """The names of the figures of a log line among those of an evaluation or an epoch, in their order.

        A task with a figure for each of several validation sets adds these.
        """
        there = set(values)
        return [figure.name for figure in self.shown_figures if figure.name in there]

    @property
    def final_names(self) -> Tuple[str, ...]:
        """Names of the figures of the last epoch in ``summary.json``; the first is :attr:`best`."""
        return tuple(dict.fromkeys((self.best.name, *(figure.name for figure in self.shown_figures))))

    def figure(self, name: str) -> Figure:
        """The figure of a name; the name is also the label of a figure that only some evaluations have."""
        known = {figure.name: figure for figure in (*self.training_figures, *self.validation_figures)}
        return known.get(name) or Figure(name, name, name, self.best.higher_is_better)

    def training_values(self, sums: Sequence[float], examples: float) -> Dict[str, float]:
        """The training figures by name.

        Args:
            sums: the sums of the statistics.
            examples: the number of examples that they were summed over.
        """
        return {figure.name: float(value / examples) for figure, value in zip(self.training_figures, sums)}

    def validation_values(self, evaluation: Optional[Evaluation]) -> Dict[str, Optional[float]]:
        """The figures of an evaluation by name, :attr:`validation_figures` first; all None without an evaluation."""
        names = [figure.name for figure in self.validation_figures]
        if evaluation is None:
            return dict.fromkeys(names)
        return {**{name: evaluation.figures.get(name) for name in names}, **evaluation.figures}

    def compared_in(self, values: Iterable[str]) -> List[str]:
        """The names of those figures that are on cards and that ``zoo verify`` compares.

        The default is those of :attr:`compared`. A task with a figure for each of several validation sets adds these.

        Args:
            values: names of the figures of an evaluation or a card.
        """
        there = set(values)
        return [name for name in self.compared if name in there]

    def text(self, values: Mapping[str, float], names: Optional[Iterable[str]] = None) -> str:
        """Figures in one line: ``top-1 0.9123, loss 0.3012``."""
        return ', '.join(self.figure(name).text(values[name]) for name in (values if names is None else names))

"""Options of ``cbam validate`` for classes of images: further figures, and several views of each image."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Union

import click

from gluon_cbam.cli.options import add_options
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.printable import printable
from gluon_cbam.common.text_table import aligned
from gluon_cbam.data.loading.views import KINDS

from .network_options import refuse_other_tasks, temperature_option

if TYPE_CHECKING:
    from gluon_cbam.export.runtime import ExportedNetwork
    from gluon_cbam.inference.network import LoadedNetwork
    from gluon_cbam.tasks import Task


_TASKS = {
    '--top-k': ('classification',),
    '--by-class': ('classification', 'multilabel'),
    '--tta': ('classification', 'multilabel'),
    '--temperature': ('classification',),
    '--fit-temperature': ('classification',),
}
"""Option -> the names of its tasks."""
_KEPT = 5  # classes of each record in --save-predictions, where --top-k names no more


def _counts(ctx: click.Context, param: click.Parameter, text: str) -> Tuple[int, ...]:
    """Parse whole numbers from 1 separated by commas, each once."""
    try:
        counts = tuple(dict.fromkeys(int(part) for part in text.split(',') if part.strip()))
    except ValueError:
        counts = (0,)
    if any(count < 1 for count in counts) or (text and not counts):
        raise UsageError(f'{param.opts[0]} takes whole numbers from 1 separated by commas, got {text!r}')
    return counts


def _names(ctx: click.Context, param: click.Parameter, text: str) -> Tuple[str, ...]:
    """Parse names separated by commas, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(',') if part.strip()))


scoring_options = add_options(
    [
        click.option(
            '--top-k', default='', callback=_counts, metavar='K,K,...',
            help='also the share of images with their class among the K most probable ones',
        ),
        click.option('--by-class', is_flag=True, help='also precision, recall, F1 and images of each class'),
        click.option(
            '--tta', default='', callback=_names, metavar='NAME,...',
            help=f'test-time augmentation, the mean of the probabilities over views: {", ".join(KINDS)}',
        ),
        temperature_option,
        click.option(
            '--fit-temperature', is_flag=True,
            help='fit a temperature to the logits of these records, which are others than those of the test',
        ),
    ]
)  # fmt: skip
"""The options, for :meth:`Scoring.taken_from`."""


@dataclass(frozen=True)
class Scoring:
    """The values of :data:`scoring_options`.

    Attributes:
        top_k: ``--top-k``.
        by_class: ``--by-class``.
        tta: ``--tta``.
        temperature: ``--temperature``.
        fit_temperature: ``--fit-temperature``.
    """

    top_k: Tuple[int, ...]
    by_class: bool
    tta: Tuple[str, ...]
    temperature: Optional[float]
    fit_temperature: bool

    @classmethod
    def taken_from(cls, settings: Dict[str, Any]) -> Scoring:
        """Take the options out of those of a command."""
        return cls(**{field.name: settings.pop(field.name) for field in fields(cls)})

    def check(self, task: Task) -> None:
        """Check that the task has these figures, and that they go together.

        Raises:
            UsageError: it has not, or they do not.
        """
        given = {
            '--top-k': self.top_k, '--by-class': self.by_class, '--tta': self.tta, '--temperature': self.temperature,
            '--fit-temperature': self.fit_temperature,
        }  # fmt: skip
        refuse_other_tasks([name for name, value in given.items() if value], _TASKS, task)
        for name in ('--temperature', '--tta'):
            if self.fit_temperature and given[name]:
                raise UsageError(f'--fit-temperature is of the logits of whole images as they are: leave {name} out')

    def configured(self, loaded: Union[LoadedNetwork, ExportedNetwork], predictions: bool) -> Task:
        """The task of a network, which evaluates as the options say.

        Args:
            loaded: the network.
            predictions: whether the predictions for each record are written.

        Raises:
            UsageError: an option does not fit the network.
        """
        self.check(loaded.task)
        most = max(self.top_k, default=0)
        if most > loaded.classes:
            raise UsageError(f'--top-k {most}: {loaded.name} has {loaded.classes} classes, give at most that')
        kept = min(most or _KEPT, loaded.classes) if predictions and loaded.task.classifies else 0
        task = loaded.task.with_views(self.tta, loaded.preprocessing).with_kept(kept).with_temperature(self.temperature)
        return task.with_logits() if self.fit_temperature else task

    def as_dict(self, scored: Any = None) -> Dict[str, Any]:
        """The further figures for ``--json``, where they were asked for.

        These are ``top_k``, ``by_class``, ``fitted_temperature``, ``temperature`` and ``tta``.

        Args:
            scored: see :meth:`gluon_cbam.tasks.Task.scored`; None for tasks whose evaluations have what there is of
                each class.
        """
        value: Dict[str, Any] = {}
        if scored is not None and self.top_k:
            value['top_k'] = [scored.top_k(k)._asdict() for k in self.top_k]
        if scored is not None and self.by_class:
            value['by_class'] = scored.by_class()
        if scored is not None and self.fit_temperature:
            value['fitted_temperature'] = scored.fit_temperature().as_dict()
        if self.temperature is not None:
            value['temperature'] = self.temperature
        return {**value, 'tta': list(self.tta)} if self.tta else value

    def lines(self, value: Dict[str, Any]) -> List[str]:
        """The further figures as text.

        Args:
            value: the result of :meth:`as_dict`.
        """
        lines = []
        if self.tta:
            lines.append(f'test-time augmentation: {", ".join(self.tta)}, the mean of the probabilities')
        for row in value.get('top_k', ()):
            low, high = row['interval']
            lines.append(f'top-{row["k"]} {row["accuracy"]:.4f} ({low:.4f} to {high:.4f} at 95 %)')
        if 'by_class' in value:
            rows = [[_cell(cell) for cell in list(row.values())[1:]] for row in value['by_class']]
            lines.append(aligned([list(value['by_class'][0])[1:], *rows]))
        if 'temperature' in value:
            lines.append(f'at --temperature {self.temperature:g}')
        if 'fitted_temperature' in value:
            fit = value['fitted_temperature']
            changes = (
                f'{name.upper()} {fit[name]["before"]:.4f} to {fit[name]["after"]:.4f}' for name in ('nll', 'ece')
            )
            lines.append(f'fitted on these records: --temperature {fit["temperature"]:.4f}: {", ".join(changes)}')
        return lines


def _cell(value: Any) -> str:
    return '-' if value is None else f'{value:.4f}' if isinstance(value, float) else printable(str(value))

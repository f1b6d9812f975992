"""Comparison of runs: a table. Reading runs imports neither mxnet nor numpy."""

from __future__ import annotations

import math
import os
import statistics
import time
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from gluon_cbam.common.documents import read_json
from gluon_cbam.common.errors import CbamError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.text_table import aligned
from gluon_cbam.tasks import DEFAULT, Task, get_task
from gluon_cbam.tasks.figures import Figure
from gluon_cbam.training.config.saved_run import VALIDATED, holds_run, read_config, read_metrics
from gluon_cbam.training.config.task_settings import task_of

from .throughput import duration

_QUIET = 60  # seconds without a line of metrics.jsonl after which a run is taken to have stopped ...
_QUIET_INTERVALS = 3  # ... if that is more than this many log intervals


@dataclass(frozen=True)
class RunSummary:
    """Summary of a run directory.

    Attributes:
        path: the path of the directory.
        task: the task that the network is trained for.
        network: the name of the network.
        recipe: the recipe that it started from, or None.
        epochs: epochs done.
        epochs_wanted: the epochs of the whole run.
        steps: steps done.
        best: the task's deciding figure in the best validation, or None without any; ``best_FIGURE`` in JSON.
        further: the figures of that validation that the task shows beside it, by name; those that it has not are None.
        loss: the loss of the last validation, or of the training in the last epoch without validation data.
        images_per_second: median over the log intervals.
        seconds: training time over all sessions.
        state: ``finished``, ``stopped at step N``, or ``running?`` if its metrics were written recently.
    """

    path: str
    task: Task
    network: str
    recipe: Optional[str]
    epochs: int
    epochs_wanted: int
    steps: int
    best: Optional[float]
    further: Dict[str, Optional[float]]
    loss: Optional[float]
    images_per_second: Optional[float]
    seconds: float
    state: str

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name, as JSON holds them; ``task`` only where it is not the default."""
        value: Dict[str, Any] = {}
        for entry in fields(self):
            if entry.name == 'best':
                value[f'best_{self.task.best.name}'] = self.best
            elif entry.name == 'further':
                value.update(self.further)
            elif entry.name != 'task':
                value[entry.name] = getattr(self, entry.name)
            elif self.task.name != DEFAULT:
                value['task'] = self.task.name
        return value

    @property
    def rank(self) -> Tuple[str, str, float]:
        """A key that sorts runs by task and deciding figure, then with the best first."""
        best = self.task.best
        return self.task.name, best.name, math.inf if self.best is None else best.sort_key(self.best)


class Comparison(NamedTuple):
    """The runs in a folder.

    Attributes:
        runs: grouped by task, the best first.
        damaged: path -> what is wrong, of run directories that cannot be read.
    """

    runs: List[RunSummary]
    damaged: Dict[str, str]

    def as_dict(self) -> Dict[str, Any]:
        """The runs and the damaged directories, as JSON holds them."""
        damaged = [{'path': path, 'reason': reason} for path, reason in self.damaged.items()]
        return {'runs': [run.as_dict() for run in self.runs], 'damaged': damaged}

    def as_text(self) -> str:
        """A table for each task."""
        return '\n\n'.join(_table(task, runs) for task, runs in by_task(self.runs))


def by_task(runs: List[RunSummary]) -> List[Tuple[Task, List[RunSummary]]]:
    """The runs of each task and deciding figure, in their order; the default task without any where there is none."""
    groups = [(key, list(group)) for key, group in groupby(runs, key=lambda run: run.rank[:2])]
    return [(group[0].task, group) for _, group in groups] or [(get_task(), [])]


def _table(task: Task, runs: List[RunSummary]) -> str:
    known = [figure for figure in task.tabled if any(run.further[figure.name] is not None for run in runs)]
    columns = _columns(task, known)  # runs of an older version have not all figures
    rows = [tuple(column.title for column in columns)]
    rows += [tuple(column.text(run) for column in columns) for run in runs]
    return aligned(rows, [number for number, column in enumerate(columns) if column.left])


def _number(value: Optional[float], digits: int) -> str:
    return '-' if value is None else f'{value:.{digits}f}'


class _Column(NamedTuple):
    title: str
    text: Callable[[RunSummary], str]
    left: bool = False


def _columns(task: Task, further: Sequence[Figure]) -> Tuple[_Column, ...]:
    best = task.best
    return (
        _Column('run', lambda run: run.path, left=True),
        _Column('network', lambda run: run.network, left=True),
        _Column('recipe', lambda run: run.recipe or '-', left=True),
        _Column('epochs', lambda run: f'{run.epochs}/{run.epochs_wanted}'),
        _Column('steps', lambda run: str(run.steps)),
        _Column(f'best {best.label}', lambda run: _number(run.best, best.digits)),
        *map(_further_column, further),
        _Column('loss', lambda run: _number(run.loss, 4)),
        _Column('images/s', lambda run: _number(run.images_per_second, 0)),
        _Column('time', lambda run: duration(run.seconds)),
        _Column('state', lambda run: run.state, left=True),
    )


def _further_column(figure: Figure) -> _Column:
    return _Column(figure.label, lambda run: _number(run.further[figure.name], figure.digits))


def compare(folder: PathLike) -> Comparison:
    """Read the runs in a folder, at any depth.

    Raises:
        UsageError: there is none.
    """
    runs, damaged = [], {}
    for path in _run_folders(Path(folder)):
        try:
            runs.append(_summary(path))
        except (CbamError, OSError, KeyError, TypeError, ValueError) as error:
            damaged[str(path)] = f'no {error} in it' if isinstance(error, KeyError) else str(error)
    if not runs and not damaged:
        raise UsageError(f'no runs in {str(folder)!r}: give the folder that the folders of --output are in')
    runs.sort(key=lambda run: run.rank)
    return Comparison(runs, damaged)


def _run_folders(folder: Path) -> Iterator[Path]:
    for path, below, _ in os.walk(folder):
        below.sort()
        if holds_run(path):
            below.clear()
            yield Path(path)


def _summary(path: Path) -> RunSummary:
    settings, metrics = read_config(path), read_metrics(path)
    task = task_of(settings)
    epochs = [record for record in metrics if record['kind'] == 'epoch']
    intervals = [record for record in metrics if record['kind'] == 'interval']
    last = epochs[-1] if epochs else {}
    best = _best_validation(task, metrics)
    loss = last.get('val_loss')
    speeds = [record['images_per_second'] for record in intervals]
    steps = metrics[-1]['step'] if metrics else 0
    return RunSummary(
        path=str(path),
        task=task,
        network=settings['network'],
        recipe=settings.get('recipe'),
        epochs=last.get('epoch', 0),
        epochs_wanted=settings['epochs'],
        steps=steps,
        best=best.get(f'val_{task.best.name}'),
        further={figure.name: best.get(f'val_{figure.name}') for figure in task.tabled},
        loss=last.get('train_loss') if loss is None else loss,
        images_per_second=statistics.median(speeds) if speeds else None,
        seconds=metrics[-1]['seconds'] if metrics else 0.0,
        state=_state(path, steps, intervals),
    )


def _best_validation(task: Task, metrics: List[Dict[str, Any]]) -> Dict[str, Any]:
    """The record of the first validation with the best figure; empty without any."""
    name = f'val_{task.best.name}'
    scored = [record for record in metrics if record['kind'] in VALIDATED and record[name] is not None]
    return min(scored, key=lambda record: task.best.sort_key(record[name]), default={})


def _state(path: Path, steps: int, intervals: List[Dict[str, Any]]) -> str:
    summary = path / 'summary.json'  # may be of an earlier end of a run that was resumed since
    values = read_json(summary) if summary.exists() else None
    if isinstance(values, dict) and values.get('steps') == steps:
        return 'finished'
    return 'running?' if _is_recent(path, intervals) else f'stopped at step {steps}'


def _is_recent(path: Path, intervals: List[Dict[str, Any]]) -> bool:
    """Whether a run wrote something so recently that it may well be running."""
    written = max(entry.stat().st_mtime for entry in path.iterdir())
    times = [record['seconds'] for record in intervals[-2:]]
    interval = times[-1] - times[0] if len(times) > 1 else 0.0
    return time.time() - written < max(_QUIET, _QUIET_INTERVALS * interval)

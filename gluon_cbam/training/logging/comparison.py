"""Runs beside each other: a table, and their curves in one picture. Reading them imports neither mxnet nor numpy."""

from __future__ import annotations

import json
import os
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_path
from gluon_cbam.common.text_table import aligned
from gluon_cbam.training.config.saved_run import holds_run, read_config, read_metrics

from .throughput import duration

_QUIET = 60  # seconds without a line of metrics.jsonl after which a run is taken to have stopped ...
_QUIET_INTERVALS = 3  # ... if that is more than so many log intervals
_CURVES = 10  # in a picture: as many as there are colours to tell apart
_MARKED = 20  # epochs: more points than these are too many to mark
_NAME_LENGTH = 28  # of a run in the legend


@dataclass(frozen=True)
class RunSummary:
    """What a run folder says.

    Attributes:
        path: of the folder.
        network: name.
        recipe: that it started from, or None.
        epochs: done.
        epochs_wanted: to be done.
        steps: done.
        best_top1: of the validations, or None without any.
        loss: of the last validation, or of the training in the last epoch without validation data.
        images_per_second: median over the log intervals.
        seconds: over all sessions.
        state: ``finished``, ``stopped at step N``, or ``running?`` if it was heard of lately.
    """

    path: str
    network: str
    recipe: Optional[str]
    epochs: int
    epochs_wanted: int
    steps: int
    best_top1: Optional[float]
    loss: Optional[float]
    images_per_second: Optional[float]
    seconds: float
    state: str


class Comparison(NamedTuple):
    """The runs in a folder.

    Attributes:
        runs: the best first.
        damaged: path -> what is wrong, of run folders that cannot be read.
    """

    runs: List[RunSummary]
    damaged: Dict[str, str]

    def as_dict(self) -> Dict[str, Any]:
        """For JSON."""
        damaged = [{'path': path, 'reason': reason} for path, reason in self.damaged.items()]
        return {'runs': [asdict(run) for run in self.runs], 'damaged': damaged}

    def as_text(self) -> str:
        """A table."""
        rows = [tuple(column.title for column in _COLUMNS)]
        rows += [tuple(column.text(run) for column in _COLUMNS) for run in self.runs]
        return aligned(rows, [number for number, column in enumerate(_COLUMNS) if column.left])


def _number(value: Optional[float], form: str) -> str:
    return '-' if value is None else format(value, form)


class _Column(NamedTuple):
    title: str
    text: Any
    left: bool = False


_COLUMNS = (
    _Column('run', lambda run: run.path, left=True),
    _Column('network', lambda run: run.network, left=True),
    _Column('recipe', lambda run: run.recipe or '-', left=True),
    _Column('epochs', lambda run: f'{run.epochs}/{run.epochs_wanted}'),
    _Column('steps', lambda run: str(run.steps)),
    _Column('best top-1', lambda run: _number(run.best_top1, '.4f')),
    _Column('loss', lambda run: _number(run.loss, '.4f')),
    _Column('images/s', lambda run: _number(run.images_per_second, '.0f')),
    _Column('time', lambda run: duration(run.seconds)),
    _Column('state', lambda run: run.state, left=True),
)


def compare(folder: PathLike) -> Comparison:
    """Read the runs in a folder, at any depth.

    Raises:
        UsageError: there is none.
    """
    runs, damaged = [], {}
    for path in _run_folders(Path(folder)):
        try:
            runs.append(_summary(path))
        except (DataError, OSError, KeyError, TypeError, ValueError) as error:
            damaged[str(path)] = f'no {error} in it' if isinstance(error, KeyError) else str(error)
    if not runs and not damaged:
        raise UsageError(f'no runs in {str(folder)!r}: give the folder that the folders of --output are in')
    runs.sort(key=lambda run: -1 if run.best_top1 is None else run.best_top1, reverse=True)
    return Comparison(runs, damaged)


def _run_folders(folder: Path) -> Iterator[Path]:
    for path, below, _ in os.walk(folder):
        below.sort()
        if holds_run(path):
            below.clear()
            yield Path(path)


def _summary(path: Path) -> RunSummary:
    settings, metrics = read_config(path), read_metrics(path)
    epochs = [record for record in metrics if record['kind'] == 'epoch']
    intervals = [record for record in metrics if record['kind'] == 'interval']
    last = epochs[-1] if epochs else {}
    scores = [record['val_top1'] for record in epochs if record['val_top1'] is not None]
    loss = last.get('val_loss')
    speeds = [record['images_per_second'] for record in intervals]
    steps = metrics[-1]['step'] if metrics else 0
    return RunSummary(
        path=str(path),
        network=settings['network'],
        recipe=settings.get('recipe'),
        epochs=last.get('epoch', 0),
        epochs_wanted=settings['epochs'],
        steps=steps,
        best_top1=max(scores, default=None),
        loss=last.get('train_loss') if loss is None else loss,
        images_per_second=statistics.median(speeds) if speeds else None,
        seconds=metrics[-1]['seconds'] if metrics else 0.0,
        state=_state(path, steps, intervals),
    )


def _state(path: Path, steps: int, intervals: List[Dict[str, Any]]) -> str:
    summary = path / 'summary.json'  # of an earlier end, if the run goes on since
    if summary.exists() and json.loads(summary.read_text(encoding='utf-8'))['steps'] == steps:
        return 'finished'
    return 'running?' if _lately(path, intervals) else f'stopped at step {steps}'


def _lately(path: Path, intervals: List[Dict[str, Any]]) -> bool:
    """Whether a run wrote something so recently that it may well be running."""
    written = max(entry.stat().st_mtime for entry in path.iterdir())
    times = [record['seconds'] for record in intervals[-2:]]
    interval = times[-1] - times[0] if len(times) > 1 else 0.0
    return time.time() - written < max(_QUIET, _QUIET_INTERVALS * interval)


def plot(runs: List[RunSummary], path: PathLike) -> None:
    """Draw the curves of runs over each other: accuracy on the left, loss on the right.

    Args:
        runs: the first of them are drawn, as many as can be told apart.
        path: of the picture, .png.

    Raises:
        UsageError: another kind of picture.
    """
    from matplotlib.figure import Figure

    if Path(path).suffix.lower() != '.png':
        raise UsageError(f'the picture is a .png file, got {str(path)!r}')
    shown = runs[:_CURVES]
    figure = Figure(figsize=(11, 4), dpi=120, layout='constrained')
    accuracies, losses, names = figure.subplots(1, 3, gridspec_kw={'width_ratios': (1, 1, 0.55)})
    for number, run in enumerate(shown):
        epochs = [record for record in read_metrics(run.path) if record['kind'] == 'epoch']
        style = {'color': f'C{number}', 'linewidth': 1.2, 'marker': '.' if len(epochs) <= _MARKED else None}
        data = 'train' if run.best_top1 is None else 'val'
        for axes, name in ((accuracies, 'top1'), (losses, 'loss')):
            axes.plot([record['epoch'] for record in epochs], [record[f'{data}_{name}'] for record in epochs], **style)
        names.plot((), (), label=_short(run.path) + (' (training)' if data == 'train' else ''), **style)
    for axes, title in ((accuracies, 'top-1 accuracy, validation'), (losses, 'loss, validation')):
        axes.set_title(title)
        axes.set_xlabel('epoch')
        axes.grid(alpha=0.3)
    losses.set_ylim(bottom=0)
    names.axis('off')
    title = 'best first' if len(shown) == len(runs) else f'the best {len(shown)} of {len(runs)}'
    names.legend(loc='upper left', frameon=False, title=title, borderaxespad=0)
    with atomic_path(path) as temporary:
        figure.savefig(str(temporary), format='png')


def _short(name: str) -> str:
    return name if len(name) <= _NAME_LENGTH else '...' + name[3 - _NAME_LENGTH :]

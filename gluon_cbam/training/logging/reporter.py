"""The reports of a run while it trains: ``metrics.jsonl``, the log, the progress line, TensorBoard's events."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import Any, Dict, Iterable, Iterator, Mapping, Optional, Protocol

import numpy as np

from gluon_cbam.common.image_size import shown_image_size
from gluon_cbam.common.machine_load import LoadMeter
from gluon_cbam.tasks.figures import Evaluation
from gluon_cbam.training.checkpoint.run_directory import RunDirectory
from gluon_cbam.training.checkpoint.state import TrainingState
from gluon_cbam.training.setup import Setup

from . import curves
from .tensorboard import Events
from .throughput import Throughput, duration

_log = logging.getLogger('gluon_cbam.training')


class Display(Protocol):
    """Shows the progress of an epoch. May have a method ``say``, which gets the latest readings as a text."""

    def __call__(self, batches: Iterable, total: int, text: str, /) -> Iterable:
        """Wrap the steps of an epoch.

        Args:
            batches: the batches of each step.
            total: number of steps.
            text: description of the epoch.
        """


class Reporter:
    """Writes the records of a run.

    Args:
        directory: the directory of the run.
        setup: the setup of the run.
        state: the state of the run, read whenever something is reported.
        display: ``progress`` of :func:`gluon_cbam.training.loop.trainer.train`.
        load: measures the load of the machine since the run was prepared; default, from now on.
    """

    def __init__(
        self,
        directory: RunDirectory,
        setup: Setup,
        state: TrainingState,
        display: Optional[Display] = None,
        load: Optional[LoadMeter] = None,
    ) -> None:
        self._directory, self._setup, self._state, self._display = directory, setup, state, display
        self._config, self._task = setup.config, setup.task
        self._seconds_before = state.seconds
        self._load, self._may_say_busy = load or LoadMeter(), True
        self._throughput = Throughput(setup.steps_per_epoch * self._config.epochs, self._config.epochs)
        self._events = (
            Events(directory.path / 'tensorboard', state.step, self._task)
            if self._config.tensorboard and setup.process_group.rank == 0
            else None
        )

    def start(self) -> None:
        """Log the data, the devices and the length of the run."""
        config, setup, state = self._config, self._setup, self._state
        _log.info(
            '%s, %d classes, %s pixels: %d training records, %s for validation',
            config.network, config.classes, shown_image_size(config.image_size), len(setup.data.records),
            len(setup.val) if setup.val else 'none',
        )  # fmt: skip
        _log.info(
            '%s: %d images per device, %d per step, %d steps per epoch, %d epochs',
            ', '.join(map(str, setup.ctx)), config.batch_size, setup.images_per_step, setup.steps_per_epoch,
            config.epochs,
        )  # fmt: skip
        for note in setup.notes:
            _log.info('%s', note)
        for warning in setup.classes.warnings:
            _log.warning('%s', warning)
        self._say_if_busy()
        self._may_say_busy = True  # once more
        if state.step:
            _log.info('continues at epoch %d, step %d', state.epoch + 1, state.step)

    def _say_if_busy(self) -> None:
        """Log that other processes use the machine; the other workers of a job on the same machine are no others."""
        if not self._may_say_busy or self._setup.process_group.size > 1:
            return
        load = self._load.read()
        if load and load.busy:
            _log.info('%s: training is slower than it could be', load.as_text())
            self._may_say_busy = False

    def steps(self, batches: Iterable) -> Iterable:
        """Wrap the remaining batches of the current epoch, to show the progress and to measure the waiting for data."""
        state = self._state
        batches = self._throughput.epoch(batches)
        if self._display is None:
            return batches
        left = self._setup.steps_per_epoch - state.batch
        return self._display(batches, left, f'epoch {state.epoch + 1}/{self._config.epochs}')

    def interval(self, sums: np.ndarray, rate: float) -> None:
        """Report some steps.

        Args:
            sums: (statistics, steps): the statistics of each step since the last report.
            rate: the learning rate of the last step.
        """
        state, images = self._state, self._state.images_per_step * len(sums[0])
        interval = self._throughput.interval()
        remaining = self._throughput.remaining(state.step, state.epoch)
        state.seconds = self._seconds_before + self._throughput.seconds
        figures = self._task.training_values([steps.sum() for steps in sums], images)
        record = {
            'kind': 'interval',
            **self._position(),
            **figures,
            'lr': rate,
            'images_per_second': round(state.images_per_step * interval.steps / interval.seconds, 2),
            'data_wait': round(interval.waited, 4),
            'eta_seconds': None if remaining is None else round(remaining, 1),
            'seconds': round(state.seconds, 2),
        }
        self._add(record)
        self._log_interval(record)
        self._say_if_busy()

    def _add(self, record: Dict[str, Any]) -> None:
        """Write a record."""
        self._directory.add_metrics(record)
        if self._events:
            self._events.add(record)

    def _log_interval(self, record: Dict[str, Any]) -> None:
        figures = [figure.text(record[figure.name], short=True) for figure in self._task.training_figures]
        text = (
            f'{" ".join(figures)} {record["images_per_second"]:.0f} img/s '
            f'wait {100 * record["data_wait"]:.0f}% ETA {duration(record["eta_seconds"])}'
        )
        _log.debug('epoch %d, step %d: %s, rate %.4g', record['epoch'], record['step'], text, record['lr'])
        say = getattr(self._display, 'say', None)
        if say:
            say(f'epoch {record["epoch"]}/{self._config.epochs} {text}')

    def epoch(self, evaluation: Optional[Evaluation], rate: float) -> None:
        """Report an epoch after its end.

        Args:
            evaluation: the evaluation of the validation data, or None without any.
            rate: the learning rate of its last step.
        """
        state, task = self._state, self._task
        *sums, images = state.sums
        train = task.training_values(sums, max(images, 1))  # 0 where every update was skipped in float16
        val = task.validation_values(evaluation)
        known = {**train, **{name: value for name, value in val.items() if value is not None}}
        state.last = {name: known[name] for name in task.final_names if name in known}
        state.seconds = self._seconds_before + self._throughput.seconds
        self._add({
            'kind': 'epoch',
            'epoch': state.epoch,
            'epochs_done': state.epoch,
            'step': state.step,
            **{f'train_{name}': value for name, value in train.items()},
            **{f'val_{name}': value for name, value in val.items()},
            'lr': rate,
            'bad_records': len(state.bad_records),
            'seconds': round(state.seconds, 2),
        })  # fmt: skip
        validated = f', {self._validated(evaluation)}' if evaluation else ''
        _log.info(
            'epoch %d/%d: %s%s (%.0f s)',
            state.epoch, self._config.epochs, self._shown(train), validated, state.seconds,
        )  # fmt: skip

    @contextmanager
    def pause(self) -> Iterator[None]:
        """The time inside does not count for the speed of training."""
        yield
        self._throughput.pause()

    def validation(self, evaluation: Evaluation, rate: float) -> None:
        """Report a validation within an epoch.

        Args:
            evaluation: the evaluation of the validation data.
            rate: the learning rate of the last step.
        """
        state = self._state
        state.seconds = self._seconds_before + self._throughput.seconds
        self._add({
            'kind': 'validation',
            **self._position(),
            **{f'val_{name}': value for name, value in self._task.validation_values(evaluation).items()},
            'lr': rate,
            'seconds': round(state.seconds, 2),
        })  # fmt: skip
        _log.info(
            'epoch %d/%d, step %d: %s (%.0f s)',
            state.running_epoch, self._config.epochs, state.step, self._validated(evaluation), state.seconds,
        )  # fmt: skip

    def _position(self) -> Dict[str, Any]:
        """Epoch and step within an epoch, as lines of ``metrics.jsonl`` have them."""
        state = self._state
        done = round(state.epoch + state.batch / self._setup.steps_per_epoch, 4)
        return {'epoch': state.epoch + 1, 'epochs_done': done, 'step': state.step}

    def _validated(self, evaluation: Evaluation) -> str:
        return f'validation {self._shown(evaluation.figures)}'

    def _shown(self, values: Mapping[str, float]) -> str:
        """The figures of a log line, in the order of the task."""
        return self._task.text(values, self._task.shown_in(values))

    def summary(self, stopped_early: bool) -> Dict[str, Any]:
        """Write ``summary.json`` and ``curves.png``; returns the summary.

        Args:
            stopped_early: whether the run ended before its last epoch, since no epoch had a better validation.
        """
        state = self._state
        summary = {
            'output': str(self._directory.path),
            'epochs': state.epoch,
            'steps': state.step,
            'best': state.best,
            'final': state.last,
            'stopped_early': stopped_early,
            'bad_records': len(state.bad_records),
            'seconds': round(state.seconds, 2),
            **self._setup.classes.as_dict(),
        }
        self._directory.write_summary(summary, lambda metrics, path: curves.draw(metrics, path, self._task))
        if self._events:
            self._events.close()
        return summary

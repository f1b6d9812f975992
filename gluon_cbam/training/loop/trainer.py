"""The training loop: a run from its configuration to its run directory."""

from __future__ import annotations

import logging
import signal
from collections import deque
from contextlib import closing
from typing import Any, Deque, Dict, Iterable, Iterator, Optional, Sequence

import numpy as np

from gluon_cbam.common.errors import DataError, Interrupted, TransferError
from gluon_cbam.common.machine_load import LoadMeter
from gluon_cbam.compat.cpu_turns import NoTurns, turns_on
from gluon_cbam.compat.renamed import renamed_attributes
from gluon_cbam.training.checkpoint.manager import CheckpointManager, continued
from gluon_cbam.training.checkpoint.run_directory import RunDirectory, open_run_directory
from gluon_cbam.training.config.train_config import TrainConfig
from gluon_cbam.training.logging.meters import Meters
from gluon_cbam.training.logging.reporter import Display, Reporter
from gluon_cbam.training.setup import Setup, prepare

from .divergence import DivergenceCheck, about_step
from .engine import Engine
from .signals import STOP_SIGNALS, SignalHandler
from .step import StepResult
from .validation import Validation

_log = logging.getLogger('gluon_cbam.training')
_STEPS_AHEAD = 4  # steps that may wait for the devices; without a bound, their input batches would fill the memory


def train(config: TrainConfig, progress: Optional[Display] = None) -> Dict[str, Any]:
    """Train a network.

    Settings, files and devices are checked before the first step.

    Args:
        config: the settings.
        progress: wraps the steps of an epoch, (batches, number of steps, description), to show the progress. Its
            method ``say``, if it has one, gets the latest readings as a text.

    Returns:
        The summary: ``output``, ``epochs``, ``steps``, ``best`` (``epoch``, ``step`` and the task's deciding figure;
        None without validation data), ``final`` (the figures of the last epoch that log lines have), ``stopped_early``,
        ``bad_records`` (number of skipped records), ``seconds``, and what
        :meth:`gluon_cbam.tasks.classes.ClassCheck.as_dict` gives.

    Raises:
        UsageError: a setting is wrong.
        EnvironmentProblem: a device or a package is missing.
        DataError: data or a checkpoint is damaged or does not fit.
        RunError: the loss is not finite, or exploded.
        TransferError: the disk is full or fails; the newest state that was saved is left, and named.
        Interrupted: a signal stopped the run, after its state was saved.
    """
    load = LoadMeter()
    setup = prepare(config)
    directory = open_run_directory(setup.config, setup.process_group.rank)
    with directory.locked(), directory.logging_to_file(logging.getLogger('gluon_cbam')), SignalHandler() as signals:
        try:
            return Trainer(setup, directory, signals, progress, load).fit()
        except OSError as error:  # the disk
            raise TransferError(f'{error}; {directory.checkpoints.newest_intact()}') from error


def turns_of(setup: Setup) -> NoTurns:
    """The turns on the CPUs that a run takes; none among several processes, which wait for each other in a step."""
    return turns_on(setup.ctx) if setup.process_group.size == 1 else NoTurns()


class Trainer:
    """The training loop.

    Args:
        setup: the result of :func:`prepare`.
        directory: the directory of the run.
        signals: read before each step.
        display: ``progress`` of :func:`train`.
        load: see :class:`.Reporter`.
    """

    def __init__(
        self,
        setup: Setup,
        directory: RunDirectory,
        signals: SignalHandler,
        display: Optional[Display] = None,
        load: Optional[LoadMeter] = None,
    ) -> None:
        self._setup, self._config, self._directory, self._signals = setup, setup.config, directory, signals
        self._turns = turns_of(setup)
        self._meters = Meters(setup.process_group)
        directory.clean()
        saved = directory.checkpoints.newest() if setup.config.resume else None
        self._state = continued(saved, setup.images_per_step, setup.task)
        # the same list, so that checkpoints save the numbers that the loader adds
        setup.data.bad.numbers = self._state.bad_records
        self._engine = Engine(setup)
        self._check_loss = DivergenceCheck(self._engine.objective.largest_loss)
        self._checkpoints = CheckpointManager(
            directory, setup, self._engine.parts(), self._state, saved, self._engine.tables()
        )  # fmt: skip
        if saved:
            self._checkpoints.write_best(self._engine.validated_net)
        elif setup.config.resume:
            _log.info('no state was saved yet: the run starts from the beginning')
        directory.forget_after(self._state)
        self._report = Reporter(directory, setup, self._state, display, load)
        self._validation = Validation(
            setup, self._engine, self._state, self._report, self._checkpoints, self._handle_signals
        )

    def fit(self) -> Dict[str, Any]:
        """Train to the last epoch. See :func:`train`."""
        process_group, state = self._setup.process_group, self._state
        process_group.start(self._engine.optimization.trainer, state.images_per_step, state.step)
        self._directory.write_config(self._config)
        self._report.start()
        try:
            while state.epoch < self._config.epochs and not self._checkpoints.early_stop:
                self._epoch()
        finally:
            self._turns.release()
        stopped_early = state.epoch < self._config.epochs
        if stopped_early:
            _log.info('stopped early: %d epochs without a better validation', state.stale)
        summary = self._report.summary(stopped_early)
        process_group.leave()
        return summary

    def _epoch(self) -> None:
        """Run one epoch, or the rest of it after a resume: steps, validation, checkpoint, log."""
        state, count = self._state, self._config.accumulate
        queued: Deque[StepResult] = deque()
        self._validate_if_due()  # of a run that ended within the validation
        with closing(self._setup.data.epoch(state.epoch, state.batch * count)) as batches:
            # batches that do not fill a step are left out
            steps = zip(*[iter(self._saved_if_damaged(batches))] * count)
            for step in self._report.steps(steps):
                self._turns.take(self._signals.pending)
                self._handle_signals()
                queued.append(self._train_step(step))
                self._turns.pass_on(keep=True)
                if len(queued) > _STEPS_AHEAD:
                    queued.popleft().wait()
                if state.step % self._config.log_interval == 0:
                    self._report_interval()
                self._validate_if_due()
        self._report_interval()
        self._validation.after_epoch()

    def _validate_if_due(self) -> None:
        if self._validation.due:
            self._report_interval()  # a loss that diverged ends the run before
            self._validation.within_epoch()

    def _saved_if_damaged(self, batches: Iterable) -> Iterator:
        """Yield the batches; if one has too many damaged records, save the state before it."""
        try:
            yield from batches
        except DataError as error:
            if not self._state.step or self._setup.process_group.size > 1:  # others would have to save at the same step
                raise
            self._read_meters()
            path = self._checkpoints.save()
            raise DataError(f'{error}; saved {path}: continue with --resume {self._directory.path}') from None

    def _train_step(self, batches: Sequence) -> StepResult:
        """Queue one step on the devices and count it."""
        result = self._engine.step(batches, self._state.step)
        self._state.step += 1
        self._state.batch += 1
        if result.updated:  # a skipped update has no valid sums, since float16 overflowed
            self._meters.add(result.sums, self._state.step)
        return result

    def _read_meters(self) -> None:
        """Read the statistics of the steps since the last reading."""
        if not len(self._meters):
            return
        state, steps = self._state, list(self._meters.steps)
        sums = self._meters.read()
        means = sums / state.images_per_step
        self._check_loss(means[0], steps, state.epoch + 1, lambda number: self._about(steps[number], means[:, number]))
        state.add(sums)

    def _about(self, step: int, means: np.ndarray) -> str:
        """What is known of a step of this epoch, for a message."""
        data, count = self._setup.data, self._config.accumulate
        batch = (self._state.batch - 1 - (self._state.step - step)) * count
        numbers = [each for index in range(count) for each in data.numbers(self._state.epoch, batch + index)]
        return about_step(self._setup.task, means.tolist(), str(data.records.path), numbers)

    def _report_interval(self) -> None:
        """Report the steps since the last report."""
        self._read_meters()
        unreported = self._state.unreported
        if unreported:
            self._report.interval(np.transpose(unreported), self._engine.optimization.rate)
            unreported.clear()

    def _handle_signals(self) -> None:
        """Save if a save is due or a signal asks for it, and stop if a signal asks for it.

        This is also called in validation: a run that resumes from there begins with the validation.
        """
        process_group, received = self._setup.process_group, self._signals.received
        flags = [*(received == number for number in STOP_SIGNALS), self._signals.save, self._checkpoints.due]
        *stops, asked, due = process_group.agree(flags)
        stop = next((number for number, flag in zip(STOP_SIGNALS, stops) if flag), None)
        if stop is None and not asked and not due:
            return
        self._read_meters()
        if process_group.size > 1:
            self._engine.synchronize()
        path = self._checkpoints.save()
        if asked:
            self._signals.save = False
            _log.info('SIGUSR1 at step %d: saved %s', self._state.step, path)
        if stop is not None:
            process_group.leave()
            raise Interrupted(
                f'{signal.Signals(stop).name} at step {self._state.step}: saved {path}; '
                f'continue with --resume {self._directory.path}',
                stop,
            )


__getattr__ = renamed_attributes(
    __name__,
    {
        'Run': 'training.loop.trainer.Trainer',
    },
)

"""A training run, from a configuration to a run folder."""

from __future__ import annotations

import logging
import signal
from collections import deque
from contextlib import closing
from typing import Any, Callable, Dict, Optional

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import DataError, Interrupted, RunError
from gluon_cbam.tasks.classification.evaluation import Evaluation, evaluate
from gluon_cbam.training.checkpoint.manager import Saving, continued
from gluon_cbam.training.checkpoint.run_directory import RunFolder, open_folder
from gluon_cbam.training.config.train_config import TrainConfig
from gluon_cbam.training.logging.meters import Meters, Reading
from gluon_cbam.training.logging.reporter import Reporter
from gluon_cbam.training.parameters.batch_norm import synchronize_statistics

from .engine import Engine
from .setup import Setup, prepare
from .signals import STOPS, Interrupts

_log = logging.getLogger('gluon_cbam.training')
_STEPS_AHEAD = 4  # steps that may wait for the devices; without a bound, their input batches would fill the memory


def train(config: TrainConfig, progress: Optional[Callable] = None) -> Dict[str, Any]:
    """Train a network.

    Everything that can be wrong with the settings, files and devices is found before the first step.

    Args:
        config: the settings.
        progress: wraps the steps of an epoch, (batches, how many, description), to show how far it is. Its method
            ``say``, if it has one, gets the latest readings as a text.

    Returns:
        The summary: ``output``, ``epochs``, ``steps``, ``best`` (``epoch``, ``top1``; None without validation data),
        ``final`` (``top1``, ``loss``), ``stopped_early``, ``bad_records`` (how many were skipped), ``seconds``.

    Raises:
        UsageError: a setting is wrong.
        EnvironmentProblem: a device is not there.
        DataError: data or a checkpoint is damaged or does not fit.
        RunError: the loss is not finite.
        Interrupted: a signal stopped the run, after its state was saved.
    """
    setup = prepare(config)
    folder = open_folder(setup.config, setup.process_group.rank)
    with folder.locked(), folder.logging_to_file(logging.getLogger('gluon_cbam')), Interrupts() as interrupts:
        return Run(setup, folder, interrupts, progress).fit()


class Run:
    """The loop.

    Args:
        setup: of :func:`prepare`.
        folder: of the run.
        interrupts: asked before each step.
        progress: as of :func:`train`.
    """

    def __init__(self, setup: Setup, folder: RunFolder, interrupts: Interrupts, progress: Optional[Callable] = None):
        self._setup, self._config, self._folder = setup, setup.config, folder
        self._interrupts = interrupts
        self._meters = Meters(setup.process_group)
        folder.clean()
        state = folder.checkpoints.newest() if setup.config.resume else None
        self._progress = continued(state, setup.images_per_step)
        setup.data.bad.numbers = self._progress.bad_records  # one list, so that checkpoints keep what the loader meets
        self._engine = Engine(setup)
        self._net, self._optimization = self._engine.net, self._engine.optimization
        self._saving = Saving(folder, setup, self._optimization.parts(), self._progress, state)
        if state:
            self._saving.write_best(self._kept())
        elif setup.config.resume:
            _log.info('no state was saved yet: the run starts from the beginning')
        folder.forget_after(self._progress)
        self._report = Reporter(folder, setup, self._progress, progress)

    def fit(self) -> Dict[str, Any]:
        """Train to the last epoch. See :func:`train`."""
        process_group, progress = self._setup.process_group, self._progress
        process_group.start(self._optimization.trainer, progress.images_per_step, progress.step)
        self._folder.write_config(self._config)
        self._report.introduce()
        while self._progress.epoch < self._config.epochs and not self._saving.enough:
            self._epoch()
        stopped_early = self._progress.epoch < self._config.epochs
        if stopped_early:
            _log.info('stopped early: %d epochs without a better validation', self._progress.stale)
        summary = self._report.summary(stopped_early)
        process_group.leave()
        return summary

    def _epoch(self) -> None:
        """One epoch, or what is left of it: steps, validation, checkpoint, log."""
        progress, data = self._progress, self._setup.data
        ahead = deque()
        count = self._config.accumulate
        with closing(data.epoch(progress.epoch, progress.batch * count)) as batches:
            steps = zip(*[iter(self._saved_if_damaged(batches))] * count)  # what makes no whole step is left out
            for step in self._report.steps(steps):
                self._heed()
                ahead.append(self._train_on(step))
                if len(ahead) > _STEPS_AHEAD:
                    ahead.popleft().wait()
                if progress.step % self._config.log_interval == 0:
                    self._report_interval()
        self._report_interval()
        evaluation = self._validate()
        progress.epoch, progress.batch = progress.epoch + 1, 0
        self._report.epoch(evaluation, self._optimization.rate)
        progress.sums = [0.0, 0.0, 0.0]
        self._saving.validated(evaluation, self._kept())

    def _saved_if_damaged(self, batches):
        """The batches; where one is too damaged, the state before it is saved."""
        try:
            yield from batches
        except DataError as error:
            if (
                not self._progress.step or self._setup.process_group.size > 1
            ):  # others would have to save at the same step
                raise
            self._read_meters()
            path = self._saving.save()
            raise DataError(f'{error}; saved {path}: continue with --resume {self._folder.path}') from None

    def _train_on(self, batches):
        """Queue one step on the devices; returns what is ready when it is done."""
        result, updated = self._engine.train_on(batches, self._progress.step)
        if updated:
            self._meters.add(result)  # that of an update left out says nothing: float16 overflowed
        self._progress.step += 1
        self._progress.batch += 1
        return result

    def _read_meters(self) -> None:
        """Count the steps since the last reading."""
        if not len(self._meters):
            return
        progress = self._progress
        reading = self._meters.read()
        bad = np.flatnonzero(~np.isfinite(reading.losses))
        if len(bad):
            step = progress.step - len(reading.losses) + int(bad[0]) + 1
            raise RunError(
                f'the loss is {reading.losses[bad[0]] / progress.images_per_step:g} at step {step} '
                f'(epoch {progress.epoch + 1}): use a smaller --lr or more --warmup-epochs'
            )
        progress.add(reading.losses, reading.hits)

    def _report_interval(self) -> None:
        """Report the steps since the last report."""
        self._read_meters()
        unreported = self._progress.unreported
        if unreported:
            self._report.interval(Reading(*np.transpose(unreported)), self._optimization.rate)
            unreported.clear()

    def _validate(self) -> Optional[Evaluation]:
        setup = self._setup
        if setup.val is None:
            return None
        synchronize_statistics(self._net, setup.process_group)
        return evaluate(
            self._kept(), setup.val, setup.preprocessing, setup.ctx, self._config.batch_size, self._config.workers,
            self._watched, setup.process_group,
        )  # fmt: skip

    def _kept(self) -> mx.gluon.HybridBlock:
        """The network that is validated, and kept as the best: the moving average, if there is one."""
        return self._engine.average.network() if self._engine.average else self._net

    def _watched(self, batches, total):
        for batch in batches:
            if self._setup.process_group.size == 1:  # several have different numbers of batches, and agree after these
                self._heed()
            yield batch

    def _heed(self) -> None:
        """Save where it is time or a signal asks for it, and stop where one asks for that.

        In validation, too: a run that continues from there begins with the validation.
        """
        process_group, received = self._setup.process_group, self._interrupts.received
        flags = [*(received == number for number in STOPS), self._interrupts.save, self._saving.due]
        *stops, asked, due = process_group.agree(flags)
        stop = next((number for number, flag in zip(STOPS, stops) if flag), None)
        if stop is None and not asked and not due:
            return
        self._read_meters()
        if process_group.size > 1:
            synchronize_statistics(self._net, process_group)
        path = self._saving.save()
        if asked:
            self._interrupts.save = False
            _log.info('SIGUSR1 at step %d: saved %s', self._progress.step, path)
        if stop is not None:
            process_group.leave()
            raise Interrupted(
                f'{signal.Signals(stop).name} at step {self._progress.step}: saved {path}; '
                f'continue with --resume {self._folder.path}',
                stop,
            )

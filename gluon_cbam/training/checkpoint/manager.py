"""The checkpoint manager: when states are saved, which validations were best, and when to stop early."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

import mxnet as mx

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.tasks import DEFAULT
from gluon_cbam.tasks.base import Task
from gluon_cbam.tasks.figures import Evaluation
from gluon_cbam.training.parameters.stateful import Stateful
from gluon_cbam.training.setup import Setup

from .files import SavedState
from .fingerprint import compare, run_fingerprint
from .run_directory import RunDirectory
from .state import TrainingState
from .tables import NO_TABLES, Tables

_log = logging.getLogger('gluon_cbam.training')


class CheckpointManager:
    """The checkpoints of a run.

    Args:
        directory: the directory of the run.
        setup: the setup of the run; its network is initialized.
        parts: everything that is saved with the network, by name.
        state: the state of the run.
        saved: the state to continue from, or None.
        tables: the arrays that are saved and that no process has as a whole, by name.

    Raises:
        DataError: the saved state does not fit.
    """

    def __init__(
        self,
        directory: RunDirectory,
        setup: Setup,
        parts: Mapping[str, Stateful],
        state: TrainingState,
        saved: Optional[SavedState] = None,
        tables: Tables = NO_TABLES,
    ) -> None:
        self._checkpoints, self._setup, self._parts, self._state = directory.checkpoints, setup, parts, state
        self._tables = tables
        self._config, self._task = setup.config, setup.task
        self._fingerprint = run_fingerprint(setup)
        self._step, self._time = state.step, time.monotonic()  # of the last save
        if saved:
            compare(saved, setup, self._fingerprint)
            self._checkpoints.restore(saved, setup.net, parts, tables)

    @property
    def due(self) -> bool:
        """Whether to save now, by the steps or the minutes since the last save."""
        interval, limit, step = self._config.save_interval, self._config.save_minutes, self._state.step
        if step == self._step:
            return False
        return bool(interval and step % interval == 0 or limit and time.monotonic() - self._time >= 60 * limit)

    @property
    def early_stop(self) -> bool:
        """Whether too many epochs passed without a better validation."""
        return self._config.early_stop is not None and self._state.stale >= self._config.early_stop

    def save(self) -> Path:
        """Write the newest state; returns the path of its parameters."""
        began = time.monotonic()
        path = self._checkpoints.save_newest(
            self._setup.net, self._parts, self._card(), asdict(self._state), self._fingerprint, self._tables
        )
        self._step, self._time = self._state.step, time.monotonic()
        _log.debug('step %d: saved %s in %.2f s', self._state.step, path, self._time - began)
        return path

    def validated(self, evaluation: Optional[Evaluation], net: mx.gluon.HybridBlock) -> None:
        """Write the newest state after an epoch or a validation, and its parameters if they are among the best.

        Args:
            evaluation: the evaluation of the validation data, or None without any.
            net: the network that was validated.
        """
        if evaluation:
            at = {'epoch': self._state.running_epoch, 'step': self._state.step}
            figures = {**at, **evaluation.figures, 'records': evaluation.records}
            self._state.validated(figures, self._task.best, self._config.keep_best)
        self.save()
        self.write_best(net)

    def write_best(self, net: mx.gluon.HybridBlock) -> None:
        """Bring the files of the best validations in line with the state.

        Called after a validation, and when a run is resumed: it may have ended after the state was written and before
        these files were.

        Args:
            net: the network that is validated.
        """
        state, several = self._state, self._config.keep_best > 1
        for figures in state.kept:
            if figures['step'] != state.step:
                continue
            training = {name: figures[name] for name in ('epoch', 'step')}
            metrics = {name: value for name, value in figures.items() if name not in training}
            card = {**self._card(), 'metrics': metrics, 'training': training}
            card['averaged'] = self._config.ema or None
            if figures is state.kept[0]:
                self._checkpoints.save_best(net, card)
            if several:
                self._checkpoints.save_best(net, card, self._name(figures))
        self._checkpoints.keep_best([self._name(figures) for figures in state.kept] if several else [])

    def _card(self) -> Dict[str, Any]:
        config = self._config
        return {
            'network': config.network,
            'classes': config.classes,
            'options': config.option,
            'class_names': self._setup.class_names,
            'preprocessing': self._setup.preprocessing.as_dict(),
            'started_from': self._setup.model.started_from(),
            'task': self._task.name if self._task.name != DEFAULT else None,
        }

    def _name(self, figures: Dict[str, Any]) -> str:
        best, epoch, step = self._task.best, figures['epoch'], figures['step']
        within = f'-step{step:08d}' if step != epoch * self._setup.steps_per_epoch else ''
        return f'best-epoch{epoch:04d}{within}-{best.name}-{figures[best.name]:.4f}'


def continued(saved: Optional[SavedState], images: int, task: Task) -> TrainingState:
    """The training state of a run: resumed from a saved one, or new.

    Args:
        saved: the state to continue from, or None.
        images: the number of images of a step, over all devices.
        task: the task of the run.

    Raises:
        UsageError: a step had another number of images.
        DataError: another version saved the state.
    """
    if saved is None:
        return TrainingState.begin(images, task)
    try:
        state = TrainingState(**saved.progress)
    except TypeError as error:
        raise DataError(f'{saved.path} was saved by another version of gluon_cbam ({error})') from None
    if state.images_per_step != images:
        raise UsageError(
            f'the run to resume takes {state.images_per_step} images per step over all devices, now it would be '
            f'{images}: change --batch-size or --accumulate with the number of devices'
        )
    return state

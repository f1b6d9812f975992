"""What a run keeps and how it continues: when states are saved, which validations were best, when it is enough."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

import mxnet as mx

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.tasks.classification.evaluation import Evaluation
from gluon_cbam.training.loop.setup import Setup

from .files import Part, State
from .fingerprint import compare, origin
from .run_directory import RunFolder
from .state import Progress

_log = logging.getLogger('gluon_cbam.training')


class Saving:
    """The checkpoints of a run.

    Args:
        folder: of the run.
        setup: of the run; its network is initialised.
        parts: what is saved beside the network, by name.
        progress: of the run.
        state: to continue from, or None.

    Raises:
        DataError: the state does not fit.
    """

    def __init__(
        self,
        folder: RunFolder,
        setup: Setup,
        parts: Mapping[str, Part],
        progress: Progress,
        state: Optional[State] = None,
    ):
        self._checkpoints, self._setup, self._parts, self._progress = folder.checkpoints, setup, parts, progress
        self._config = setup.config
        self._origin = origin(setup)
        self._step, self._time = progress.step, time.monotonic()  # of the last save
        if state:
            compare(state, setup, self._origin)
            self._checkpoints.restore(state, setup.net, parts)

    @property
    def due(self) -> bool:
        """Whether it is time to save, by the steps or the minutes since the last time."""
        interval, limit, step = self._config.save_interval, self._config.save_minutes, self._progress.step
        if step == self._step:
            return False
        return bool(interval and step % interval == 0 or limit and time.monotonic() - self._time >= 60 * limit)

    @property
    def enough(self) -> bool:
        """Whether too many epochs brought nothing better."""
        return self._config.early_stop is not None and self._progress.stale >= self._config.early_stop

    def save(self) -> Path:
        """Write the newest state; returns the path of its parameters."""
        began = time.monotonic()
        path = self._checkpoints.save_newest(
            self._setup.net, self._parts, self._card(), asdict(self._progress), self._origin
        )
        self._step, self._time = self._progress.step, time.monotonic()
        _log.debug('step %d: saved %s in %.2f s', self._progress.step, path, self._time - began)
        return path

    def validated(self, evaluation: Optional[Evaluation], net: mx.gluon.HybridBlock) -> None:
        """After an epoch: write the newest state, then the best parameters if these are.

        Args:
            evaluation: of the validation data, or None without any.
            net: that was validated.
        """
        if evaluation:
            figures = {name: getattr(evaluation, name) for name in ('top1', 'top5', 'loss', 'records')}
            self._progress.validated({'epoch': self._progress.epoch, **figures}, self._config.keep_best)
        self.save()
        self.write_best(net)

    def write_best(self, net: mx.gluon.HybridBlock) -> None:
        """Bring the files of the best epochs in line with the progress.

        After an epoch, and when a run continues: it may have ended between the state of an epoch and these files.

        Args:
            net: that is validated.
        """
        progress, several = self._progress, self._config.keep_best > 1
        for figures in progress.kept:
            if figures['epoch'] != progress.epoch or progress.batch:
                continue
            metrics = {name: value for name, value in figures.items() if name != 'epoch'}
            card = {**self._card(), 'metrics': metrics, 'training': {'epoch': progress.epoch, 'step': progress.step}}
            card['averaged'] = self._config.ema or None
            if figures is progress.kept[0]:
                self._checkpoints.save_best(net, card)
            if several:
                self._checkpoints.save_best(net, card, _name(figures))
        self._checkpoints.keep_best([_name(figures) for figures in progress.kept] if several else [])

    def _card(self) -> Dict[str, Any]:
        config = self._config
        return {
            'network': config.network,
            'classes': config.classes,
            'options': config.option,
            'class_names': self._setup.class_names,
            'preprocessing': self._setup.preprocessing.as_dict(),
            'started_from': self._setup.model.started_from(),
        }


def _name(figures: Dict[str, Any]) -> str:
    return f'best-epoch{figures["epoch"]:04d}-top1-{figures["top1"]:.4f}'


def continued(state: Optional[State], images: int) -> Progress:
    """The progress of a run that goes on from a state, or begins.

    Args:
        state: to continue from, or None.
        images: of a step, over all devices.

    Raises:
        UsageError: a step had another number of images.
        DataError: another version saved the state.
    """
    try:
        progress = Progress(**state.progress) if state else Progress(images_per_step=images)
    except TypeError as error:
        raise DataError(f'{state.path} was saved by another version of gluon_cbam ({error})') from None
    if progress.images_per_step != images:
        raise UsageError(
            f'the run to resume takes {progress.images_per_step} images a step over all devices, now it would be '
            f'{images}: change --batch-size or --accumulate with the number of devices'
        )
    return progress

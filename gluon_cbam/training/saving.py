"""What a run keeps and how it continues: when states are saved, which validations were best, when it is enough."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from ..errors import UsageError
from ..evaluation import Evaluation
from .checkpoints import Part, State
from .folder import RunFolder
from .progress import Progress
from .setup import Setup

_log = logging.getLogger('gluon_cbam.training')


class Saving:
    """The checkpoints of a run.

    Args:
        folder: of the run.
        setup: of the run.
        parts: what is saved beside the network, by name.
        progress: of the run.
    """

    def __init__(self, folder: RunFolder, setup: Setup, parts: Mapping[str, Part], progress: Progress):
        self._folder, self._setup, self._parts, self._progress = folder, setup, parts, progress

    def restore(self, state: State) -> None:
        """Put the network and the parts back as they were.

        Raises:
            DataError: they do not fit.
        """
        self._folder.checkpoints.restore(state, self._setup.net, self._parts)

    def save(self) -> Path:
        """Write the newest state; returns the path of its parameters."""
        return self._folder.checkpoints.save_newest(
            self._setup.net, self._parts, self._card(), asdict(self._progress), {}
        )

    def validated(self, evaluation: Optional[Evaluation]) -> None:
        """After an epoch: write the newest state, and the best parameters if these are."""
        progress = self._progress
        if evaluation and (progress.best is None or evaluation.top1 > progress.best['top1']):
            progress.best = {'epoch': progress.epoch, 'top1': evaluation.top1}
            metrics = {name: getattr(evaluation, name) for name in ('top1', 'top5', 'loss', 'records')}
            self._folder.checkpoints.save_best(self._setup.net, {**self._card(), 'metrics': metrics})
        self.save()

    def _card(self) -> Dict[str, Any]:
        config = self._setup.config
        return {
            'network': config.network,
            'classes': config.classes,
            'options': config.option,
            'class_names': self._setup.class_names,
            'preprocessing': self._setup.preprocessing.as_dict(),
        }


def continued(state: Optional[State], setup: Setup) -> Progress:
    """The progress of a run that goes on from a state, or begins.

    Raises:
        UsageError: a step would have another number of images.
    """
    images = setup.data.batch_size
    progress = Progress(**state.progress) if state else Progress(images_per_step=images)
    if progress.images_per_step != images:
        raise UsageError(
            f'the run to resume takes {progress.images_per_step} images a step over all devices, now it would be '
            f'{images}: change --batch-size with the number of devices'
        )
    return progress

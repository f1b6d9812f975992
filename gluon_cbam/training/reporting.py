"""What a run says while it trains: ``metrics.jsonl`` and the log."""

from __future__ import annotations

import logging
import time
from typing import Any, Dict, Optional

from ..evaluation import Evaluation
from .config import TrainConfig
from .folder import RunFolder
from .meters import Reading
from .progress import Progress
from .setup import Setup

_log = logging.getLogger('gluon_cbam.training')


class Reporter:
    """Writes the records of a run.

    Args:
        folder: of the run.
        setup: of the run.
        progress: read whenever something is reported.
    """

    def __init__(self, folder: RunFolder, setup: Setup, progress: Progress):
        self._folder, self._setup, self._progress = folder, setup, progress
        self._config: TrainConfig = setup.config
        self._began = time.time() - progress.seconds
        self._interval_began = time.time()

    def introduce(self) -> None:
        """Say what is about to happen."""
        config, setup, progress = self._config, self._setup, self._progress
        _log.info(
            '%s, %d classes, %d x %d pixels: %d training records, %s for validation',
            config.network, config.classes, config.image_size, config.image_size, len(setup.data.records),
            len(setup.val) if setup.val else 'none',
        )  # fmt: skip
        _log.info(
            '%s: %d images a device, %d a step, %d steps an epoch, %d epochs',
            ', '.join(map(str, setup.ctx)), config.batch_size, setup.images_per_step, setup.steps_per_epoch,
            config.epochs,
        )  # fmt: skip
        for note in setup.notes:
            _log.info('%s', note)
        if progress.step:
            _log.info('continues at epoch %d, step %d', progress.epoch + 1, progress.step)

    def begin_interval(self) -> None:
        """Start the clock of the next interval: validation and saving are not counted as training."""
        self._interval_began = time.time()

    def interval(self, reading: Reading, rate: float) -> None:
        """Report the steps of a reading.

        Args:
            reading: of the steps since the last.
            rate: the learning rate of the last of them.
        """
        progress, now = self._progress, time.time()
        images = progress.images_per_step * len(reading.losses)
        progress.seconds = now - self._began
        record = {
            'kind': 'interval',
            'epoch': progress.epoch + 1,
            'epochs_done': round(progress.epoch + progress.batch / self._setup.steps_per_epoch, 4),
            'step': progress.step,
            'loss': float(reading.losses.sum() / images),
            'top1': float(reading.hits.sum() / images),
            'lr': rate,
            'images_per_second': round(images / max(now - self._interval_began, 1e-9), 2),
            'seconds': round(progress.seconds, 2),
        }
        self._interval_began = now
        self._folder.add_metrics(record)
        _log.debug(
            'epoch %d, step %d: loss %.4f, top-1 %.4f, rate %.4g, %.0f images/s',
            record['epoch'], record['step'], record['loss'], record['top1'], record['lr'], record['images_per_second'],
        )  # fmt: skip

    def epoch(self, evaluation: Optional[Evaluation], rate: float) -> None:
        """Report an epoch that is done.

        Args:
            evaluation: of the validation data, or None without any.
            rate: the learning rate of its last step.
        """
        progress = self._progress
        loss, hits, images = progress.sums
        images = max(images, 1)  # 0 where float16 left every update out
        train = {'loss': loss / images, 'top1': hits / images}
        val = {'loss': evaluation.loss, 'top1': evaluation.top1} if evaluation else {'loss': None, 'top1': None}
        progress.last = {name: (val if evaluation else train)[name] for name in ('top1', 'loss')}
        progress.seconds = time.time() - self._began
        self._folder.add_metrics({
            'kind': 'epoch',
            'epoch': progress.epoch,
            'epochs_done': progress.epoch,
            'step': progress.step,
            **{f'train_{name}': value for name, value in train.items()},
            **{f'val_{name}': value for name, value in val.items()},
            'val_top5': evaluation.top5 if evaluation else None,
            'lr': rate,
            'seconds': round(progress.seconds, 2),
        })  # fmt: skip
        validated = f', validation loss {val["loss"]:.4f}, top-1 {val["top1"]:.4f}' if evaluation else ''
        _log.info(
            'epoch %d/%d: loss %.4f, top-1 %.4f%s (%.0f s)',
            progress.epoch, self._config.epochs, train['loss'], train['top1'], validated, progress.seconds,
        )  # fmt: skip

    def summary(self, stopped_early: bool) -> Dict[str, Any]:
        """Write ``summary.json`` and ``curves.png``; returns the summary.

        Args:
            stopped_early: whether the run ended before its last epoch, since nothing better came.
        """
        progress = self._progress
        summary = {
            'output': str(self._folder.path),
            'epochs': progress.epoch,
            'steps': progress.step,
            'best': progress.best,
            'final': progress.last,
            'stopped_early': stopped_early,
            'seconds': round(progress.seconds, 2),
        }
        self._folder.write_summary(summary)
        return summary

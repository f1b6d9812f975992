"""What a run says while it trains: ``metrics.jsonl``, the log, the progress line, TensorBoard's events."""

from __future__ import annotations

import logging
from typing import Any, Callable, Dict, Iterable, Optional

from gluon_cbam.tasks.classification.evaluation import Evaluation
from gluon_cbam.training.checkpoint.run_directory import RunFolder
from gluon_cbam.training.checkpoint.state import Progress
from gluon_cbam.training.config.train_config import TrainConfig
from gluon_cbam.training.loop.setup import Setup

from .meters import Reading
from .tensorboard import Events
from .throughput import Clock, duration

_log = logging.getLogger('gluon_cbam.training')


class Reporter:
    """Writes the records of a run.

    Args:
        folder: of the run.
        setup: of the run.
        progress: read whenever something is reported.
        display: ``progress`` of :func:`.run.train`.
    """

    def __init__(self, folder: RunFolder, setup: Setup, progress: Progress, display: Optional[Callable] = None):
        self._folder, self._setup, self._progress, self._display = folder, setup, progress, display
        self._config: TrainConfig = setup.config
        self._seconds_before = progress.seconds
        self._clock = Clock(setup.steps_per_epoch * self._config.epochs, self._config.epochs)
        self._events = (
            Events(folder.path / 'tensorboard', progress.step)
            if self._config.tensorboard and setup.process_group.rank == 0
            else None
        )

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

    def steps(self, batches: Iterable) -> Iterable:
        """The batches of the epoch under way, or of what is left of it: shown, and the waiting for them measured."""
        progress = self._progress
        batches = self._clock.epoch(batches)
        if self._display is None:
            return batches
        left = self._setup.steps_per_epoch - progress.batch
        return self._display(batches, left, f'epoch {progress.epoch + 1}/{self._config.epochs}')

    def interval(self, reading: Reading, rate: float) -> None:
        """Report the steps of a reading.

        Args:
            reading: of the steps since the last.
            rate: the learning rate of the last of them.
        """
        progress, images = self._progress, self._progress.images_per_step * len(reading.losses)
        interval = self._clock.interval()
        remaining = self._clock.remaining(progress.step, progress.epoch)
        progress.seconds = self._seconds_before + self._clock.seconds
        self._add({
            'kind': 'interval',
            'epoch': progress.epoch + 1,
            'epochs_done': round(progress.epoch + progress.batch / self._setup.steps_per_epoch, 4),
            'step': progress.step,
            'loss': float(reading.losses.sum() / images),
            'top1': float(reading.hits.sum() / images),
            'lr': rate,
            'images_per_second': round(progress.images_per_step * interval.steps / interval.seconds, 2),
            'data_wait': round(interval.waited, 4),
            'eta_seconds': None if remaining is None else round(remaining, 1),
            'seconds': round(progress.seconds, 2),
        })  # fmt: skip

    def _add(self, record: Dict[str, Any]) -> None:
        """Write a record, and say an interval's."""
        self._folder.add_metrics(record)
        if self._events:
            self._events.add(record)
        if record['kind'] == 'interval':
            text = (
                f'loss {record["loss"]:.4f} top-1 {record["top1"]:.3f} {record["images_per_second"]:.0f} img/s '
                f'wait {100 * record["data_wait"]:.0f}% ETA {duration(record["eta_seconds"])}'
            )
            _log.debug('epoch %d, step %d: %s, rate %.4g', record['epoch'], record['step'], text, record['lr'])
            if hasattr(self._display, 'say'):
                self._display.say(f'epoch {record["epoch"]}/{self._config.epochs} {text}')

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
        progress.seconds = self._seconds_before + self._clock.seconds
        self._add({
            'kind': 'epoch',
            'epoch': progress.epoch,
            'epochs_done': progress.epoch,
            'step': progress.step,
            **{f'train_{name}': value for name, value in train.items()},
            **{f'val_{name}': value for name, value in val.items()},
            'val_top5': evaluation.top5 if evaluation else None,
            'lr': rate,
            'bad_records': len(progress.bad_records),
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
            'bad_records': len(progress.bad_records),
            'seconds': round(progress.seconds, 2),
        }
        self._folder.write_summary(summary)
        if self._events:
            self._events.close()
        return summary

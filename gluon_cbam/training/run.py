"""A training run, from a configuration to a run folder."""

from __future__ import annotations

import logging
import signal
import time
from collections import deque
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import mxnet as mx
import numpy as np

from ..errors import Interrupted, RunError, UsageError
from ..evaluation import Evaluation, evaluate
from .checkpoints import State
from .config import TrainConfig
from .folder import RunFolder, open_folder
from .interrupts import Interrupts
from .loss import SmoothedCrossEntropy
from .schedule import schedule
from .setup import Setup, prepare

_log = logging.getLogger('gluon_cbam.training')
_STEPS_AHEAD = 4  # steps that may wait for the devices; without a bound, their input batches would fill the memory


def train(config: TrainConfig, progress: Optional[Callable] = None) -> Dict[str, Any]:
    """Train a network.

    Everything that can be wrong with the settings, files and devices is found before the first step.

    Args:
        config: the settings.
        progress: wraps the steps of an epoch, (batches, how many, description), to show how far it is.

    Returns:
        The summary: ``output``, ``epochs``, ``steps``, ``best`` (``epoch``, ``top1``; None without validation data),
        ``final`` (``top1``, ``loss``), ``seconds``.

    Raises:
        UsageError: a setting is wrong.
        EnvironmentProblem: a device is not there.
        DataError: data or a checkpoint is damaged or does not fit.
        RunError: the loss is not finite.
        Interrupted: a signal stopped the run, after its state was saved.
    """
    setup = prepare(config)
    folder = open_folder(setup.config)
    with folder.logging_to_file(_log), Interrupts() as interrupts:
        return Run(setup, folder, interrupts, progress or (lambda batches, total, text: batches)).fit()


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        images_per_step: over all devices.
        epoch: that is under way, from 0.
        batch: steps done in it.
        step: steps done in all.
        seconds: that they took, over all sessions.
        best: ``epoch`` (from 1) and ``top1`` of the best validation.
        last: ``top1`` and ``loss`` of the last validation, or of training without validation data.
        sums: loss, hits and images of the epoch under way.
    """

    images_per_step: int
    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    best: Optional[Dict[str, Any]] = None
    last: Dict[str, Optional[float]] = field(default_factory=lambda: {'top1': None, 'loss': None})
    sums: List[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])


class Run:
    """The loop.

    Args:
        setup: of :func:`prepare`.
        folder: of the run.
        interrupts: asked before each step.
        progress: as of :func:`train`.
    """

    def __init__(self, setup: Setup, folder: RunFolder, interrupts: Interrupts, progress: Callable):
        self._setup, self._config, self._folder = setup, setup.config, folder
        self._interrupts, self._show = interrupts, progress
        self._progress = Progress(images_per_step=setup.data.batch_size)
        self._pending: List[tuple] = []  # (loss and hits of each device) of the steps since the last log
        self._build()

    def _build(self) -> None:
        """Network, loss and trainer; from the newest checkpoint if the folder has one."""
        config, ctx = self._config, self._setup.ctx
        mx.random.seed(config.seed)
        self._net = self._setup.net
        self._net.initialize(ctx=ctx)
        self._net.hybridize(static_alloc=True, static_shape=True)
        self._loss = SmoothedCrossEntropy(config.label_smoothing)
        self._loss.hybridize(static_alloc=True, static_shape=True)
        arguments = {'learning_rate': config.lr, 'momentum': config.momentum, 'wd': config.wd}
        self._trainer = mx.gluon.Trainer(
            self._net.collect_params(),
            config.optimizer,
            arguments,
            kvstore=config.kv_store if len(ctx) > 1 else None,
            update_on_kvstore=False,  # so that the optimizer's state is here, to be saved without pickle
        )
        self._rate = schedule(config, len(self._setup.data))
        state = self._folder.checkpoints.newest()
        if state:
            self._continue(state)

    def _continue(self, state: State) -> None:
        progress = Progress(**state.progress)
        if progress.images_per_step != self._setup.data.batch_size:
            raise UsageError(
                f'the run to resume takes {progress.images_per_step} images a step over all devices, now it would be '
                f'{self._setup.data.batch_size}: change --batch-size with the number of devices'
            )
        self._folder.checkpoints.restore(state, self._net, self._trainer)
        self._folder.forget_after(progress.step)
        self._progress = progress

    def fit(self) -> Dict[str, Any]:
        """Train to the last epoch. See :func:`train`."""
        config, progress = self._config, self._progress
        self._folder.write_config(config)
        self._introduce()
        self._began = time.time() - progress.seconds
        while progress.epoch < config.epochs:
            self._epoch()
        summary = {
            'output': str(self._folder.path),
            'epochs': progress.epoch,
            'steps': progress.step,
            'best': progress.best,
            'final': progress.last,
            'seconds': round(progress.seconds, 2),
        }
        self._folder.write_summary(summary)
        return summary

    def _introduce(self) -> None:
        config, setup, progress = self._config, self._setup, self._progress
        devices_text = ', '.join(map(str, setup.ctx))
        _log.info(
            '%s, %d classes, %d x %d pixels: %d training records, %s for validation',
            config.network, config.classes, config.image_size, config.image_size, len(setup.data.records),
            len(setup.val) if setup.val else 'none',
        )  # fmt: skip
        _log.info(
            '%s: %d images a device, %d a step, %d steps an epoch, %d epochs',
            devices_text, config.batch_size, setup.data.batch_size, len(setup.data), config.epochs,
        )  # fmt: skip
        if progress.step:
            _log.info('continues at epoch %d, step %d', progress.epoch + 1, progress.step)

    def _epoch(self) -> None:
        """One epoch, or what is left of it: steps, validation, checkpoint, log."""
        progress, data = self._progress, self._setup.data
        text = f'epoch {progress.epoch + 1}/{self._config.epochs}'
        ahead = deque()
        self._interval_began = time.time()
        with closing(data.epoch(progress.epoch, progress.batch)) as batches:
            for batch in self._show(batches, len(data) - progress.batch, text):
                self._stop_if_asked()
                ahead.append(self._step(batch))
                if len(ahead) > _STEPS_AHEAD:
                    ahead.popleft().wait_to_read()
                if progress.step % self._config.log_interval == 0:
                    self._log_interval()
        self._log_interval()
        evaluation = self._validate()
        progress.epoch, progress.batch = progress.epoch + 1, 0
        self._log_epoch(evaluation)
        progress.sums = [0.0, 0.0, 0.0]
        self._save(evaluation)

    def _step(self, batch: mx.io.DataBatch) -> mx.nd.NDArray:
        """Queue one step on the devices; returns something that is ready when it is done."""
        images = mx.gluon.utils.split_and_load(batch.data[0], self._setup.ctx)
        labels = mx.gluon.utils.split_and_load(batch.label[0], self._setup.ctx)
        with mx.autograd.record():
            outputs = [self._net(part) for part in images]
            losses = [self._loss(output, label) for output, label in zip(outputs, labels)]
            penalties = [self._net.penalty(context) for context in self._setup.ctx]
            # the gradient is divided by the batch over all devices: each device's share of the penalty is its images'
            terms = [len(part) * penalty for part, penalty in zip(images, penalties) if penalty is not None]
        mx.autograd.backward([*losses, *terms])
        self._trainer.set_learning_rate(self._rate(self._progress.step))
        self._trainer.step(self._setup.data.batch_size)
        hits = [(output.argmax(axis=1) == label).sum() for output, label in zip(outputs, labels)]
        self._pending.append(([loss.sum() for loss in losses], hits))
        self._progress.step += 1
        self._progress.batch += 1
        return losses[0]

    def _log_interval(self) -> None:
        """Read what the steps since the last log gave: the only place in the loop that waits for the devices."""
        if not self._pending:
            return
        progress, size = self._progress, self._setup.data.batch_size
        losses, hits = (
            sum(mx.nd.concat(*device, dim=0).asnumpy().astype(float) for device in zip(*column))
            for column in zip(*self._pending)
        )
        self._pending.clear()
        first = progress.step - len(losses)
        if not np.isfinite(losses).all():
            bad = int(np.flatnonzero(~np.isfinite(losses))[0])
            raise RunError(
                f'the loss is {losses[bad] / size:g} at step {first + bad + 1} (epoch {progress.epoch + 1}): '
                'use a smaller --lr or more --warmup-epochs'
            )
        images, now = size * len(losses), time.time()
        progress.sums = [a + b for a, b in zip(progress.sums, (losses.sum(), hits.sum(), images))]
        progress.seconds = now - self._began
        record = {
            'kind': 'interval',
            'epoch': progress.epoch + 1,
            'epochs_done': round(progress.epoch + progress.batch / len(self._setup.data), 4),
            'step': progress.step,
            'loss': float(losses.sum() / images),
            'top1': float(hits.sum() / images),
            'lr': float(self._trainer.learning_rate),
            'images_per_second': round(images / max(now - self._interval_began, 1e-9), 2),
            'seconds': round(progress.seconds, 2),
        }
        self._interval_began = now
        self._folder.add_metrics(record)
        _log.debug(
            'epoch %d, step %d: loss %.4f, top-1 %.4f, rate %.4g, %.0f images/s',
            record['epoch'], record['step'], record['loss'], record['top1'], record['lr'], record['images_per_second'],
        )  # fmt: skip

    def _validate(self) -> Optional[Evaluation]:
        setup = self._setup
        if setup.val is None:
            return None
        self._share_statistics()
        batch_size, workers = self._config.batch_size, self._config.workers
        return evaluate(self._net, setup.val, setup.preprocessing, setup.ctx, batch_size, workers, self._watched)

    def _share_statistics(self) -> None:
        """Give every device the mean of the devices' running statistics, as a checkpoint holds it: the score is then of
        what is saved. They are linear in the batches, so that their mean goes on as if nothing had happened."""
        for parameter in self._net.collect_params().values():
            if parameter.grad_req == 'null' and len(self._setup.ctx) > 1:
                copies = [data.as_in_context(mx.cpu()) for data in parameter.list_data()]
                parameter.set_data(mx.nd.add_n(*copies) / len(copies))

    def _watched(self, batches, total):
        for batch in batches:
            self._stop_if_asked()
            yield batch

    def _log_epoch(self, evaluation: Optional[Evaluation]) -> None:
        progress = self._progress
        loss, hits, images = progress.sums
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
            'lr': float(self._trainer.learning_rate),
            'seconds': round(progress.seconds, 2),
        })  # fmt: skip
        validated = f', validation loss {val["loss"]:.4f}, top-1 {val["top1"]:.4f}' if evaluation else ''
        _log.info(
            'epoch %d/%d: loss %.4f, top-1 %.4f%s (%.0f s)',
            progress.epoch, self._config.epochs, train['loss'], train['top1'], validated, progress.seconds,
        )  # fmt: skip

    def _save(self, evaluation: Optional[Evaluation]) -> None:
        """Write the newest checkpoint, and the best one if this is it."""
        progress = self._progress
        if evaluation and (progress.best is None or evaluation.top1 > progress.best['top1']):
            progress.best = {'epoch': progress.epoch, 'top1': evaluation.top1}
            metrics = {name: getattr(evaluation, name) for name in ('top1', 'top5', 'loss', 'records')}
            self._folder.checkpoints.save_best(self._net, {**self._card(), 'metrics': metrics})
        self._save_newest()

    def _save_newest(self) -> Path:
        return self._folder.checkpoints.save_newest(self._net, self._trainer, self._card(), asdict(self._progress))

    def _card(self) -> Dict[str, Any]:
        config = self._config
        return {
            'network': config.network,
            'classes': config.classes,
            'options': config.option,
            'class_names': self._setup.class_names,
            'preprocessing': self._setup.preprocessing.as_dict(),
        }

    def _stop_if_asked(self) -> None:
        """After a signal, save the state and stop."""
        if self._interrupts.received is None:
            return
        self._log_interval()
        path = self._save_newest()
        name = signal.Signals(self._interrupts.received).name
        raise Interrupted(
            f'{name} at step {self._progress.step}: saved {path}; continue with --resume {self._folder.path}',
            self._interrupts.received,
        )

"""A dry run: builds everything and trains a step, to estimate time and memory of the run. It writes nothing.

Of tasks that ask for it, it also trains on a few images until the network should know them, and scores it on them.
"""

from __future__ import annotations

import math
import shutil
import time
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Callable, Iterator, List, Sequence, Tuple

import mxnet as mx

from gluon_cbam.common.errors import RunError
from gluon_cbam.common.memory import peak as peak_memory
from gluon_cbam.compat.renamed import renamed_attributes
from gluon_cbam.training.checkpoint.run_directory import check_run_directory
from gluon_cbam.training.config.train_config import TrainConfig
from gluon_cbam.training.setup import Setup, prepare
from gluon_cbam.training.sharding.plan import ShardPlan, plans

from .batch_fit import fit_batch
from .dry_run_report import DeviceMemory, DryRun, text_of_bytes
from .engine import Engine

_Batch = Sequence[mx.nd.NDArray]
_BATCHES = 6  # batches that are loaded to measure the loading
_PLANNED = (1, 8)  # numbers of devices for which the memory of a sharded head is planned besides that of the run


def dry_run(config: TrainConfig) -> DryRun:
    """Build a run, train a step, and estimate time, memory and disk space of the run.

    Args:
        config: the settings.

    Returns:
        The measurements and estimates.

    Raises:
        CbamError: see :func:`gluon_cbam.training.loop.trainer.train`.
        OSError: the disk is too small for the checkpoints.
    """
    setup = prepare(config)
    config, steps = setup.config, setup.config.epochs * setup.steps_per_epoch
    output = check_run_directory(config)
    engine = Engine(setup)
    with closing(setup.data.epoch(0)) as batches:
        batch, batch_seconds = _load(batches)
        of_step = [batch] * config.accumulate
        loss, _ = _timed_step(engine, of_step, 0, setup.images_per_step)
        _, step_seconds = _timed_step(engine, of_step, 1, setup.images_per_step)
        peak = peak_memory()
    load_seconds = batch_seconds * config.accumulate
    if not math.isfinite(loss):
        raise RunError(f'the loss of the first step is {loss:g}: look at the data, or take other settings')
    both = max if any(context.device_type == 'gpu' for context in setup.ctx) else lambda *parts: sum(parts)
    needed, free = _checkpoint_bytes(engine, config.keep_best), shutil.disk_usage(_existing(output)).free
    if needed > free:
        raise OSError(
            f'checkpoints need about {text_of_bytes(needed)}, {text_of_bytes(free)} are free for {output}: make room'
        )
    return DryRun(
        network=config.network,
        parameters=_count(engine.net),
        output=str(output),
        devices=[str(context) for context in setup.ctx],
        batch_size=config.batch_size,
        images_per_step=setup.images_per_step,
        steps_per_epoch=setup.steps_per_epoch,
        epochs=config.epochs,
        steps=steps,
        validations=_validations(setup),
        val_interval=config.val_interval if setup.val is not None else None,
        learning_rates=_rates(engine.rate, config.epochs, setup.steps_per_epoch),
        loss=loss,
        step_seconds=step_seconds,
        load_seconds=load_seconds,
        run_seconds=steps * both(step_seconds, load_seconds),
        peak_bytes=peak,
        device_memory=_device_memory(setup),
        checkpoint_bytes=needed,
        free_bytes=free,
        classes=setup.classes,
        head=_plan_head(engine, setup),
        fit=fit_batch(engine, setup, batch),
    )


def _plan_head(engine: Engine, setup: Setup) -> List[ShardPlan]:
    """The memory of the head on the devices of the run, on 1 and on 8; nothing is allocated for other devices."""
    if engine.sharded is None:
        return []
    head, devices = engine.sharded.weight.head, len(setup.ctx) * setup.process_group.size
    states = (len(engine.tables()) - len(head.parameters)) // len(head.parameters)
    return plans(head, (devices, *_PLANNED), setup.config.batch_size, states)


def _load(batches: Iterator[_Batch]) -> Tuple[_Batch, float]:
    """A batch, and the mean seconds to load one, without the first, for which the threads start."""
    began = time.perf_counter()
    batch, first, count = next(batches), time.perf_counter(), 0
    for batch in islice(batches, _BATCHES - 1):  # noqa: B007 (the last one is used)
        count += 1
    return batch, (time.perf_counter() - first) / count if count else first - began


def _timed_step(engine: Engine, batches: Sequence[_Batch], step: int, images: int) -> Tuple[float, float]:
    """The loss and the seconds of a step."""
    mx.nd.waitall()
    began = time.perf_counter()
    result = engine.step(batches, step)
    mx.nd.waitall()
    seconds = time.perf_counter() - began
    return sum(float(loss.sum().asscalar()) for loss in result.sums[0]) / images, seconds


def _validations(setup: Setup) -> int:
    """The number of validations of the run; one at the end of an epoch is that of the epoch."""
    config, an_epoch = setup.config, setup.steps_per_epoch
    if setup.val is None:
        return 0
    within = range(config.val_interval, config.epochs * an_epoch, config.val_interval) if config.val_interval else ()
    return config.epochs + sum(step % an_epoch != 0 for step in within)


def _rates(rate: Callable[[int], float], epochs: int, steps_per_epoch: int) -> List[float]:
    steps = [*range(0, epochs * steps_per_epoch, steps_per_epoch), epochs * steps_per_epoch - 1]
    return [float(rate(step)) for step in steps]


def _count(net: mx.gluon.Block) -> int:
    return sum(parameter.data().size for parameter in net.collect_params().values() if parameter.grad_req != 'null')


def _checkpoint_bytes(engine: Engine, keep_best: int) -> int:
    """The largest number of bytes that checkpoints need.

    These are two states, with the arrays of the optimizer and of the loss, and the best epochs, and one more of each,
    since the oldest is removed after a new one is written.
    """
    weights = sum(4 * parameter.data().size for parameter in engine.net.collect_params().values())
    arrays = {**engine.optimization.arrays(), **(engine.head.arrays() if engine.head else {})}
    states = sum(4 * array.size for array in arrays.values())
    states += sum(4 * math.prod(table.shape) for table in engine.tables().values())
    return 3 * (weights + states) + (keep_best + 2 if keep_best > 1 else 2) * weights


def _device_memory(setup: Setup) -> List[DeviceMemory]:
    gpus = [context for context in setup.ctx if context.device_type == 'gpu']
    pairs = [(context, *mx.context.gpu_memory_info(context.device_id)) for context in gpus]
    return [DeviceMemory(str(context), total - free, total) for context, free, total in pairs]


def _existing(path: Path) -> Path:
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())


__getattr__ = renamed_attributes(
    __name__,
    {
        'Rehearsal': 'training.loop.dry_run_report.DryRun',
        'rehearse': 'training.loop.dry_run.dry_run',
    },
)

"""A dry run: builds everything and trains a step, to estimate time and memory of the run. It writes nothing."""

from __future__ import annotations

import math
import shutil
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import mxnet as mx

from gluon_cbam.common.errors import RunError
from gluon_cbam.common.memory import peak as peak_memory
from gluon_cbam.compat.renamed import renamed_attributes
from gluon_cbam.tasks.classes import ClassCheck
from gluon_cbam.training.checkpoint.run_directory import check_run_directory
from gluon_cbam.training.config.train_config import TrainConfig
from gluon_cbam.training.logging.throughput import duration
from gluon_cbam.training.setup import Setup, prepare
from gluon_cbam.training.sharding.plan import ShardPlan, plans

from .engine import Engine

_Batch = Sequence[mx.nd.NDArray]
_BATCHES = 6  # batches that are loaded to measure the loading
_NUMBERS = 8  # most learning rates in the text
_BLOCKS = '▁▂▃▄▅▆▇█'
_PLANNED = (1, 8)  # numbers of devices for which the memory of a sharded head is planned besides that of the run
_WIDTH = 60  # width of the curve, in characters


class DeviceMemory(NamedTuple):
    """Memory of a GPU in bytes; ``used`` by all of its processes."""

    device: str
    used: int
    total: int


@dataclass(frozen=True)
class DryRun:
    """The results of a dry run.

    Attributes:
        network: the name of the network.
        parameters: number of trained parameters.
        output: directory that the run would write.
        devices: names of the devices.
        batch_size: images per device and step.
        images_per_step: images per step, over all devices.
        steps_per_epoch: steps per epoch.
        epochs: the number of epochs of the run.
        steps: the number of steps of the run.
        learning_rates: the learning rates at the beginning of each epoch, and in the last step.
        loss: the loss of the first step, a mean over its images.
        step_seconds: seconds to train a step, after one step to warm up.
        load_seconds: seconds to load the images of a step.
        run_seconds: seconds of all training steps, without validation and checkpoints. On GPUs loading overlaps
            training; on the CPU both need the same cores, one after the other.
        peak_bytes: the most memory that this process used.
        device_memory: the memory of the GPUs.
        checkpoint_bytes: about how much the checkpoints of the run need on the disk at most.
        free_bytes: free bytes on the disk of ``output``.
        classes: the comparison of the names of the classes.
        head: the memory of a sharded head on each device, for the devices of the run, for 1 and for 8; empty for a loss
            without one.
    """

    network: str
    parameters: int
    output: str
    devices: List[str]
    batch_size: int
    images_per_step: int
    steps_per_epoch: int
    epochs: int
    steps: int
    learning_rates: List[float]
    loss: float
    step_seconds: float
    load_seconds: float
    run_seconds: float
    peak_bytes: int
    device_memory: List[DeviceMemory]
    checkpoint_bytes: int
    free_bytes: int
    classes: ClassCheck
    head: List[ShardPlan] = field(default_factory=list)

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name, as JSON holds them."""
        values = {**asdict(self), 'device_memory': [memory._asdict() for memory in self.device_memory]}
        del values['classes'], values['head']
        if self.head:
            values['head'] = [{**asdict(entry), 'total': entry.total} for entry in self.head]
        return {**values, **self.classes.as_dict()}

    def as_text(self) -> str:
        """A human-readable table."""
        memory = [f'{_bytes(self.peak_bytes)} of this process at most']
        memory += [f'{_bytes(entry.used)} of {_bytes(entry.total)} on {entry.device}' for entry in self.device_memory]
        numbers = ', '.join(f'{rate:.4g} from epoch {epoch}' for epoch, rate in _milestones(self.learning_rates[:-1]))
        speed = self.images_per_step * self.steps / self.run_seconds
        rows = [
            ('network', f'{self.network}, {self.parameters:,} parameters; loss of the first step {self.loss:.4f}'),
            ('devices', f'{", ".join(self.devices)}: {self.batch_size} images each, {self.images_per_step} a step'),
            ('steps', f'{self.steps_per_epoch} an epoch, {self.epochs} epochs: {self.steps}'),
            ('learning rate', _curve(self.learning_rates)),
            ('', f'{numbers}, {self.learning_rates[-1]:.4g} in the last step'),
            ('a step', f'{self.step_seconds:.3f} s to train, {self.load_seconds:.3f} s to load: {speed:.1f} images/s'),
            ('the run', f'{duration(self.run_seconds)}, without validation and checkpoints'),
            ('memory', ', '.join(memory)),
            *(entry.as_row(_bytes) for entry in self.head),
            ('checkpoints', f'{_bytes(self.checkpoint_bytes)} in {self.output}; {_bytes(self.free_bytes)} are free'),
            *(('warning', warning) for warning in self.classes.warnings),
        ]
        width = max(13, *(len(name) for name, _ in rows))
        return '\n'.join(f'{name:<{width}}  {text}' for name, text in rows)


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
    load_seconds = batch_seconds * config.accumulate
    if not math.isfinite(loss):
        raise RunError(f'the loss of the first step is {loss:g}: look at the data, or take other settings')
    both = max if any(context.device_type == 'gpu' for context in setup.ctx) else lambda *parts: sum(parts)
    needed, free = _checkpoint_bytes(engine, config.keep_best), shutil.disk_usage(_existing(output)).free
    if needed > free:
        raise OSError(f'checkpoints need about {_bytes(needed)}, {_bytes(free)} are free for {output}: make room')
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
        learning_rates=_rates(engine.rate, config.epochs, setup.steps_per_epoch),
        loss=loss,
        step_seconds=step_seconds,
        load_seconds=load_seconds,
        run_seconds=steps * both(step_seconds, load_seconds),
        peak_bytes=peak_memory(),
        device_memory=_device_memory(setup),
        checkpoint_bytes=needed,
        free_bytes=free,
        classes=setup.classes,
        head=_plan_head(engine, setup),
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


def _milestones(rates: List[float]) -> List[Tuple[int, float]]:
    """Epochs, from 1, with their rates: all changes if they are few, else evenly spaced epochs."""
    changes = [(epoch, rate) for epoch, rate in enumerate(rates, 1) if epoch == 1 or rate != rates[epoch - 2]]
    if len(changes) <= _NUMBERS:
        return changes
    return [
        (epoch, rates[epoch - 1])
        for epoch in sorted({1 + number * len(rates) // _NUMBERS for number in range(_NUMBERS)})
    ]


def _curve(rates: List[float]) -> str:
    """The rates as a line of block characters."""
    width, top = min(_WIDTH, len(rates)), max(rates) or 1.0
    shown = [rates[number * len(rates) // width] for number in range(width)]
    return ''.join(_BLOCKS[min(int(rate / top * len(_BLOCKS)), len(_BLOCKS) - 1)] for rate in shown)


def _bytes(count: int) -> str:
    return f'{count / 1e9:.1f} GB' if count >= 1e9 else f'{count / 1e6:.1f} MB'


__getattr__ = renamed_attributes(
    __name__,
    {
        'Rehearsal': 'training.loop.dry_run.DryRun',
        'rehearse': 'training.loop.dry_run.dry_run',
    },
)

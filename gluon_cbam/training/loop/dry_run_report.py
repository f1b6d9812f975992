"""The report of a dry run: measurements and estimates, as JSON and as a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from gluon_cbam.tasks import Task
from gluon_cbam.tasks.classes import ClassCheck
from gluon_cbam.training.logging.throughput import duration
from gluon_cbam.training.sharding.plan import ShardPlan

_NUMBERS = 8  # most learning rates in the text
_BLOCKS = '▁▂▃▄▅▆▇█'
_WIDTH = 60  # width of the curve, in characters


class DeviceMemory(NamedTuple):
    """Memory of a GPU in bytes; ``used`` by all of its processes."""

    device: str
    used: int
    total: int


@dataclass(frozen=True)
class BatchFit:
    """How well a network fits a few images after some steps, in which it sees nothing else.

    Attributes:
        images: number of images, over all devices.
        steps: number of steps.
        first_loss: the mean loss of the first step.
        last_loss: the mean loss of the last step.
        figures: figures of the network on these images after the last step, by name.
        task: the task, which knows the figures.
    """

    images: int
    steps: int
    first_loss: float
    last_loss: float
    figures: Dict[str, float]
    task: Task

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name, as JSON holds them."""
        return {name: value for name, value in asdict(self).items() if name != 'task'}

    def text(self) -> str:
        """Human-readable, in one line."""
        return (
            f'{self.images} images in {self.steps} steps of Adam: loss {self.first_loss:.4f} to {self.last_loss:.4f}, '
            f'{self.task.text(self.figures)} on them'
        )


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
        validations: the number of validations of the run; 0 without validation data.
        val_interval: steps between two validations within an epoch; None where there are only those after each epoch.
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
        fit: how well the network fits a few images, for tasks that ask for it.
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
    validations: int
    val_interval: Optional[int]
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
    fit: Optional[BatchFit] = None

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name, as JSON holds them."""
        values = {**asdict(self), 'device_memory': [memory._asdict() for memory in self.device_memory]}
        del values['classes'], values['head'], values['fit']
        if self.fit is not None:
            values['fit'] = self.fit.as_dict()
        if self.head:
            values['head'] = [{**asdict(entry), 'total': entry.total} for entry in self.head]
        return {**values, **self.classes.as_dict()}

    def as_text(self) -> str:
        """A human-readable table."""
        memory = [f'{text_of_bytes(self.peak_bytes)} of this process at most']
        memory += [
            f'{text_of_bytes(entry.used)} of {text_of_bytes(entry.total)} on {entry.device}'
            for entry in self.device_memory
        ]
        numbers = ', '.join(f'{rate:.4g} from epoch {epoch}' for epoch, rate in _milestones(self.learning_rates[:-1]))
        speed = self.images_per_step * self.steps / self.run_seconds
        rows = [
            ('network', f'{self.network}, {self.parameters:,} parameters; loss of the first step {self.loss:.4f}'),
            ('devices', f'{", ".join(self.devices)}: {self.batch_size} images each, {self.images_per_step} a step'),
            ('steps', f'{self.steps_per_epoch} an epoch, {self.epochs} epochs: {self.steps}'),
            ('validation', self._validations()),
            ('learning rate', _curve(self.learning_rates)),
            ('', f'{numbers}, {self.learning_rates[-1]:.4g} in the last step'),
            ('a step', f'{self.step_seconds:.3f} s to train, {self.load_seconds:.3f} s to load: {speed:.1f} images/s'),
            ('the run', f'{duration(self.run_seconds)}, without validation and checkpoints'),
            *((('fit', self.fit.text()),) if self.fit else ()),
            ('memory', ', '.join(memory)),
            *(entry.as_row(text_of_bytes) for entry in self.head),
            (
                'checkpoints',
                f'{text_of_bytes(self.checkpoint_bytes)} in {self.output}; {text_of_bytes(self.free_bytes)} are free',
            ),
            *(('warning', warning) for warning in self.classes.warnings),
        ]
        width = max(13, *(len(name) for name, _ in rows))
        return '\n'.join(f'{name:<{width}}  {text}' for name, text in rows)

    def _validations(self) -> str:
        if not self.validations:
            return 'none: there are no validation data'
        within = f' and every {self.val_interval} steps' if self.val_interval else ''
        return f'after each epoch{within}: {self.validations}'


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


def text_of_bytes(count: int) -> str:
    """A number of bytes in MB or GB."""
    return f'{count / 1e9:.1f} GB' if count >= 1e9 else f'{count / 1e6:.1f} MB'

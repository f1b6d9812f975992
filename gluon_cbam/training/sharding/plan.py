"""The memory that a sharded head needs on each device, computed from sizes alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterable, List, Tuple

from gluon_cbam.tasks.sharded_head import ShardedHead

from .layout import class_ranges
from .sampling import sample_size

_BYTES = 4  # of a value
_LIKE_LOGITS = 12  # arrays of the size of the logits that a step holds: measured with arcface on the CPU
_PARTS = ('weight', 'state', 'gradient', 'rows', 'logits', 'embeddings')
_LIKE_ROWS = 3  # arrays of the size of the active rows, besides weight, gradient and state, in the gradient of norms


@dataclass(frozen=True)
class ShardPlan:
    """The memory of a head on each of some devices, in bytes of the device with the most classes.

    Attributes:
        devices: the number of devices over which the head is sharded.
        images: images of a step over all devices, whose embeddings every device receives.
        classes: classes of the largest shard.
        sampled: those of them that a step takes.
        weight: the weight.
        state: the state of the optimizer, such as momentum.
        gradient: the gradient of the rows that a step takes, and copies of these rows if it takes a sample.
        rows: further arrays of their size.
        logits: cosines, logits and their gradients.
        embeddings: the embeddings of all devices and their gradients.
    """

    devices: int
    images: int
    classes: int
    sampled: int
    weight: int
    state: int
    gradient: int
    rows: int
    logits: int
    embeddings: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(getattr(self, name) for name in _PARTS)

    def as_row(self, shown: Callable[[int], str]) -> Tuple[str, str]:
        """Name and text of a row of a table.

        Args:
            shown: writes a number of bytes.
        """
        sample = f', {self.sampled:,} of them in a step' if self.sampled < self.classes else ''
        parts = ', '.join(f'{name} {shown(getattr(self, name))}' for name in _PARTS)
        name = f'head on {self.devices} device{"s" if self.devices > 1 else ""}'
        return name, f'{shown(self.total)} on each: {self.classes:,} classes{sample}; {parts}'


def plan(head: ShardedHead, devices: int, images: int, states: int) -> ShardPlan:
    """Compute the memory of a head; nothing is allocated.

    Args:
        head: the head.
        devices: devices of all processes.
        images: images of a batch on each of them.
        states: arrays of the optimizer for each parameter: 1 for a momentum.
    """
    classes = len(class_ranges(head.classes, devices)[0])
    sampled = classes if head.sample_rate == 1 else sample_size(classes, head.sample_rate, images * devices)
    width = sum(parameter.width for parameter in head.parameters.values())
    all_rows, active = (_BYTES * count * head.centers * width for count in (classes, sampled))
    copies = 0 if sampled == classes else 1 + states
    return ShardPlan(
        devices=devices,
        images=images * devices,
        classes=classes,
        sampled=sampled,
        weight=all_rows,
        state=states * all_rows,
        gradient=(1 + copies) * active,
        rows=_LIKE_ROWS * active,
        logits=_LIKE_LOGITS * _BYTES * images * devices * sampled,
        embeddings=2 * _BYTES * images * devices * max(row.width for row in head.parameters.values()),
    )


def plans(head: ShardedHead, devices: Iterable[int], images: int, states: int) -> List[ShardPlan]:
    """The plans for several numbers of devices, each once and ascending, without those above the number of classes."""
    return [plan(head, count, images, states) for count in sorted(set(devices)) if count <= head.classes]

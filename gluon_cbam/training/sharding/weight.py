"""The shards of this process: the rows of its classes on each device, and those of them that a step trains."""

from __future__ import annotations

from typing import Dict, List, Sequence

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.tasks.sharded_head import ShardedHead
from gluon_cbam.training.distributed.process_group import ProcessGroup

from .layout import ClassRange, class_ranges, first_rows
from .row_table import RowTable
from .sampling import sample_classes, sample_size

_MOST_CLASSES = 1 << 24  # labels travel as float32
_MOST_VALUES = (1 << 31) - 1  # of an array of MXNet


class Shard:
    """The rows of a range of classes, on one device.

    Attributes:
        context: the device.
        classes: the classes.
        count: how many of them a step takes.
        values: the rows of each parameter, (rows, width).
        active: the rows that the current step takes, with their gradients: the same arrays if it takes all.

    Args:
        number: the number of the shard, over all processes.
        context: the device.
        classes: the classes.
        head: the head.
        seed: the seed of the run.
        examples: examples of a batch over all devices and processes.
        accumulate: whether the gradients of several batches are added.
        dtype: the type of the parameters.
    """

    def __init__(
        self,
        number: int,
        context: mx.Context,
        classes: ClassRange,
        head: ShardedHead,
        seed: int,
        examples: int,
        accumulate: bool,
        dtype: str,
    ) -> None:
        self.number, self.context, self.classes, self._head, self._seed = number, context, classes, head, seed
        self.count = sample_size(len(classes), head.sample_rate, examples) if head.sample_rate < 1 else len(classes)
        self.values = {name: self._first_values(name, dtype) for name in head.parameters}
        self.active = self.values
        if self.sampled:
            self.active = {name: values[: self.count * head.centers].copy() for name, values in self.values.items()}
            self._rows = mx.nd.arange(self.count * head.centers, ctx=context, dtype='int32')
        for array in self.active.values():
            array.attach_grad('add' if accumulate else 'write')

    @property
    def sampled(self) -> bool:
        """Whether a step takes a sample of the classes."""
        return self.count < len(self.classes)

    def columns(self, labels: mx.nd.NDArray) -> mx.nd.NDArray:
        """The column of each example's class, (N,), or -1 if it is not in this shard, where a step takes all classes.

        Args:
            labels: (N,) on this device.
        """
        mine = (labels >= self.classes.first) * (labels < self.classes.end)
        return mx.nd.where(mine, labels - self.classes.first, mx.nd.full(labels.shape, -1, self.context, labels.dtype))

    def sample(self, labels: np.ndarray, step: int, index: int) -> mx.nd.NDArray:
        """Choose the classes of a step, and make their rows the active ones.

        Args:
            labels: (N,) of the whole batch.
            step: the number of the step.
            index: the index of the batch within the step.

        Returns:
            The column of each example's class, as :meth:`columns`.
        """
        mine = (labels >= self.classes.first) & (labels < self.classes.end)
        local = np.where(mine, labels - self.classes.first, 0).astype(np.int64)
        chosen = sample_classes(
            len(self.classes), self.count, local[mine], (self._seed, step, index, self.number)
        )  # fmt: skip
        rows = (chosen[:, None] * self._head.centers + np.arange(self._head.centers)).ravel()
        self._rows = mx.nd.array(rows, self.context, np.int32)
        for name, array in self.active.items():
            self.load(self.values[name], array)
        return mx.nd.array(np.where(mine, np.searchsorted(chosen, local), -1), self.context, labels.dtype)

    def load(self, values: mx.nd.NDArray, active: mx.nd.NDArray) -> None:
        """Copy the active rows of an array with all rows to one with the active rows alone."""
        mx.nd.take(values, self._rows, out=active)

    def store(self, active: mx.nd.NDArray, values: mx.nd.NDArray) -> None:
        """Copy the active rows back; the inverse of :meth:`load`."""
        mx.nd._internal._scatter_set_nd(
            lhs=values, rhs=active, indices=self._rows.expand_dims(0), shape=values.shape, out=values
        )

    def _first_values(self, name: str, dtype: str) -> mx.nd.NDArray:
        parameter, centers = self._head.parameters[name], self._head.centers
        first, end = self.classes.first * centers, self.classes.end * centers
        if (end - first) * parameter.width > _MOST_VALUES:
            raise UsageError(
                f'{len(self.classes)} classes of a shard with {parameter.width} values each are more than the '
                f'{_MOST_VALUES} values of an array: take more devices'
            )
        values = mx.nd.zeros((end - first, parameter.width), self.context, dtype)
        entropy = self._seed, list(self._head.parameters).index(name)
        for begin, rows in first_rows(entropy, first, end, parameter.width, parameter.deviation):
            values[begin - first : begin - first + len(rows)] = mx.nd.array(rows, self.context, dtype)
        return values


class ShardedWeight:
    """The parameters of a sharded head, of which this process has those of its devices.

    Attributes:
        head: the head.
        shards: the shard of each device.
        dtype: the type of the parameters.

    Args:
        head: the head.
        ctx: the devices of this process.
        process_group: the processes that train together, each with as many devices.
        seed: the seed of the run.
        examples: examples of a batch over all devices and processes.
        accumulate: whether the gradients of several batches are added.
        dtype: the type of the parameters; between processes only float32.

    Raises:
        UsageError: there are fewer classes than devices, or too many for labels or arrays.
    """

    def __init__(
        self,
        head: ShardedHead,
        ctx: List[mx.Context],
        process_group: ProcessGroup,
        seed: int,
        examples: int,
        accumulate: bool = False,
        dtype: str = 'float32',
    ) -> None:
        self.head, self.dtype, self._process_group = head, dtype, process_group
        self._accumulate = accumulate
        count = len(ctx) * process_group.size
        if not count <= head.classes <= _MOST_CLASSES:
            raise UsageError(
                f'{head.classes} classes cannot be sharded over {count} devices: it takes {count} to {_MOST_CLASSES}'
            )
        ranges, first = class_ranges(head.classes, count), process_group.rank * len(ctx)
        self.shards = [
            Shard(number, context, ranges[number], head, seed, examples, accumulate, dtype)
            for number, context in enumerate(ctx, first)
        ]

    def begin_step(self) -> None:
        """Begin a step; if the gradients of its batches are added, with zeros."""
        for array in (array for shard in self.shards for array in shard.active.values() if self._accumulate):
            array.grad[:] = 0

    def table(self, arrays: Sequence[mx.nd.NDArray]) -> RowTable:
        """Arrays with a row for each row of the shards, in the order of classes.

        Args:
            arrays: (rows, width) on each device.
        """
        centers = self.head.centers
        first = [shard.classes.first * centers for shard in self.shards]
        return RowTable(arrays, first, self.head.classes * centers, self._process_group)

    def tables(self) -> Dict[str, RowTable]:
        """The parameters by name, for checkpoints."""
        return {name: self.table([shard.values[name] for shard in self.shards]) for name in self.head.parameters}

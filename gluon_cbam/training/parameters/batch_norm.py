"""BatchNorm's running statistics: which there are, and what several devices have in common.

Each device has its own, of its own batches; a checkpoint has their mean. They are linear in the batches, so that the
mean goes on in the same way, but for rounding, whether the devices share it or not.
"""

from __future__ import annotations

from typing import Iterator, List

import mxnet as mx
from mxnet.gluon import Block, Parameter

from gluon_cbam.training.distributed import ProcessGroup

_ALONE = ProcessGroup('device')


def norms(block: Block) -> Iterator[Block]:
    """Every BatchNorm below a block, SyncBatchNorm among them."""
    if hasattr(block, 'running_mean'):
        yield block
    for child in block._children.values():
        yield from norms(child)


def moving_statistics(net: Block) -> List[Parameter]:
    """The running statistics that training moves: not those of a frozen BatchNorm."""
    moving = [norm for norm in norms(net) if not norm._kwargs['use_global_stats']]
    return [statistic for norm in moving for statistic in (norm.running_mean, norm.running_var)]


def mean_over_devices(statistic: Parameter) -> mx.nd.NDArray:
    """The mean of the devices' values, on the CPU."""
    copies = [data.as_in_context(mx.cpu()) for data in statistic.list_data()]
    return mx.nd.add_n(*copies) / len(copies)


def share_statistics(net: Block, process_group: ProcessGroup = _ALONE) -> None:
    """Give every device of every worker the mean of their running statistics, as a checkpoint has it."""
    statistics = [s for s in moving_statistics(net) if len(s.list_data()) > 1 or process_group.size > 1]
    means = [mean_over_devices(statistic).asnumpy() for statistic in statistics]
    for statistic, mean in zip(statistics, process_group.mean(means)):
        statistic.set_data(mx.nd.array(mean))

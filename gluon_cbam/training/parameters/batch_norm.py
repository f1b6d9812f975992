"""The running statistics of BatchNorm, and their mean over devices and processes.

Each device has running statistics of its own batches; a checkpoint has their mean. They are linear in the statistics of
the batches, so that, except for rounding, the mean continues in the same way whether or not the devices share it.
"""

from __future__ import annotations

from typing import Callable, Iterator, List

import mxnet as mx
from mxnet.gluon import Block, Parameter

from gluon_cbam.training.distributed.process_group import ProcessGroup
from gluon_cbam.weights.writing import value_of

_SINGLE_PROCESS = ProcessGroup('device')


def batch_norms(block: Block) -> Iterator[Block]:
    """Every BatchNorm and SyncBatchNorm of a block, in the order of the children."""
    if hasattr(block, 'running_mean'):
        yield block
    for child in block._children.values():
        yield from batch_norms(child)


def running_statistics(net: Block) -> List[Parameter]:
    """The running means and variances that training updates: those of every BatchNorm that is not frozen."""
    updated = [norm for norm in batch_norms(net) if not norm._kwargs['use_global_stats']]
    return [statistic for norm in updated for statistic in (norm.running_mean, norm.running_var)]


def synchronize_statistics(*nets: Block, process_group: ProcessGroup = _SINGLE_PROCESS) -> None:
    """Set the running statistics on every device of every process to their mean, as a checkpoint has it.

    Args:
        *nets: networks, initialized.
        process_group: the processes, each of which must call this with the same networks; default this process alone.
    """
    statistics = [
        statistic
        for net in nets
        for statistic in running_statistics(net)
        if len(statistic.list_data()) > 1 or process_group.size > 1
    ]
    means = [value_of(statistic).asnumpy() for statistic in statistics]
    for statistic, mean in zip(statistics, process_group.mean(means)):
        statistic.set_data(mx.nd.array(mean))


def take_statistics(net: mx.gluon.HybridBlock, run: Callable[[], object]) -> None:
    """Set the running statistics on each device to those of a batch.

    A network that was trained in a few steps on some images has running statistics that are far behind, since each step
    moves them by a tenth or a hundredth only.

    Args:
        net: the network, hybridized afterwards; its gradients are overwritten.
        run: runs the network on the batch in training, forward and backward.
    """
    norms = [norm for norm in batch_norms(net) if not norm._kwargs['use_global_stats']]
    momenta = [norm._kwargs['momentum'] for norm in norms]
    net.hybridize(False)  # a graph keeps the momentum that it was made with
    try:
        for norm in norms:
            norm._kwargs['momentum'] = 0
        run()  # MXNet updates running statistics in the backward pass
        mx.nd.waitall()
    finally:
        for norm, momentum in zip(norms, momenta):
            norm._kwargs['momentum'] = momentum
        net.hybridize(static_alloc=True, static_shape=True)

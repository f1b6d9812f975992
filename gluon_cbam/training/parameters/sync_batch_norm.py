"""Batch normalisation with the statistics of all devices of a process, by MXNet's SyncBatchNorm."""

from __future__ import annotations

import mxnet as mx
from mxnet.gluon.contrib.nn import SyncBatchNorm
from mxnet.gluon.nn import BatchNorm

from gluon_cbam.common.errors import EnvironmentProblem, UsageError


def synchronise(net: mx.gluon.HybridBlock, ctx: list) -> None:
    """Replace the BatchNorm layers of a network; the parameters keep their names and values.

    Args:
        net: not hybridized yet.
        ctx: the devices. Between processes, statistics stay apart.

    Raises:
        EnvironmentProblem: the devices are several CPU contexts. There MXNet 1.9.1 hangs in the backward pass: the
            layer of the first context holds the engine's thread until that of the second has come.
        UsageError: a layer does not normalise over the channels of axis 1.
    """
    if len(ctx) > 1 and any(context.device_type == 'cpu' for context in ctx):
        raise EnvironmentProblem(
            f"--sync-bn: MXNet's SyncBatchNorm hangs on {len(ctx)} CPU contexts: use GPUs, or one context"
        )
    replace(net, len(ctx))


def replace(block: mx.gluon.Block, devices: int) -> None:
    """Replace the BatchNorm layers below a block, for so many devices."""
    for name, child in list(block._children.items()):
        if type(child) is not BatchNorm:
            replace(child, devices)
            continue
        layer = _synchronised(child, devices)
        block._children[name] = layer
        for attribute, value in list(vars(block).items()):
            if value is child:
                object.__setattr__(block, attribute, layer)


def _synchronised(layer: BatchNorm, devices: int) -> SyncBatchNorm:
    told = layer._kwargs
    if told['axis'] != 1:
        raise UsageError(f'--sync-bn: {layer.name} normalises over axis {told["axis"]}, not the channels of axis 1')
    return SyncBatchNorm(
        in_channels=layer.gamma.shape[0],
        num_devices=devices,
        momentum=told['momentum'],
        epsilon=told['eps'],
        scale=not told['fix_gamma'],
        use_global_stats=told['use_global_stats'],
        beta_initializer=layer.beta.init,
        gamma_initializer=layer.gamma.init,
        running_mean_initializer=layer.running_mean.init,
        running_variance_initializer=layer.running_var.init,
        prefix=layer.prefix,  # also the key under which the devices meet: one a layer
        params=layer.params,
    )

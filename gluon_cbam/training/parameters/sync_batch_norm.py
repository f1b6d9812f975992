"""Batch normalization with the statistics of all devices of a process, by MXNet's SyncBatchNorm."""

from __future__ import annotations

from typing import List

import mxnet as mx
from mxnet.gluon.contrib.nn import SyncBatchNorm
from mxnet.gluon.nn import BatchNorm

from gluon_cbam.common.errors import EnvironmentProblem, UsageError


def convert_batch_norm(net: mx.gluon.HybridBlock, ctx: List[mx.Context]) -> None:
    """Replace the BatchNorm layers of a network by SyncBatchNorm; the parameters keep their names and values.

    Args:
        net: not hybridized yet.
        ctx: the devices of this process; statistics are not shared between processes.

    Raises:
        EnvironmentProblem: the devices are several CPU contexts. There MXNet 1.9.1 hangs in the backward pass: the
            layer of the first context blocks the engine's thread until the layer of the second one runs.
        UsageError: a layer does not normalize over axis 1.
    """
    if len(ctx) > 1 and any(context.device_type == 'cpu' for context in ctx):
        raise EnvironmentProblem(
            f"--sync-bn: MXNet's SyncBatchNorm hangs on {len(ctx)} CPU contexts: use GPUs, or one context"
        )
    replace_batch_norm(net, len(ctx))


def replace_batch_norm(block: mx.gluon.Block, devices: int) -> None:
    """Replace the BatchNorm layers of a block by SyncBatchNorm, for a number of devices."""
    for name, child in list(block._children.items()):
        if type(child) is not BatchNorm:
            replace_batch_norm(child, devices)
            continue
        layer = _sync_layer(child, devices)
        block._children[name] = layer
        owner = getattr(block, 'network', block)  # the blocks of Features are called by their network
        for attribute, value in list(vars(owner).items()):
            if value is child:
                object.__setattr__(owner, attribute, layer)


def _sync_layer(layer: BatchNorm, devices: int) -> SyncBatchNorm:
    arguments = layer._kwargs
    if arguments['axis'] != 1:
        raise UsageError(
            f'--sync-bn: {layer.name} normalizes over axis {arguments["axis"]}, not the channels of axis 1'
        )
    return SyncBatchNorm(
        in_channels=layer.gamma.shape[0],
        num_devices=devices,
        momentum=arguments['momentum'],
        epsilon=arguments['eps'],
        scale=not arguments['fix_gamma'],
        use_global_stats=arguments['use_global_stats'],
        beta_initializer=layer.beta.init,
        gamma_initializer=layer.gamma.init,
        running_mean_initializer=layer.running_mean.init,
        running_variance_initializer=layer.running_var.init,
        prefix=layer.prefix,  # also the key by which the devices of a layer find each other
        params=layer.params,
    )

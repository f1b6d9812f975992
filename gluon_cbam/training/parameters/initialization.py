"""Initialization of the parameters: random values, or other weights."""

from __future__ import annotations

import logging
from typing import Iterator, List

import mxnet as mx

from gluon_cbam.common.errors import UsageError
from gluon_cbam.pretrained.resolve import ResolvedModel

_log = logging.getLogger('gluon_cbam.training')


def initialize(net: mx.gluon.HybridBlock, model: ResolvedModel, ctx: List[mx.Context], zero_gamma: bool) -> None:
    """Initialize every parameter of a network.

    Args:
        net: the network, built from ``model`` and not initialized.
        model: has the weights to start from, or none for random values.
        ctx: the devices.
        zero_gamma: whether gamma of the last BatchNorm of each residual block is 0 (Goyal et al., arXiv:1706.02677).

    Raises:
        DataError: the weights are damaged or do not fit.
    """
    if model.params:
        _log.info('starts from %s (SHA-256 %s)', model.params, model.params_sha256)
    model.initialize(net, ctx, strict=False)
    if zero_gamma:
        for norm in _last_norms(net):
            norm.gamma.set_data(mx.nd.zeros(norm.gamma.shape))


def check_zero_gamma(net: mx.gluon.Block, network: str) -> None:
    """Check that a network has residual blocks that end with a BatchNorm.

    Args:
        net: the network.
        network: its name, for the message.

    Raises:
        UsageError: it has none.
    """
    if next(_last_norms(net), None) is None:
        raise UsageError(f'--zero-gamma is for residual networks: {network} has no block that ends with a BatchNorm')


def _last_norms(block: mx.gluon.Block) -> Iterator[mx.gluon.nn.BatchNorm]:
    """The last BatchNorm of every residual block in a block."""
    if hasattr(block, 'last_norm'):
        yield block.last_norm
    for child in block._children.values():
        yield from _last_norms(child)

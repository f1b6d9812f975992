"""Insert attention modules into networks of other packages."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Callable, Dict, Iterator, List, Optional, Tuple

import mxnet as mx
from mxnet.gluon import Block, HybridBlock

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.tracing import use_fused_ops

from . import CBAM

CHILD = 'attention'
"""Name of the attention among the children of the block that it follows."""


def attach(
    net: HybridBlock,
    pattern: str,
    attention: Optional[Callable[[int], HybridBlock]] = None,
    input_shape: Tuple[int, ...] = (1, 3, 224, 224),
) -> List[str]:
    """Insert an attention module after every block whose path matches a pattern.

    The network keeps its structure and its parameters' names, so that its weights can still be loaded; the attention's
    parameters are ``PATH.attention.*`` and have to be initialized. With ``gate='identity'`` the outputs stay the
    same until the attention is trained. The network runs on fused ops, see
    :func:`gluon_cbam.ops.tracing.use_fused_ops`; its exports consist of MXNet's operators.

    Args:
        net: any HybridBlock, initialized or not; it is changed in place.
        pattern: shell pattern of paths as ``save_parameters`` has them, for instance ``layer?.*.bn3`` for the end of
            the residual branch of GluonCV's ``resnet50_v1b``.
        attention: function of the channels that makes a module; default :class:`gluon_cbam.CBAM`.
        input_shape: the shape (N, C, H, W) of an input of the network, from which the channels of each block are found.

    Returns:
        The paths of the blocks with an attention module after them.

    Raises:
        ValueError: no block matches, a block has attention already, or its output is no (N, C, H, W) map.

    Example:
        >>> net = gluoncv.model_zoo.get_model('resnet50_v1b', pretrained=True)
        >>> gluon_cbam.attach(net, 'layer?.*.bn3', lambda channels: gluon_cbam.CBAM(channels, gate='identity'))
        >>> net.collect_params('.*cbam').initialize()
    """
    attention = attention or CBAM
    blocks = {path: block for path, block in block_paths(net) if fnmatchcase(path, pattern)}
    if not blocks:
        known = ', '.join(path for path, _ in list(block_paths(net))[:12])
        raise ValueError(f'no block matches {pattern!r}: the network has {known}, ...')
    for path, block in blocks.items():
        if CHILD in block._children:
            raise ValueError(f'{path} has attention already')
    channels = _channels(net, blocks, input_shape)
    modules = {path: attention(count) for path, count in channels.items()}
    for path, block in blocks.items():
        block.register_child(modules[path], CHILD)
        _follow(block, _call(modules[path]))
    for block in _around(net, list(blocks)):
        use_fused_ops(block)
        block._clear_cached_op()
    return list(blocks)


def block_paths(block: Block, prefix: str = '') -> Iterator[Tuple[str, Block]]:
    """Yield every block below a block with its path, as ``save_parameters`` has it; parents come first.

    Args:
        block: any block.
        prefix: the beginning of every path; default empty.
    """
    for name, child in block._children.items():
        yield prefix + name, child
        yield from block_paths(child, f'{prefix}{name}.')


def _call(module: HybridBlock) -> Callable[[OpNamespace, Tensor], Tensor]:
    return lambda F, x: module(x)


def _follow(block: HybridBlock, then: Callable[[OpNamespace, Tensor], Tensor]) -> None:
    """Let ``then`` of (F, output) be a block's output, until :func:`_unfollow`."""
    inner = block.hybrid_forward

    def forward(F: OpNamespace, *inputs: Tensor, **parameters: Tensor) -> Tensor:
        return then(F, inner(F, *inputs, **parameters))

    object.__setattr__(block, 'hybrid_forward', forward)


def _unfollow(block: HybridBlock) -> None:
    object.__delattr__(block, 'hybrid_forward')


def _around(net: HybridBlock, paths: List[str]) -> Iterator[HybridBlock]:
    """Yield the blocks whose graphs contain those at the paths: the network, their parents and themselves."""
    yield net
    for path, block in block_paths(net):
        if isinstance(block, HybridBlock) and any(f'{inner}.'.startswith(f'{path}.') for inner in paths):
            yield block


def _channels(net: HybridBlock, blocks: Dict[str, HybridBlock], input_shape: Tuple[int, ...]) -> Dict[str, int]:
    """The channels of the blocks' outputs, from the shapes of the network's graph."""
    outputs: Dict[str, mx.sym.Symbol] = {}

    def note(path: str) -> Callable[[OpNamespace, Tensor], Tensor]:
        def noted(F: OpNamespace, output: Tensor) -> Tensor:
            outputs[path] = output
            return output

        return noted

    for path, block in blocks.items():
        _follow(block, note(path))
    try:
        net(mx.sym.Variable('data'))
    finally:
        for block in blocks.values():
            _unfollow(block)
    channels = {}
    for path in blocks:
        if not isinstance(outputs.get(path), mx.sym.Symbol):
            raise ValueError(f'{path} gives no single output to follow')
        shape = outputs[path].infer_shape_partial(data=input_shape)[1][0]
        if len(shape) != 4 or not shape[1]:
            raise ValueError(f'the output of {path} is no (N, C, H, W) map, its shape is {shape}')
        channels[path] = shape[1]
    return channels

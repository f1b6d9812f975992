"""A network's graph as symbols: the output of every block in it, computed on the network's own parameters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple, Union

import mxnet as mx
import numpy as np
from mxnet.gluon.parameter import DeferredInitializationError

from gluon_cbam.attention.attach import block_paths
from gluon_cbam.common.errors import UsageError

from .grid import Grid, grids

DATA, _CUT = 'data', 'explained_map'
Images = Union[np.ndarray, mx.nd.NDArray]


@dataclass(frozen=True)
class Graph:
    """What :func:`trace` finds.

    Attributes:
        output: of the network.
        blocks: every block below the network by its path, as ``save_parameters`` has it.
        outputs: of the blocks that give one symbol, by path, in the order of their computation; of a block that is
            called several times the last.
        parameters: of the network by the names that the symbols use.
    """

    output: mx.sym.Symbol
    blocks: Dict[str, mx.gluon.Block]
    outputs: Dict[str, mx.sym.Symbol]
    parameters: mx.gluon.ParameterDict

    def maps(self, input_shape: Tuple[int, ...]) -> Dict[str, Tuple[int, ...]]:
        """The shapes of the blocks' outputs that are maps (N, C, H, W), by path."""
        names = list(self.outputs)
        if not names:
            return {}
        _, shapes, _ = mx.sym.Group([self.outputs[name] for name in names]).infer_shape(**{DATA: input_shape})
        return {name: shape for name, shape in zip(names, shapes) if len(shape) == 4}

    def grids(self, shapes: Dict[str, Tuple[int, ...]], size: Sequence[int]) -> Dict[str, Optional[Grid]]:
        """Where maps lie on images of a height and a width, by path; ``shapes`` is of :meth:`maps` or a part of it."""
        symbols = [self.outputs[path] for path in shapes]
        return dict(zip(shapes, grids(symbols, DATA, size, list(shapes.values())) if symbols else ()))


def trace(net: mx.gluon.HybridBlock) -> Graph:
    """The graph of a network, hybridized or not. A hybridized network keeps its own graph for itself.

    Raises:
        UsageError: it cannot be called with a symbol.
    """
    if not isinstance(net, mx.gluon.HybridBlock):
        raise UsageError(f'only a HybridBlock can be explained, got {type(net).__name__}')
    firsts = {id(block): path for path, block in reversed(list(block_paths(net)))}  # of a block with several paths
    blocks = {path: block for path, block in block_paths(net) if firsts[id(block)] == path}
    outputs: Dict[str, mx.sym.Symbol] = {}

    def note(path):
        def noted(block, inputs, output):
            if isinstance(output, mx.sym.Symbol):
                outputs.pop(path, None)
                outputs[path] = output

        return noted

    hooks = [block.register_forward_hook(note(path)) for path, block in blocks.items()]
    try:
        output = net(mx.sym.Variable(DATA))
    finally:
        for hook in hooks:
            hook.detach()
    return Graph(output, blocks, outputs, net.collect_params())


def prepared(net: mx.gluon.HybridBlock, images: Images) -> mx.nd.NDArray:
    """Images as the network takes them: of the type and on a context of its parameters.

    A network whose shapes are not known yet gets them, as from its first call.

    Args:
        net: the network.
        images: (N, C, H, W).

    Raises:
        UsageError: the network is not initialised, or the images do not fit it.
    """
    if np.ndim(images) != 4 or 0 in images.shape:
        raise UsageError(f'images must be a batch (N, C, H, W), got the shape {tuple(np.shape(images))}')
    if hasattr(net, 'check_input'):
        net.check_input(images.shape)
    parameters = list(net.collect_params().values())
    try:
        contexts = parameters[0].list_ctx() if parameters else [mx.cpu()]
    except RuntimeError:
        raise UsageError('the network is not initialised: call initialize() or load parameters') from None
    context = images.context if getattr(images, 'context', None) in contexts else contexts[0]
    dtype = parameters[0].dtype if parameters else 'float32'
    images = mx.nd.array(images.asnumpy() if isinstance(images, mx.nd.NDArray) else images, context, dtype)
    try:
        for parameter in parameters:
            parameter.data(context)
    except DeferredInitializationError:
        with mx.autograd.pause(train_mode=False):
            net(images[:1])
    return images


def compute(
    symbols: Sequence[mx.sym.Symbol], parameters: mx.gluon.ParameterDict, inputs: Dict[str, mx.nd.NDArray]
) -> List[mx.nd.NDArray]:
    """The values of symbols. The caller says by autograd's ``pause`` or ``record`` and ``train_mode=False`` how.

    They are recorded for the inputs alone: parameters are constants.

    Args:
        symbols: of a graph.
        parameters: of the network.
        inputs: every other variable by name.
    """
    group = mx.sym.Group(list(symbols))
    context = next(iter(inputs.values())).context
    arrays = [
        # detached: the same memory, but no variable of autograd
        inputs[name] if name in inputs else parameters[name].data(context).detach()
        for name in group.list_inputs()
    ]
    with context:
        values = mx.nd.CachedOp(group)(*arrays)
    return list(values) if isinstance(values, list) else [values]


def cut(output: mx.sym.Symbol, inner: mx.sym.Symbol) -> Tuple[mx.sym.Symbol, str]:
    """The graph of ``output`` with a variable in the place of ``inner``.

    Returns:
        the output, and the variable's name; the output does not depend on it if it does not depend on ``inner``.
    """
    graph = json.loads(mx.sym.Group([inner, output]).tojson())
    (inner_node, inner_index, _), head = graph['heads']
    nodes = graph['nodes']
    for node in nodes:
        node['inputs'] = [
            [len(nodes), 0, 0] if entry[:2] == [inner_node, inner_index] else entry for entry in node['inputs']
        ]
    nodes.append({'op': 'null', 'name': _CUT, 'inputs': []})
    graph['arg_nodes'].append(len(nodes) - 1)
    graph['node_row_ptr'].append(graph['node_row_ptr'][-1] + 1)
    graph['heads'] = [head]
    return mx.sym.load_json(json.dumps(graph)), _CUT

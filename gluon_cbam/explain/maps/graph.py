"""A network traced as symbols: the output of every block, evaluated with the network's own parameters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import mxnet as mx
import numpy as np
from mxnet.gluon.parameter import DeferredInitializationError

from gluon_cbam.attention.attach import block_paths
from gluon_cbam.common.errors import UsageError
from gluon_cbam.ops.tracing import export_symbol

from .grid import Grid, receptive_field_grids

DATA, _REPLACED = 'data', 'explained_map'
Images = Union[np.ndarray, mx.nd.NDArray]
Shape = Tuple[int, ...]


@dataclass(frozen=True)
class NetworkGraph:
    """A traced network, see :func:`trace_network`.

    Attributes:
        output: the output of the network.
        blocks: every block below the network by its path, as ``save_parameters`` names it.
        outputs: the outputs of the blocks that return one symbol, by path, in the order of their computation; of a
            block that is called several times the last one.
        parameters: the parameters of the network by the names that the symbols use.
    """

    output: mx.sym.Symbol
    blocks: Dict[str, mx.gluon.Block]
    outputs: Dict[str, mx.sym.Symbol]
    parameters: mx.gluon.ParameterDict

    def map_shapes(self, input_shape: Shape) -> Dict[str, Shape]:
        """The shapes of the block outputs that are maps (N, C, H, W), by path.

        Args:
            input_shape: the shape of the images, (N, C, H, W).
        """
        names = list(self.outputs)
        if not names:
            return {}
        _, shapes, _ = mx.sym.Group([self.outputs[name] for name in names]).infer_shape(**{DATA: input_shape})
        return {name: shape for name, shape in zip(names, shapes) if len(shape) == 4}

    def grids(self, shapes: Mapping[str, Shape], size: Sequence[int]) -> Dict[str, Optional[Grid]]:
        """The positions of the maps' cells on the images, by path.

        Args:
            shapes: the shapes of the maps: the result of :meth:`map_shapes` or a part of it.
            size: height and width of the images, in pixels.
        """
        symbols = [self.outputs[path] for path in shapes]
        grids = receptive_field_grids(symbols, DATA, size, list(shapes.values())) if symbols else ()
        return dict(zip(shapes, grids))


def trace_network(net: mx.gluon.HybridBlock) -> NetworkGraph:
    """Trace a network, hybridized or not; the cached graph of a hybridized network stays as it is.

    Raises:
        UsageError: the network cannot be called with a symbol.
    """
    if not isinstance(net, mx.gluon.HybridBlock):
        raise UsageError(f'only a HybridBlock can be explained, got {type(net).__name__}')
    firsts = {id(block): path for path, block in reversed(list(block_paths(net)))}  # of a block with several paths
    blocks = {path: block for path, block in block_paths(net) if firsts[id(block)] == path}
    outputs: Dict[str, mx.sym.Symbol] = {}

    def recorder(path: str) -> Callable[[mx.gluon.Block, object, object], None]:
        def record(block: mx.gluon.Block, inputs: object, output: object) -> None:
            if isinstance(output, mx.sym.Symbol):
                outputs.pop(path, None)
                outputs[path] = output

        return record

    hooks = [block.register_forward_hook(recorder(path)) for path, block in blocks.items()]
    try:
        output = export_symbol(net, mx.sym.Variable(DATA))
    finally:
        for hook in hooks:
            hook.detach()
    return NetworkGraph(output, blocks, outputs, net.collect_params())


def prepare_images(net: mx.gluon.HybridBlock, images: Images) -> mx.nd.NDArray:
    """Convert images to the type and a context of a network's parameters.

    A network whose parameter shapes are not known yet infers them, as in its first call.

    Args:
        net: the network.
        images: (N, C, H, W), preprocessed.

    Returns:
        The images on the context where they are, if the network has parameters there, else on the network's first.

    Raises:
        UsageError: the network is not initialized, or the images do not fit it.
    """
    if np.ndim(images) != 4 or 0 in images.shape:
        raise UsageError(f'images must be a batch (N, C, H, W), got the shape {tuple(np.shape(images))}')
    if hasattr(net, 'check_input'):
        net.check_input(images.shape)
    parameters = list(net.collect_params().values())
    try:
        contexts = parameters[0].list_ctx() if parameters else [mx.cpu()]
    except RuntimeError:
        raise UsageError('the network is not initialized: call initialize() or load parameters') from None
    given = getattr(images, 'context', None)
    context = given if given in contexts else contexts[0]
    dtype = parameters[0].dtype if parameters else 'float32'
    batch = mx.nd.array(images.asnumpy() if isinstance(images, mx.nd.NDArray) else images, context, dtype)
    try:
        for parameter in parameters:
            parameter.data(context)
    except DeferredInitializationError:
        with mx.autograd.pause(train_mode=False):
            net(batch[:1])
    return batch


def evaluate_symbols(
    symbols: Sequence[mx.sym.Symbol], parameters: mx.gluon.ParameterDict, inputs: Mapping[str, mx.nd.NDArray]
) -> List[mx.nd.NDArray]:
    """Evaluate symbols, within the caller's ``autograd.pause`` or ``autograd.record``.

    Gradients are recorded for the inputs only; parameters are constants.

    Args:
        symbols: symbols of one graph.
        parameters: the parameters of the network.
        inputs: value of every other variable by name.

    Returns:
        The values of the symbols.
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


def replace_by_variable(output: mx.sym.Symbol, inner: mx.sym.Symbol) -> Tuple[mx.sym.Symbol, str]:
    """The graph of ``output`` with a variable in place of ``inner``, to differentiate with respect to it.

    Returns:
        The output and the variable's name. If ``output`` does not depend on ``inner``, the variable is not among its
        inputs.
    """
    graph = json.loads(mx.sym.Group([inner, output]).tojson())
    (inner_node, inner_index, _), head = graph['heads']
    nodes = graph['nodes']
    for node in nodes:
        node['inputs'] = [
            [len(nodes), 0, 0] if entry[:2] == [inner_node, inner_index] else entry for entry in node['inputs']
        ]
    nodes.append({'op': 'null', 'name': _REPLACED, 'inputs': []})
    graph['arg_nodes'].append(len(nodes) - 1)
    graph['node_row_ptr'].append(graph['node_row_ptr'][-1] + 1)
    graph['heads'] = [head]
    return mx.sym.load_json(json.dumps(graph)), _REPLACED


def inference_in_train_mode(output: mx.sym.Symbol) -> mx.sym.Symbol:
    """A graph that computes in train mode what ``output`` computes in inference.

    Gradients of an inference graph are wrong on CPUs behind max pooling with a kernel: the forward pass of MXNet's
    oneDNN pooling notes the positions of the maxima in train mode alone, and its backward pass reads uninitialized
    memory otherwise. (Global pooling without a kernel, as in CBAM's channel gate, is not oneDNN's.) So BatchNorm takes
    its running statistics, Dropout keeps everything, and the graph runs in train mode.
    """
    graph = json.loads(output.tojson())
    for node in graph['nodes']:
        if node['op'] == 'BatchNorm':
            node['attrs']['use_global_stats'] = 'True'
        elif node['op'] == 'Dropout' and node['attrs'].get('mode', 'training') == 'training':
            node['attrs']['p'] = '0'
    return mx.sym.load_json(json.dumps(graph))

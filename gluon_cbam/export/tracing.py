"""Trace a network to a symbol of MXNet's own operators, the first step of every export.

A network is traced as ``net(Variable)`` and not taken from its cached graph, since a hybridized network may run
operators of this package. Variables are named as by ``save_parameters``, and operators without the network's own
prefix, which counts the networks of the process, so that the same network gives the same file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Dict, Mapping, NamedTuple, Optional, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.image_size import ImageSize, height_width
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.models.mode_graphs import ModeGraphs
from gluon_cbam.ops.tracing import export_symbol

DATA = 'data'
_PIXELS, _CONSTANT = 'preprocessing.', 'constants.'
_PER_CHANNEL = (1, -1, 1, 1)  # the shape of the constants of preprocessing


@dataclass(frozen=True)
class TracedNetwork:
    """A traced network.

    Attributes:
        symbol: its only input is :data:`DATA`.
        params: float32 array by variable name, including running statistics.
        shape: the shape of the input, without the batch axis.
        dtype: the data type of the input, ``float32`` or ``uint8``.
        other_shape: another shape that the input may have, where the size of images is free; None where it is fixed.
        classes: the number of classes of a detector; 0 for other networks.
    """

    symbol: mx.sym.Symbol
    params: Dict[str, np.ndarray]
    shape: Tuple[int, int, int]
    dtype: str
    other_shape: Optional[Tuple[int, int, int]] = None
    classes: int = 0


class GraphKind(NamedTuple):
    """Which graph of a network is traced.

    Attributes:
        dynamic: one that fits images of any size.
        nms: False for the boxes and scores of a detector before its non-maximum suppression.
    """

    dynamic: bool = False
    nms: bool = True


USUAL = GraphKind()


def trace(
    net: mx.gluon.HybridBlock,
    image_size: ImageSize,
    pixels: Optional[Preprocessing] = None,
    raw: Optional[Preprocessing] = None,
    graph: GraphKind = USUAL,
) -> TracedNetwork:
    """Trace a network.

    Args:
        net: initialized; hybridized or not.
        image_size: the size of the input.
        pixels: preprocessing to put in front, so that the input is (N, H, W, C) uint8, RGB or gray; default None, an
            input of (N, C, H, W) float32.
        raw: preprocessing to put in front, so that the input is (N, C, H, W) float32 in 0..255; default None.
        graph: which graph of the network.

    Returns:
        The symbol with its parameters.

    Raises:
        UsageError: the network does not take images of any size, or has no such outputs.
    """
    image = (net._in_channels or 3, *height_width(image_size))
    parameters = net._collect_params_with_prefix()
    if any(parameter._data is None for parameter in parameters.values()):  # the first input completes their shapes
        net(mx.nd.zeros((1, *image), ctx=_context(parameters)))
    data = mx.sym.Variable(DATA)
    normalization = pixels or raw
    x = data if pixels is None else _channels_first(data)
    symbol, constants = _outputs(net, x if normalization is None else _normalized(x), image, graph)
    names = {parameter.name: name for name, parameter in parameters.items()}
    params = {name: parameter.data(parameter.list_ctx()[0]).asnumpy() for name, parameter in parameters.items()}
    if normalization is not None:
        params.update(_constants(normalization))
    params.update(constants)
    symbol = _renamed(symbol, names, net.prefix, image[0])
    used = set(symbol.list_inputs())
    params = {name: np.float32(value) for name, value in params.items() if name in used}
    shape, other = (each if pixels is None else (*each[1:], each[0]) for each in (image, _other(image)))
    traced = TracedNetwork(
        symbol,
        params,
        shape,
        'float32' if pixels is None else 'uint8',
        other if graph.dynamic else None,
        net.classes if _detects(net) else 0,
    )
    _check_size_is_free(net, traced)
    return traced


def _outputs(
    net: mx.gluon.HybridBlock, x: mx.sym.Symbol, image: Tuple[int, int, int], graph: GraphKind
) -> Tuple[mx.sym.Symbol, Dict[str, np.ndarray]]:
    """The outputs, and the constants that a network has for images of one size, such as anchors."""
    constants: Dict[str, np.ndarray] = {}
    if not graph.nms and not _detects(net):
        raise UsageError('--no-nms is for detectors: leave it out')
    if isinstance(net, ModeGraphs):
        arrays = () if graph.dynamic else net.constants(mx.nd.zeros((1, *image)))
        constants = {f'{_CONSTANT}{number}': value.asnumpy() for number, value in enumerate(arrays)}
        function = net.final if graph.nms else net.candidates
        output = net.export_graph(function, x, *map(mx.sym.Variable, constants))
    else:
        output = export_symbol(net, x)
    return output if isinstance(output, mx.sym.Symbol) else mx.sym.Group(list(output)), constants


def _detects(net: mx.gluon.HybridBlock) -> bool:
    return bool(getattr(net, 'detects', False))


def _other(image: Tuple[int, int, int]) -> Tuple[int, int, int]:
    """A shape at which every map has another size, with a stride of up to 1024."""
    channels, height, width = image
    return channels, height + 1024, width + 2048


def _check_size_is_free(net: mx.gluon.HybridBlock, traced: TracedNetwork) -> None:
    """Check that the parameters fit another size of images: those of a dense layer over a map do not."""
    if traced.other_shape is None:
        return
    known = {name: value.shape for name, value in traced.params.items()}
    try:
        traced.symbol.infer_shape(**{DATA: (1, *traced.other_shape)}, **known)
    except mx.MXNetError:
        raise UsageError(f'{type(net).__name__} has layers for images of one size: leave out --dynamic') from None


def _context(parameters: Mapping[str, mx.gluon.Parameter]) -> mx.Context:
    for parameter in parameters.values():
        if parameter._data is not None:
            return parameter.list_ctx()[0]
    return mx.cpu()


def _channels_first(data: mx.sym.Symbol) -> mx.sym.Symbol:
    """(N, H, W, C) uint8 to (N, C, H, W) float32."""
    x = mx.sym.cast(data, dtype='float32', name=f'{_PIXELS}cast')
    return mx.sym.transpose(x, axes=(0, 3, 1, 2), name=f'{_PIXELS}transpose')


def _normalized(x: mx.sym.Symbol) -> mx.sym.Symbol:
    """(N, C, H, W) in 0..255, normalized with the arithmetic of :meth:`.Preprocessing.__call__`."""
    x = mx.sym.broadcast_mul(x, mx.sym.Variable(f'{_PIXELS}scale'), name=f'{_PIXELS}mul')
    return mx.sym.broadcast_add(x, mx.sym.Variable(f'{_PIXELS}shift'), name=f'{_PIXELS}add')


def _constants(preprocessing: Preprocessing) -> Dict[str, np.ndarray]:
    return {
        f'{_PIXELS}scale': preprocessing.scale.reshape(_PER_CHANNEL),
        f'{_PIXELS}shift': preprocessing.shift.reshape(_PER_CHANNEL),
    }


def _renamed(symbol: mx.sym.Symbol, names: Dict[str, str], prefix: str, channels: int) -> mx.sym.Symbol:
    graph = json.loads(symbol.tojson())
    counts: Dict[str, int] = {}
    for node in graph['nodes']:
        # every trace increments the versions of running statistics, which do not belong to the graph
        node['inputs'] = [[index, output, min(version, 1)] for index, output, version in node['inputs']]
        if node['op'] == 'null':
            node['name'] = names.get(node['name'], node['name'])
            # shapes and initializers of Gluon are left out; a Module cannot infer the shapes of broadcast operands
            known = node['name'].startswith(_PIXELS)
            node['attrs'] = {'__shape__': str((1, channels, 1, 1))} if known else {}
            continue
        name = node['name']
        if prefix and name.startswith(prefix):
            name = name[len(prefix) :].lstrip('_')
        counts[name] = counts.get(name, 0) + 1
        node['name'] = name if counts[name] == 1 else f'{name}_{counts[name] - 1}'
    return mx.sym.load_json(json.dumps(graph))

"""Trace a network to a symbol of MXNet's own operators, the first step of every export.

A network is traced as ``net(Variable)`` and not taken from its cached graph, since a hybridized network may run
operators of this package. Variables are named as by ``save_parameters``, and operators without the network's own
prefix, which counts the networks of the process, so that the same network gives the same file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.ops.tracing import export_symbol

DATA = 'data'
_PIXELS = 'preprocessing.'
_PER_CHANNEL = (1, 3, 1, 1)  # the shape of the constants of preprocessing


@dataclass(frozen=True)
class TracedNetwork:
    """A traced network.

    Attributes:
        symbol: its only input is :data:`DATA`.
        params: float32 array by variable name, including running statistics.
        shape: the shape of the input, without the batch axis.
        dtype: the data type of the input, ``float32`` or ``uint8``.
    """

    symbol: mx.sym.Symbol
    params: Dict[str, np.ndarray]
    shape: Tuple[int, int, int]
    dtype: str


def trace(
    net: mx.gluon.HybridBlock,
    image_size: int,
    pixels: Optional[Preprocessing] = None,
    raw: Optional[Preprocessing] = None,
) -> TracedNetwork:
    """Trace a network.

    Args:
        net: initialized; hybridized or not.
        image_size: height and width of the input, in pixels.
        pixels: preprocessing to put in front, so that the input is (N, H, W, 3) uint8, RGB; default None, an input of
            (N, 3, H, W) float32.
        raw: preprocessing to put in front, so that the input is (N, 3, H, W) float32, RGB in 0..255; default None.

    Returns:
        The symbol with its parameters.
    """
    channels = net._in_channels or 3
    parameters = net._collect_params_with_prefix()
    if any(parameter._data is None for parameter in parameters.values()):  # the first input completes their shapes
        net(mx.nd.zeros((1, channels, image_size, image_size), ctx=_context(parameters)))
    data = mx.sym.Variable(DATA)
    normalization = pixels or raw
    x = data if pixels is None else _channels_first(data)
    output = export_symbol(net, x if normalization is None else _normalized(x))
    symbol = output if isinstance(output, mx.sym.Symbol) else mx.sym.Group(list(output))
    names = {parameter.name: name for name, parameter in parameters.items()}
    params = {name: parameter.data(parameter.list_ctx()[0]).asnumpy() for name, parameter in parameters.items()}
    if normalization is not None:
        params.update(_constants(normalization))
    symbol = _renamed(symbol, names, net.prefix)
    used = set(symbol.list_inputs())
    shape = (channels, image_size, image_size) if pixels is None else (image_size, image_size, channels)
    params = {name: np.float32(value) for name, value in params.items() if name in used}
    return TracedNetwork(symbol, params, shape, 'float32' if pixels is None else 'uint8')


def _context(parameters: Mapping[str, mx.gluon.Parameter]) -> mx.Context:
    for parameter in parameters.values():
        if parameter._data is not None:
            return parameter.list_ctx()[0]
    return mx.cpu()


def _channels_first(data: mx.sym.Symbol) -> mx.sym.Symbol:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float32."""
    x = mx.sym.cast(data, dtype='float32', name=f'{_PIXELS}cast')
    return mx.sym.transpose(x, axes=(0, 3, 1, 2), name=f'{_PIXELS}transpose')


def _normalized(x: mx.sym.Symbol) -> mx.sym.Symbol:
    """(N, 3, H, W) in 0..255, normalized with the arithmetic of :meth:`.Preprocessing.__call__`."""
    x = mx.sym.broadcast_mul(x, mx.sym.Variable(f'{_PIXELS}scale'), name=f'{_PIXELS}mul')
    return mx.sym.broadcast_add(x, mx.sym.Variable(f'{_PIXELS}shift'), name=f'{_PIXELS}add')


def _constants(preprocessing: Preprocessing) -> Dict[str, np.ndarray]:
    return {
        f'{_PIXELS}scale': preprocessing.scale.reshape(_PER_CHANNEL),
        f'{_PIXELS}shift': preprocessing.shift.reshape(_PER_CHANNEL),
    }


def _renamed(symbol: mx.sym.Symbol, names: Dict[str, str], prefix: str) -> mx.sym.Symbol:
    graph = json.loads(symbol.tojson())
    counts: Dict[str, int] = {}
    for node in graph['nodes']:
        # every trace increments the versions of running statistics, which do not belong to the graph
        node['inputs'] = [[index, output, min(version, 1)] for index, output, version in node['inputs']]
        if node['op'] == 'null':
            node['name'] = names.get(node['name'], node['name'])
            # shapes and initializers of Gluon are left out; a Module cannot infer the shapes of broadcast operands
            node['attrs'] = {'__shape__': str(_PER_CHANNEL)} if node['name'].startswith(_PIXELS) else {}
            continue
        name = node['name']
        if prefix and name.startswith(prefix):
            name = name[len(prefix) :].lstrip('_')
        counts[name] = counts.get(name, 0) + 1
        node['name'] = name if counts[name] == 1 else f'{name}_{counts[name] - 1}'
    return mx.sym.load_json(json.dumps(graph))

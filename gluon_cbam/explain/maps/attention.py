"""The gates of a network's attention."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.attention import BAM, CBAM, ModifiedCBAM, SqueezeExcitation

from .graph import DATA, Graph, Images, compute, prepared, trace
from .grid import Grid

_CBAM_GATES = {
    'channel_spatial': ('channel', 'spatial'),
    'spatial_channel': ('spatial', 'channel'),
    'parallel': ('whole',),
}
# attention -> its gates in the order in which they multiply the map
_GATES = {
    CBAM: lambda block: _CBAM_GATES[block._order] if block.spatial is not None else ('channel',),
    ModifiedCBAM: lambda block: ('channel', 'spatial'),
    SqueezeExcitation: lambda block: ('channel',),
    BAM: lambda block: ('whole',),
}


class AttentionMaps(NamedTuple):
    """The gates of one attention module for a batch.

    They are what the map was multiplied with: the sigmoids, twice that with ``gate='identity'``. Two modules have a
    single gate of (N, C, H, W): CBAM in parallel, the sigmoid of the sum of both maps; and BAM, which multiplies by one
    plus the sigmoid of their product, where the gate is that sigmoid. Of these, ``channel`` is the mean over the
    positions and ``spatial`` the mean over the channels.

    Attributes:
        path: of the module in the network, as ``save_parameters`` has it: ``layer1.0.attention``.
        channel: (N, C); None if the module has no channel gate.
        spatial: (N, H, W) in pixels of the module's map; None if the module has no spatial gate.
        whole: (N, C, H, W), only if asked for, and None where it is no more than ``channel`` times ``spatial``.
        grid: where the cells of the map lie on the images, for :func:`spread`; None where that is not known.
    """

    path: str
    channel: Optional[np.ndarray]
    spatial: Optional[np.ndarray]
    whole: Optional[np.ndarray] = None
    grid: Optional[Grid] = None


def attention_maps(net: mx.gluon.HybridBlock, images: Images, whole: bool = False) -> List[AttentionMaps]:
    """The gates of every attention of a network for a batch of images, in the order of their computation.

    Args:
        net: any HybridBlock with modules of :mod:`gluon_cbam.attention`, those that :func:`gluon_cbam.attach` put in
            included; initialised, hybridized or not.
        images: (N, C, H, W), preprocessed.
        whole: whether the gates of (N, C, H, W) are returned too; they are large.

    Returns:
        One entry a module; none for a network without attention.

    Raises:
        UsageError: the network is not initialised, or the images do not fit.

    Example:
        >>> for maps in gluon_cbam.explain.attention_maps(net, images):
        ...     print(maps.path, maps.channel.shape, maps.spatial.shape)
    """
    images = prepared(net, images)
    graph = trace(net)
    wanted: List[Tuple[str, str]] = []
    symbols: List[mx.sym.Symbol] = []
    for path, gates in _attentions(graph):
        for name, symbol in gates.items():
            if name != 'whole' or whole:
                wanted.append((path, name))
                symbols.append(symbol)
    if not symbols:
        return []
    with mx.autograd.pause(train_mode=False):
        values = compute(symbols, graph.parameters, {DATA: images})
    found: Dict[str, Dict[str, np.ndarray]] = {}
    for (path, name), value in zip(wanted, values):
        found.setdefault(path, {'channel': None, 'spatial': None})[name] = value.asnumpy()
    shapes = {path: shape for path, shape in graph.maps(images.shape).items() if path in found}
    grids = graph.grids(shapes, images.shape[2:])
    return [AttentionMaps(path, **maps, grid=grids[path]) for path, maps in found.items()]


def _attentions(graph: Graph):
    """Yields the path of every attention and its gates: 'channel' (N, C), 'spatial' (N, H, W), 'whole' (N, C, H, W)."""
    for path, output in graph.outputs.items():
        kinds = next((_GATES[base] for base in type(graph.blocks[path]).__mro__ if base in _GATES), None)
        if kinds:
            yield path, _gates(graph.blocks[path], kinds(graph.blocks[path]), output)


def _gates(block, kinds, output: mx.sym.Symbol) -> Dict[str, mx.sym.Symbol]:
    gates = {}
    for kind in reversed(kinds):  # the output is (x * first gate) * second gate
        output, gate = output.get_children()
        if isinstance(block, BAM):
            (gate,) = gate.get_children()  # of 1 + gate
        if kind == 'channel':
            gates[kind] = gate.reshape((0, -1))
        elif kind == 'spatial':
            gates[kind] = gate.reshape((0, -3, -2))
        else:
            gates = {'channel': gate.mean(axis=(2, 3)), 'spatial': gate.mean(axis=1), 'whole': gate}
    return gates

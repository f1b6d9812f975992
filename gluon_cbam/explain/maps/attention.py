"""The gates that a network's attention modules multiply their feature maps with."""

from __future__ import annotations

from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, Type

import mxnet as mx
import numpy as np

from gluon_cbam.attention import BAM, CBAM, ModifiedCBAM, SqueezeExcitation

from .graph import DATA, Images, NetworkGraph, evaluate_symbols, prepare_images, trace_network
from .grid import Grid

_CBAM_GATES = {
    'channel_spatial': ('channel', 'spatial'),
    'spatial_channel': ('spatial', 'channel'),
    'parallel': ('whole',),
}


def _cbam_gates(block: mx.gluon.HybridBlock) -> Tuple[str, ...]:
    left_out = {name for name in ('channel', 'spatial') if getattr(block, name) is None}
    return tuple(name for name in _CBAM_GATES[block.order] if name not in left_out)


_GATES: Dict[Type[mx.gluon.HybridBlock], Callable[[mx.gluon.HybridBlock], Tuple[str, ...]]] = {
    CBAM: _cbam_gates,
    ModifiedCBAM: lambda block: ('channel', 'spatial'),
    SqueezeExcitation: lambda block: ('channel',),
    BAM: lambda block: ('whole',),
}
"""Attention module -> its gates in the order in which they multiply the feature map."""


class AttentionMaps(NamedTuple):
    """The gates of one attention module for a batch.

    A gate is the factor of the feature map: a sigmoid, in 0..1, or twice that with ``gate='identity'``. Two modules
    have one gate of (N, C, H, W): CBAM with ``order='parallel'``, the sigmoid of the sum of both maps; and BAM, which
    multiplies by one plus the sigmoid of their product, where the gate is that sigmoid. For these, ``channel`` is the
    mean over the positions, and ``spatial`` is the mean over the channels.

    Attributes:
        path: the path of the module in the network, as ``save_parameters`` names it: ``layer1.0.attention``.
        channel: (N, C) float; None if the module has no channel gate.
        spatial: (N, H, W) float, at the resolution of the module's feature map; None if the module has no spatial gate.
        whole: (N, C, H, W) float, if requested; None where it is the product of ``channel`` and ``spatial``.
        grid: positions of the map's cells on the images, for :func:`~gluon_cbam.explain.upsample_map`; None where they
            are not known.
    """

    path: str
    channel: Optional[np.ndarray]
    spatial: Optional[np.ndarray]
    whole: Optional[np.ndarray] = None
    grid: Optional[Grid] = None


def attention_maps(net: mx.gluon.HybridBlock, images: Images, whole: bool = False) -> List[AttentionMaps]:
    """The gates of every attention module of a network for a batch of images, in the order of their computation.

    Args:
        net: any HybridBlock with modules of :mod:`gluon_cbam.attention`, including those that :func:`gluon_cbam.attach`
            inserted; initialized, hybridized or not.
        images: (N, C, H, W), preprocessed.
        whole: whether to return the gates of (N, C, H, W) too, which are large; default False.

    Returns:
        An entry for each module; an empty list for a network without attention. Modules that refine parts of images,
        such as the regions of Faster R-CNN, are left out.

    Raises:
        UsageError: the network is not initialized, or the images do not fit it.

    Example:
        >>> for maps in gluon_cbam.explain.attention_maps(net, images):
        ...     print(maps.path, maps.channel.shape, maps.spatial.shape)
    """
    images = prepare_images(net, images)
    graph = trace_network(net)
    wanted: List[Tuple[str, str]] = []
    symbols: List[mx.sym.Symbol] = []
    for path, gates in _attention_gates(graph):
        for name, symbol in gates.items():
            if name != 'whole' or whole:
                wanted.append((path, name))
                symbols.append(symbol)
    if not symbols:
        return []
    with mx.autograd.pause(train_mode=False):
        values = evaluate_symbols(symbols, graph.parameters, {DATA: images})
    found: Dict[str, Dict[str, np.ndarray]] = {}
    for (path, name), value in zip(wanted, values):
        if len(value) == len(images):
            found.setdefault(path, {})[name] = value.asnumpy()
    shapes = {path: shape for path, shape in graph.map_shapes(images.shape).items() if path in found}
    grids = graph.grids(shapes, images.shape[2:])
    return [
        AttentionMaps(path, maps.get('channel'), maps.get('spatial'), maps.get('whole'), grids[path])
        for path, maps in found.items()
    ]


def _attention_gates(graph: NetworkGraph) -> Iterator[Tuple[str, Dict[str, mx.sym.Symbol]]]:
    """The path and the gates of every attention module: channel (N, C), spatial (N, H, W), whole (N, C, H, W)."""
    for path, output in graph.outputs.items():
        block = graph.blocks[path]
        kinds = next((_GATES[base] for base in type(block).__mro__ if base in _GATES), None)
        if kinds:
            yield path, _gates(block, kinds(block), output)


def _gates(block: mx.gluon.HybridBlock, kinds: Tuple[str, ...], output: mx.sym.Symbol) -> Dict[str, mx.sym.Symbol]:
    gates: Dict[str, mx.sym.Symbol] = {}
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

"""Networks as backbones: the feature maps of their stages.

For this, the network class of a family has two attributes and a method:

* ``stage_channels`` and ``stage_strides``, one entry per stage;
* ``stage_outputs(F, x)``, a generator of the maps of the stages, so that stages after the last one needed are not
  computed.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Iterator, Optional, Sequence, Set, Tuple

import mxnet as mx
from mxnet.gluon import HybridBlock

from gluon_cbam.attention.blocks import CheckedBlock
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.compat.renamed import renamed_attributes


class Features(CheckedBlock):
    """The feature maps of some stages of a network.

    It shares the parameters of the network under their names, except those that no chosen map needs.

    Args:
        network: a network of this package.
        out_indices: stages from 0, from the last one with negative numbers; default all.

    Attributes:
        channels: the channels of each map.
        strides: the strides of each map, in pixels of the input.
        network: the network, which is no child: its blocks that are needed are.

    Inputs:
        (N, C, H, W).

    Outputs:
        A tuple of (N, channels, H / stride, W / stride), in the order of ``out_indices``.

    Raises:
        ValueError: the network has no stages, or no such stage.
    """

    def __init__(self, network: HybridBlock, out_indices: Optional[Sequence[int]] = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not hasattr(network, 'stage_outputs'):
            raise ValueError(f'{type(network).__name__} is not a network of this package with stages')
        count = len(network.stage_channels)
        chosen = range(count) if out_indices is None else out_indices
        for index in chosen:
            if not -count <= index < count:
                raise ValueError(f'{type(network).__name__} has stages 0..{count - 1}, got {index} in {tuple(chosen)}')
        self._chosen = [index % count for index in chosen]
        if not self._chosen:
            raise ValueError('out_indices must name at least one stage, got none')
        object.__setattr__(self, 'network', network)
        self._in_channels, self._smallest = network._in_channels, network._smallest
        self.channels: Tuple[int, ...] = tuple(network.stage_channels[index] for index in self._chosen)
        self.strides: Tuple[int, ...] = tuple(network.stage_strides[index] for index in self._chosen)
        needed = set(mx.sym.Group(list(self.hybrid_forward(mx.sym, mx.sym.Variable('data')))).list_inputs())
        for name, block in _needed_blocks(network, needed):
            self.register_child(block, name)

    network: HybridBlock

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tuple[Tensor, ...]:
        """Compute the chosen maps."""
        outputs = list(islice(self.network.stage_outputs(F, x), max(self._chosen) + 1))
        return tuple(outputs[index] for index in self._chosen)


def _needed_blocks(block: HybridBlock, needed: Set[str], prefix: str = '') -> Iterator[Tuple[str, HybridBlock]]:
    """The largest blocks below ``block`` whose parameters are all ``needed``, each with its path."""
    for name, child in block._children.items():
        names = set(child.collect_params())
        if names and names <= needed:
            yield prefix + name, child
        elif names & needed:
            yield from _needed_blocks(child, needed, f'{prefix}{name}.')


__getattr__ = renamed_attributes(
    __name__,
    {
        'features': 'pretrained.model.features',
    },
)

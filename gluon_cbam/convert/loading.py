"""Load arrays under the names of a source, strictly: every parameter is set exactly once, or none is."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Optional, Tuple

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import DataError, UsageError, closest
from gluon_cbam.weights.assignment import Contexts, check_arrays, only_differ_in, set_fitting, set_parameters

from .sources import SOURCES, Source

HEADS = ('fc.', 'head.', 'classifier.', 'output.')
"""How the names of the parameters of a head begin, ours and those that other networks often have."""


def load_arrays(
    net: mx.gluon.Block,
    arrays: Mapping[str, np.ndarray],
    source: str,
    ctx: Optional[Contexts] = None,
    no_head: bool = False,
) -> List[str]:
    """Set every parameter of a network from arrays under the names of a source.

    Args:
        net: the network, initialized or not.
        arrays: name of the source -> array, in the layout of the source.
        source: a key of :data:`.sources.SOURCES`: ``official``, ``imgclsmob``, ``keras``,
            ``modified`` or ``gluoncv``.
        ctx: one context or a list of them, for a network that is not initialized; default the CPU.
        no_head: whether the arrays may lack the head, or have one of another size; it is initialized as in a new
            network then.

    Returns:
        The parameters of the head that were newly initialized, one entry each; empty without ``no_head``.

    Raises:
        UsageError: unknown source.
        DataError: a parameter is missing, unexpected, set twice or of the wrong shape; a ValueError that lists them.
            The network is left as it was.
    """
    scheme = scheme_of(source)
    ours: Dict[str, np.ndarray] = {}
    twice: List[str] = []
    scheme.check(net, arrays)
    for name, array in scheme.prepare(arrays).items():
        if re.search(scheme.ignored, name):
            continue
        target = scheme.our_name(name)
        if target in ours:
            twice.append(f'{name} (also gives {target})')
        ours[target] = scheme.our_array(name, np.asarray(array))
    what, shapes = f'{source} parameters', {name: array.shape for name, array in ours.items()}
    if no_head:
        return set_fitting(net, _on_cpu(ours), _head_of(net), what, ctx, twice=twice)
    try:
        check_arrays(net, shapes, twice, what)
    except DataError as error:
        if twice or not only_differ_in(net, shapes, _head_of(net)):
            raise
        raise DataError(f'{error}; --no-head (no_head=True) starts the head anew') from None
    set_parameters(net, _on_cpu(ours), ctx)
    return []


def _head_of(net: mx.gluon.Block) -> Tuple[str, ...]:
    """Prefixes of the parameters of a network's head that depend on the classes, and of heads that it does not have."""
    names = net._collect_params_with_prefix()
    own = tuple(prefix for prefix in getattr(net, 'adaptable', ()) if prefix.startswith(HEADS))
    return own + tuple(head for head in HEADS if not any(name.startswith(head) for name in names))


def _on_cpu(arrays: Mapping[str, np.ndarray]) -> Dict[str, mx.nd.NDArray]:
    """Arrays of MXNet in float32."""
    return {name: mx.nd.array(array, dtype='float32') for name, array in arrays.items()}


def scheme_of(source: str) -> Source:
    """Look up the naming scheme of a source.

    Args:
        source: a key of :data:`.sources.SOURCES`.

    Returns:
        The scheme.

    Raises:
        UsageError: the source is unknown; the message names the closest.
    """
    if source not in SOURCES:
        raise UsageError(f'unknown source {source!r}: {closest(source, SOURCES)}')
    return SOURCES[source]

"""Load arrays under the names of a source, strictly: every parameter is set exactly once, or none is."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Optional

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.weights.assignment import Contexts, check_arrays, set_parameters

from .sources import SOURCES, Source


def load_arrays(
    net: mx.gluon.Block, arrays: Mapping[str, np.ndarray], source: str, ctx: Optional[Contexts] = None
) -> None:
    """Set every parameter of a network from arrays under the names of a source.

    Args:
        net: the network, initialized or not.
        arrays: name of the source -> array, in the layout of the source.
        source: a key of :data:`.sources.SOURCES`: ``official``, ``imgclsmob``, ``keras`` or ``modified``.
        ctx: one context or a list of them, for a network that is not initialized; default the CPU.

    Raises:
        UsageError: unknown source.
        DataError: a parameter is missing, unexpected, set twice or of the wrong shape; a ValueError that lists them.
            The network is left as it was.
    """
    scheme = scheme_of(source)
    ours: Dict[str, np.ndarray] = {}
    twice: List[str] = []
    for name, array in arrays.items():
        if re.search(scheme.ignored, name):
            continue
        target = scheme.our_name(name)
        if target in ours:
            twice.append(f'{name} (also gives {target})')
        ours[target] = scheme.our_array(name, np.asarray(array))
    check_arrays(net, {name: array.shape for name, array in ours.items()}, twice, f'{source} parameters')
    set_parameters(net, {name: mx.nd.array(array, dtype='float32') for name, array in ours.items()}, ctx)


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

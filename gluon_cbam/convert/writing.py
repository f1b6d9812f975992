"""The way back: a network's parameters under a source's own names."""

from __future__ import annotations

from typing import Dict

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.weights.assignment import first_of

from .loading import scheme_of


def their_names(net: mx.gluon.Block, source: str) -> Dict[str, str]:
    """Our name -> the source's name, for every parameter of a network.

    Raises:
        UsageError: unknown source, or one that has no such network.
    """
    scheme = scheme_of(source)
    names = {name: scheme.their_name(name) for name in net._collect_params_with_prefix()}
    without = [name for name, theirs in names.items() if theirs is None]
    if without:
        message = f'{source} has no names for {len(without)} parameters of {type(net).__name__}'
        raise UsageError(f'{message}: {first_of(without)}')
    return names


def to_arrays(net: mx.gluon.Block, source: str) -> Dict[str, np.ndarray]:
    """A network's parameters as its source would name and lay them out; :func:`.load_arrays` is the inverse.

    Args:
        net: the network, initialised.
        source: as of :func:`.load_arrays`.

    Returns:
        The source's name -> array; running statistics are among them.

    Raises:
        UsageError: unknown source, or one that has no such network.
    """
    scheme, names = scheme_of(source), their_names(net, source)
    values = {
        name: parameter.data(parameter.list_ctx()[0]).asnumpy()
        for name, parameter in net._collect_params_with_prefix().items()
    }
    return {theirs: np.ascontiguousarray(scheme.their_array(theirs, values[ours])) for ours, theirs in names.items()}

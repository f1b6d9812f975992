"""Write the parameters of a network under the names of a source: the inverse of :mod:`gluon_cbam.convert.loading`."""

from __future__ import annotations

from typing import Dict, List

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.quoting import shown_names

from .loading import scheme_of


def their_names(net: mx.gluon.Block, source: str) -> Dict[str, str]:
    """List the names that a source has for the parameters of a network.

    Args:
        net: the network.
        source: see :func:`.load_arrays`.

    Returns:
        Our name -> name of the source, for every parameter.

    Raises:
        UsageError: unknown source, or one that has no such network.
    """
    scheme = scheme_of(source)
    names: Dict[str, str] = {}
    without: List[str] = []
    for name in net._collect_params_with_prefix():
        theirs = scheme.their_name(name)
        if theirs is None:
            without.append(name)
        else:
            names[name] = theirs
    if without:
        message = f'{source} has no names for {len(without)} parameters of {type(net).__name__}'
        raise UsageError(f'{message}: {shown_names(without)}')
    return names


def to_arrays(net: mx.gluon.Block, source: str) -> Dict[str, np.ndarray]:
    """Return the parameters of a network with the names and in the layout of a source.

    :func:`.load_arrays` is the inverse.

    Args:
        net: the network, initialized.
        source: see :func:`.load_arrays`.

    Returns:
        Name of the source -> array, running statistics included.

    Raises:
        UsageError: unknown source, or one that has no such network.
    """
    scheme, names = scheme_of(source), their_names(net, source)
    values = {
        name: parameter.data(parameter.list_ctx()[0]).asnumpy()
        for name, parameter in net._collect_params_with_prefix().items()
    }
    return {theirs: np.ascontiguousarray(scheme.their_array(theirs, values[ours])) for ours, theirs in names.items()}

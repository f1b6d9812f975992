"""Strict loading: every parameter is set exactly once, or nothing is."""

from __future__ import annotations

import re
from typing import Dict, Mapping

import mxnet as mx
import numpy as np

from ..errors import DataError, UsageError, closest
from .sources import SOURCES

_SHOWN = 8  # names in a message before it says how many more


def load_arrays(net: mx.gluon.Block, arrays: Mapping[str, np.ndarray], source: str, ctx=None) -> None:
    """Set every parameter of a network from arrays under a source's own names.

    Args:
        net: the network, initialised or not.
        arrays: the source's name -> array, in the source's layout.
        source: ``official``, ``imgclsmob`` or ``keras``.
        ctx: a context or a list of them, for a network that is not initialised; default the CPU.

    Raises:
        UsageError: unknown source.
        DataError: a parameter is missing, unexpected, set twice or of the wrong shape; a ValueError that lists them.
            The network is left as it was.
    """
    if source not in SOURCES:
        raise UsageError(f'unknown source {source!r}: {closest(source, SOURCES)}')
    scheme = SOURCES[source]
    ours: Dict[str, np.ndarray] = {}
    twice = []
    for name, array in arrays.items():
        if re.search(scheme.ignored, name):
            continue
        target = scheme.our_name(name)
        if target in ours:
            twice.append(f'{name} (also gives {target})')
        ours[target] = scheme.our_array(target, np.asarray(array))
    check_arrays(net, {name: array.shape for name, array in ours.items()}, twice, f'{source} parameters')
    set_parameters(net, {name: mx.nd.array(array, dtype='float32') for name, array in ours.items()}, ctx)


def set_parameters(net: mx.gluon.Block, values: Mapping[str, mx.nd.NDArray], ctx=None) -> None:
    """Set checked parameters, on ``ctx`` where the network is not initialised yet and where it lives otherwise.

    Args:
        net: the network.
        values: our name -> array, of the right shape; parameters that are not among them stay as they are.
        ctx: a context or a list of them; default the CPU.
    """
    for name, parameter in net._collect_params_with_prefix().items():
        if name not in values:
            continue
        if parameter._data is None:
            parameter.initialize(init=mx.init.Zero(), ctx=ctx or mx.cpu())
        parameter.set_data(values[name])


def check_arrays(net: mx.gluon.Block, shapes: Mapping[str, tuple], twice=(), what: str = 'parameters') -> None:
    """Compare shapes under our names with a network's parameters.

    Args:
        net: the network.
        shapes: our name -> shape.
        twice: further complaints about names.
        what: begins the message.

    Raises:
        DataError: they do not fit; the message lists the differences.
    """
    expected = {name: parameter.shape for name, parameter in net._collect_params_with_prefix().items()}
    wrong = [
        f'{name} {tuple(shapes[name])} instead of {expected[name]}'
        for name in expected
        if name in shapes and tuple(shapes[name]) != tuple(expected[name])
    ]
    complaints = {
        'missing': [name for name in expected if name not in shapes],
        'unexpected': [name for name in shapes if name not in expected],
        'of the wrong shape': wrong,
        'given twice': list(twice),
    }
    listed = '; '.join(f'{len(names)} {kind}: {_some(names)}' for kind, names in complaints.items() if names)
    if listed:
        raise DataError(f'{what} do not fit {type(net).__name__}: {listed}')


def _some(names) -> str:
    more = f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''
    return ', '.join(names[:_SHOWN]) + more

"""Strict loading: every parameter is set exactly once, or nothing is."""

from __future__ import annotations

import re
from typing import Dict, Mapping

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import DataError, UsageError, closest

from .sources import SOURCES, Source

_SHOWN = 8  # names in a message before it says how many more


def load_arrays(net: mx.gluon.Block, arrays: Mapping[str, np.ndarray], source: str, ctx=None) -> None:
    """Set every parameter of a network from arrays under a source's own names.

    Args:
        net: the network, initialised or not.
        arrays: the source's name -> array, in the source's layout.
        source: a key of :data:`.sources.SOURCES`: ``official``, ``imgclsmob``, ``keras`` or ``modified``.
        ctx: a context or a list of them, for a network that is not initialised; default the CPU.

    Raises:
        UsageError: unknown source.
        DataError: a parameter is missing, unexpected, set twice or of the wrong shape; a ValueError that lists them.
            The network is left as it was.
    """
    scheme = scheme_of(source)
    ours: Dict[str, np.ndarray] = {}
    twice = []
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
    """The naming scheme of a source.

    Raises:
        UsageError: there is none of this name; the message names the closest.
    """
    if source not in SOURCES:
        raise UsageError(f'unknown source {source!r}: {closest(source, SOURCES)}')
    return SOURCES[source]


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
            parameter.shape = values[name].shape  # where the first input would have said it
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
        if name in shapes and not _fits(shapes[name], expected[name])
    ]
    complaints = {
        'missing': [name for name in expected if name not in shapes],
        'unexpected': [name for name in shapes if name not in expected],
        'of the wrong shape': wrong,
        'given twice': list(twice),
    }
    listed = '; '.join(f'{len(names)} {kind}: {some_of(names)}' for kind, names in complaints.items() if names)
    if listed:
        raise DataError(f'{what} do not fit {type(net).__name__}: {listed}')


def _fits(shape, expected) -> bool:
    """Whether a shape is the expected one, whose zeros are not known yet."""
    return len(shape) == len(expected) and all(known in (0, size) for size, known in zip(shape, expected))


def some_of(names) -> str:
    """Names for a message, the first few."""
    more = f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''
    return ', '.join(names[:_SHOWN]) + more

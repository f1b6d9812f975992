"""Strict assignment: every parameter of a network is set exactly once, or none is."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence, Tuple, Union

import mxnet as mx

from gluon_cbam.common.errors import DataError

Shape = Tuple[int, ...]
Contexts = Union[mx.Context, Sequence[mx.Context]]
"""One context, or a list of them."""

_SHOWN = 8  # names in a message; further ones are only counted


def set_parameters(net: mx.gluon.Block, values: Mapping[str, mx.nd.NDArray], ctx: Optional[Contexts] = None) -> None:
    """Set parameters whose names and shapes :func:`check_arrays` accepted.

    Args:
        net: the network.
        values: our name -> array, of the parameter's shape. Parameters that are not among them stay as they are.
        ctx: the contexts on which parameters that are not initialized yet are put; default the CPU. Others stay where
            they are.
    """
    for name, parameter in net._collect_params_with_prefix().items():
        if name not in values:
            continue
        if parameter._data is None:
            parameter.shape = values[name].shape  # completes a shape that the first input would have completed
            parameter.initialize(init=mx.init.Zero(), ctx=ctx or mx.cpu())
        parameter.set_data(values[name])


def check_arrays(
    net: mx.gluon.Block,
    shapes: Mapping[str, Shape],
    twice: Sequence[str] = (),
    what: str = 'parameters',
    new: Sequence[str] = (),
) -> None:
    """Compare the shapes of arrays under our names with the parameters of a network.

    Args:
        net: the network.
        shapes: our name -> shape.
        twice: names that are given twice.
        what: the beginning of the message, which names the arrays.
        new: names of parameters that must not be among the arrays, since they start anew.

    Raises:
        DataError: names or shapes do not fit; the message lists the differences.
    """
    expected: Dict[str, Shape] = {
        name: parameter.shape for name, parameter in net._collect_params_with_prefix().items() if name not in new
    }
    wrong = [
        f'{name} {tuple(shapes[name])} instead of {expected[name]}'
        for name in expected
        if name in shapes and not _fits(shapes[name], expected[name])
    ]
    differences = {
        'missing': [name for name in expected if name not in shapes],
        'unexpected': [name for name in shapes if name not in expected],
        'of the wrong shape': wrong,
        'given twice': list(twice),
    }
    listed = '; '.join(f'{len(names)} {kind}: {first_of(names)}' for kind, names in differences.items() if names)
    if listed:
        raise DataError(f'{what} do not fit {type(net).__name__}: {listed}')


def _fits(shape: Shape, expected: Shape) -> bool:
    """Whether a shape is the expected one, in which 0 is a size that is not known yet."""
    return len(shape) == len(expected) and all(known in (0, size) for size, known in zip(shape, expected))


def first_of(names: List[str]) -> str:
    """The first names of a list for a message, and how many more there are."""
    more = f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''
    return ', '.join(names[:_SHOWN]) + more

"""Strict assignment: every parameter of a network is set exactly once, or none is."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence, Tuple, Union

import mxnet as mx

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.quoting import shown, shown_names

Shape = Tuple[int, ...]
Contexts = Union[mx.Context, Sequence[mx.Context]]
"""One context, or a list of them."""


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
        f'{name} {shown(tuple(shapes[name]))} instead of {expected[name]}'
        for name in expected
        if name in shapes and not _fits(shapes[name], expected[name])
    ]
    differences = {
        'missing': [name for name in expected if name not in shapes],
        'unexpected': [name for name in shapes if name not in expected],
        'of the wrong shape': wrong,
        'given twice': list(twice),
    }
    listed = '; '.join(f'{len(names)} {kind}: {shown_names(names)}' for kind, names in differences.items() if names)
    if listed:
        raise DataError(f'{what} do not fit {type(net).__name__}: {listed}')


def set_fitting(
    net: mx.gluon.Block,
    values: Mapping[str, mx.nd.NDArray],
    adaptable: Tuple[str, ...],
    what: str,
    ctx: Optional[Contexts] = None,
    added: Sequence[str] = (),
    twice: Sequence[str] = (),
) -> List[str]:
    """Set the parameters that some arrays fit, and initialize others as in a new network where that is allowed.

    Args:
        net: the network, not initialized.
        values: our name -> array.
        adaptable: prefixes of the names of parameters that may have other shapes than the arrays, and that may be only
            in the network or only among the arrays.
        what: see :func:`check_arrays`.
        ctx: see :func:`set_parameters`.
        added: names of parameters that must not be among the arrays, since they start anew.
        twice: see :func:`check_arrays`.

    Returns:
        The parameters of ``adaptable`` that start anew, an entry with the shapes for each.

    Raises:
        DataError: other parameters do not fit. The network is left as it was.
    """
    parameters = net._collect_params_with_prefix()
    expected = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
    found = {name: tuple(value.shape) for name, value in values.items()}
    new = [name for name in expected if name.startswith(adaptable) and found.get(name) != expected[name]]
    surplus = [name for name in found if name not in expected and name.startswith(adaptable)]
    kept = {name: value for name, value in values.items() if name not in new and name not in surplus}
    check_arrays(net, {name: found[name] for name in kept}, twice, what, [*new, *added])
    for name in (*new, *added):
        parameters[name].initialize(ctx=ctx or mx.cpu())
    set_parameters(net, kept, ctx)
    return [f'{name} {expected[name]} instead of {found.get(name)}' for name in new]


def only_differ_in(net: mx.gluon.Block, shapes: Mapping[str, Shape], prefixes: Tuple[str, ...]) -> bool:
    """Whether arrays that do not fit a network would fit it without the parameters of some prefixes.

    Args:
        net: the network.
        shapes: our name -> shape.
        prefixes: prefixes of the names of parameters.
    """
    expected = {name: parameter.shape for name, parameter in net._collect_params_with_prefix().items()}
    differ = set(expected) ^ set(shapes)
    differ |= {name for name in expected if name in shapes and not _fits(shapes[name], expected[name])}
    return all(name.startswith(prefixes) for name in differ)


def _fits(shape: Shape, expected: Shape) -> bool:
    """Whether a shape is the expected one, in which 0 is a size that is not known yet."""
    return len(shape) == len(expected) and all(known in (0, size) for size, known in zip(shape, expected))

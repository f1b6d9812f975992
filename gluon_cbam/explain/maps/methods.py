"""The methods that show which parts of an image speak for a class, by name."""

from __future__ import annotations

from typing import Dict, NamedTuple

from gluon_cbam.common.errors import UsageError, closest


class Method(NamedTuple):
    """A method.

    Attributes:
        title: its name in figures.
        kind: the kind of its maps in ``--json``.
        differentiates: whether it needs the gradient of the network, and so mxnet; the others only run the network.
    """

    title: str
    kind: str
    differentiates: bool


EXPLAIN_METHODS: Dict[str, Method] = {
    'gradcam': Method('Grad-CAM', 'gradcam', True),
    'gradcam++': Method('Grad-CAM++', 'gradcam', True),
    'occlusion': Method('Occlusion', 'occlusion', False),
    'rise': Method('RISE', 'rise', False),
}
"""Name -> the method: :mod:`.grad_cam` has those that differentiate, :mod:`.perturbation` the others."""


def find_method(name: str) -> Method:
    """Look up a method.

    Raises:
        UsageError: there is none of this name; the message names the closest.
    """
    if name not in EXPLAIN_METHODS:
        raise UsageError(f'unknown method {name!r}: {closest(name, EXPLAIN_METHODS)}')
    return EXPLAIN_METHODS[name]

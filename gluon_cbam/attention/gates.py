"""From a map of any values to a gate."""

from __future__ import annotations

from gluon_cbam.common.errors import closest

_GATES = {
    # (0, 1): the paper's
    'sigmoid': lambda F, x: F.sigmoid(x),
    # (0, 2), and 1 where the map is 0: a module that starts so leaves its input as it is
    'identity': lambda F, x: 2 * F.sigmoid(x),
}
GATES = tuple(_GATES)


def checked_gate(name: str) -> str:
    """``name`` if it is one of :data:`GATES`.

    Raises:
        ValueError: it is not.
    """
    if name not in _GATES:
        raise ValueError(f'unknown gate {name!r}: {closest(name, GATES)}')
    return name


def apply_gate(F, x, name: str):
    """The gate of a map."""
    return _GATES[name](F, x)

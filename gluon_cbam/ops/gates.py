"""Functions from logits to a gate, by name."""

from __future__ import annotations

from typing import Callable, Dict

from gluon_cbam.common.errors import closest
from gluon_cbam.common.types import OpNamespace, Tensor

_GATES: Dict[str, Callable[[OpNamespace, Tensor], Tensor]] = {
    # (0, 1): the paper's
    'sigmoid': lambda F, x: F.sigmoid(x),
    # (0, 2), and 1 for a logit of 0, so that a module with logits of 0 does not change its input
    'identity': lambda F, x: 2 * F.sigmoid(x),
}
GATES = tuple(_GATES)
"""Names of the gates: ``sigmoid``, in (0, 1), and ``identity``, twice that."""


def checked_gate(name: str) -> str:
    """Return ``name`` if it is one of :data:`GATES`.

    Raises:
        ValueError: it is not one of them.
    """
    if name not in _GATES:
        raise ValueError(f'unknown gate {name!r}: {closest(name, GATES)}')
    return name


def apply_gate(F: OpNamespace, logits: Tensor, name: str) -> Tensor:
    """Turn logits into a gate.

    Args:
        F: ``mxnet.ndarray`` or ``mxnet.symbol``.
        logits: logits of any shape.
        name: one of :data:`GATES`.

    Returns:
        The gate, of the shape of the logits.
    """
    return _GATES[name](F, logits)

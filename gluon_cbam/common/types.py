"""Names for types that have no stubs: those of mxnet, which is not imported here."""

from __future__ import annotations

from types import ModuleType
from typing import Any

Tensor = Any
"""An ``mxnet.nd.NDArray`` or an ``mxnet.sym.Symbol``."""
OpNamespace = ModuleType
"""The ``F`` of ``hybrid_forward``: ``mxnet.ndarray`` or ``mxnet.symbol``."""

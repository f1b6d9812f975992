"""Names for the types of mxnet, which has no stubs. It is not imported here."""

from __future__ import annotations

from types import ModuleType
from typing import Any

Tensor = Any
"""An ``mxnet.nd.NDArray`` or an ``mxnet.sym.Symbol``."""
OpNamespace = ModuleType
"""The ``F`` of ``hybrid_forward``: ``mxnet.ndarray`` or ``mxnet.symbol``."""

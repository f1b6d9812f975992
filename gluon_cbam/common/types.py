"""Type aliases for mxnet, which has no type stubs. This module does not import mxnet."""

from __future__ import annotations

from types import ModuleType
from typing import Any

Tensor = Any
"""An ``mxnet.nd.NDArray`` or an ``mxnet.sym.Symbol``."""
OpNamespace = ModuleType
"""The ``F`` of ``hybrid_forward``: ``mxnet.ndarray`` or ``mxnet.symbol``."""

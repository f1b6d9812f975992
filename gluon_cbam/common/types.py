"""Type aliases: of paths, and of mxnet, which has no type stubs. This module does not import mxnet."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any, Union

PathLike = Union[str, 'os.PathLike[str]']
"""A path of a file or folder."""
Tensor = Any
"""An ``mxnet.nd.NDArray`` or an ``mxnet.sym.Symbol``."""
OpNamespace = ModuleType
"""The ``F`` of ``hybrid_forward``: ``mxnet.ndarray`` or ``mxnet.symbol``."""

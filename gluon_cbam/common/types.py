"""Type aliases: of paths, and of mxnet, which has no type stubs. This module does not import mxnet."""

from __future__ import annotations

import os
from types import ModuleType
from typing import IO, Any, Protocol, Union

PathLike = Union[str, 'os.PathLike[str]']
"""A path of a file or folder."""


class Openable(Protocol):
    """The path of a file inside another one, such as a member of a tar file: ``str`` shows it."""

    def open_regular(self) -> IO[bytes]:
        """Open it for reading, see ``files.open_regular``."""


OpenablePath = Union[PathLike, Openable]
"""A path of a file, on the disk or inside another file."""
Tensor = Any
"""An ``mxnet.nd.NDArray`` or an ``mxnet.sym.Symbol``."""
OpNamespace = ModuleType
"""The ``F`` of ``hybrid_forward``: ``mxnet.ndarray`` or ``mxnet.symbol``."""

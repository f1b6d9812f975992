"""The worker processes of mxnet's data loader, which begin as a copy of the process that starts them.

Since Python 3.14, processes are started by a server by default, which imports the program again in each. In a worker of
``gluon.data.DataLoader``, mxnet would be imported without this package, and transforms that are lambdas cannot be sent.
"""

from __future__ import annotations

import multiprocessing
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from types import ModuleType
from typing import Any, Iterator, Optional

from gluon_cbam.common.parallel import process_context

from .namespace import give

MODULES = ('mxnet.gluon.data.dataloader',)
"""The module of mxnet that starts processes."""


@contextmanager
def forked(module: ModuleType) -> Iterator[None]:
    """Let a module start its processes as :func:`gluon_cbam.common.parallel.process_context` says.

    Args:
        module: one of :data:`MODULES`.
    """

    def pool(*args: Any, **kwargs: Any) -> Any:
        return process_context().Pool(*args, **kwargs)

    def process(*args: Any, **kwargs: Any) -> Any:
        return process_context().Process(*args, **kwargs)  # type: ignore[attr-defined]

    def get_context(method: Optional[str] = None) -> BaseContext:
        return multiprocessing.get_context(method) if method else process_context()

    yield
    give(module, multiprocessing, {'Pool': pool, 'Process': process, 'get_context': get_context})

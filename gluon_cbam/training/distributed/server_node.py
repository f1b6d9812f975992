"""The program of a scheduler or server of ps-lite: ``python -m gluon_cbam.training.distributed.server_node``.

By default, ``import mxnet`` takes the role from ``DMLC_ROLE``, serves, and unpickles the optimizer that a worker sends,
which runs whatever code a message holds. Here mxnet is imported without a role, and the server takes the plain settings
of :class:`.server_optimizer.ServerOptimizer` only, signed with the token of the job. The process ignores the signals
that stop the workers: these agree through it on the step at which they stop.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any, Callable

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.signing import TOKEN, opened

_ROLE = 'DMLC_ROLE'
_OPTIMIZER = 0  # the command with an optimizer, of mxnet.kvstore.KVStore.set_optimizer


def main() -> None:
    """Serve until the workers have ended."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    role = os.environ.pop(_ROLE)
    import mxnet as mx
    from mxnet.base import _LIB, check_call

    os.environ[_ROLE] = role
    store = mx.kv.create('dist')
    kind = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    check_call(_LIB.MXKVStoreRunServer(store.handle, kind(controller(store)), None))


def controller(store: Any) -> Callable[[int, bytes, Any], None]:
    """The function that receives the commands of workers.

    Args:
        store: the kvstore of the server; its optimizer is set.

    Returns:
        Function of the number of a command and its body. It refuses what it does not know in a line on standard error.
    """

    def receive(command: int, body: bytes, _: Any) -> None:
        try:
            if command != _OPTIMIZER:
                raise DataError(f'command {command}, which is unknown')
            settings = json.loads(opened(body.decode('utf-8', 'replace'), os.environ.get(TOKEN, '')))
        except DataError as error:
            print(
                f'cbam: a server received {error}: it is refused (a pickled optimizer as well: train with '
                'update_on_kvstore=False)',
                file=sys.stderr,
                flush=True,
            )
            return
        from .server_optimizer import ServerOptimizer

        store.set_optimizer(ServerOptimizer.of(settings))

    return receive


if __name__ == '__main__':
    import gluon_cbam  # noqa: F401 (prepares the import of mxnet)

    main()

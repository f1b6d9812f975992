"""Processes with a parameter server: MXNet's ps-lite, whose workers and servers ``cbam launch`` starts."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import time
from typing import Callable, Dict, List, Sequence

import mxnet as mx
import numpy as np
from mxnet.base import _LIB, check_call

from gluon_cbam.common.errors import EnvironmentProblem, UsageError
from gluon_cbam.common.signing import TOKEN, signed

from .collective import CollectiveGroup
from .server_optimizer import FIRST_SUM, ServerOptimizer

_VARIABLES = ('DMLC_ROLE', 'DMLC_PS_ROOT_URI', 'DMLC_PS_ROOT_PORT', 'DMLC_NUM_WORKER', 'DMLC_NUM_SERVER')
_CONTROLLER = 0  # the number of MXNet's command that has an optimizer
_CONNECT_TIMEOUT = 60.0  # seconds for the scheduler to answer
_AGREEMENT_INTERVAL = 20  # steps between two agreements of asynchronous workers


class _ParameterServerGroup(CollectiveGroup):
    """Processes that send their gradients to servers.

    Args:
        kv_store: one of MXNet's ``dist`` stores.

    Raises:
        UsageError: the process was not started by ``cbam launch``.
        EnvironmentProblem: the scheduler does not answer.
    """

    def __init__(self, kv_store: str):
        super().__init__(kv_store)
        _require_scheduler(kv_store)
        # one store for everything: creating a second one hangs
        self._store = mx.kv.create(kv_store)
        self._wait_at_exit(False)
        self.size = self._store.num_workers
        # ps-lite numbers workers in the order in which they connect
        self.rank = int(os.environ.get('DMLC_WORKER_ID', self._store.rank))
        self._keys: Dict[str, int] = {}

    def kvstore(self, ctx: List[mx.Context]) -> mx.kv.KVStore:
        """See :meth:`ProcessGroup.kvstore`."""
        return self._store

    def _key(self, name: str, array: mx.nd.NDArray) -> int:
        """The key of a sum; the parameters have the smaller keys."""
        if name not in self._keys:
            self._keys[name] = FIRST_SUM + len(self._keys)
            self._store.init(self._keys[name], mx.nd.zeros_like(array))
        return self._keys[name]

    def start(self, trainer: mx.gluon.Trainer, images: int, step: int) -> None:
        """See :meth:`ProcessGroup.start`.

        It waits until the weights were pulled: otherwise the first step of MXNet 1.9.1 may overlap the pull, and the
        processes continue with different and wrong weights.
        """
        trainer._init_kvstore()  # this sends asynchronous servers their optimizer, without which a sum ends them
        trainer._init_params()
        mx.nd.waitall()
        self._store._barrier()
        self._check_consistent(step)

    def leave(self) -> None:
        """See :meth:`ProcessGroup.leave`; after it, this process waits for all others when it exits."""
        super().leave()
        self._wait_at_exit(True)

    def _wait_at_exit(self, wait: bool) -> None:
        """Set whether this process, when it exits, waits for all workers and then ends the servers.

        By default MXNet does so, and a worker that fails would hang at its exit without a message.
        """
        check_call(_LIB.MXKVStoreSetBarrierBeforeExit(self._store.handle, ctypes.c_int(wait)))


class SynchronousGroup(_ParameterServerGroup):
    """Every step waits for the gradients of all processes; each process then updates its own weights."""

    def add(self, name: str, array: mx.nd.NDArray) -> mx.nd.NDArray:
        """See :meth:`ProcessGroup.add`."""
        total = mx.nd.zeros_like(array)
        self._store.pushpull(self._key(name, array), array, out=total)
        return total


class AsynchronousGroup(_ParameterServerGroup):
    """Servers update the weights with each gradient that they receive; a process continues with the weights it gets.

    The processes wait for each other every 20 steps, and whenever the loss is logged.
    """

    servers_update = True

    def __init__(self, kv_store: str):
        if not os.environ.get(TOKEN):
            raise UsageError(f'--kv-store {kv_store}: {TOKEN} is not set; start it with cbam launch')
        super().__init__(kv_store)
        # MXNet's own sends it pickled
        self._store.set_optimizer = self._send_optimizer
        self._last: Dict[str, np.ndarray] = {}
        self._calls = 0
        self._flags: List[bool] = []

    def optimizer(self, optimizer: mx.optimizer.Optimizer, rates: Callable[[], List[float]]) -> mx.optimizer.Optimizer:
        """See :meth:`ProcessGroup.optimizer`."""
        return ServerOptimizer(optimizer, rates(), self.size)

    def _send_optimizer(self, optimizer: ServerOptimizer) -> None:
        """Send the settings of the optimizer to the servers, signed; see :mod:`.server_node`."""
        text = json.dumps(optimizer.settings())
        self._store._send_command_to_servers(_CONTROLLER, signed(text, os.environ[TOKEN]))

    def start(self, trainer: mx.gluon.Trainer, images: int, step: int) -> None:
        """See :meth:`ProcessGroup.start`."""
        trainer.optimizer.prepare(images, step)
        super().start(trainer, images, step)

    def _all_reduce(self, name: str, array: np.ndarray) -> mx.nd.NDArray:
        """See :meth:`CollectiveGroup._all_reduce`. Servers accumulate, so that only the difference is sent."""
        change = mx.nd.array(array - self._last.get(name, 0))
        self._last[name] = array
        key, total = self._key(name, change), mx.nd.zeros_like(change)
        self._store.push(key, change)
        self._barrier()
        self._store.pull(key, out=total)
        self._barrier()
        return total

    def _barrier(self) -> None:
        mx.nd.waitall()
        self._store._barrier()

    def agree(self, flags: Sequence[bool]) -> List[bool]:
        """See :meth:`ProcessGroup.agree`; here the processes wait for each other, but not at each step."""
        new_flags = self._newly_set(flags)
        self._flags = [bool(new) or old for new, old in zip(new_flags, self._flags or [False] * len(flags))]
        self._calls += 1
        if self._calls % _AGREEMENT_INTERVAL:
            return [False] * len(flags)
        mine, self._flags = np.array(self._flags, np.float32), []
        return list(self._all_reduce('agree', mine).asnumpy() > 0)


def _require_scheduler(kv_store: str) -> None:
    """Check that the scheduler can be reached: without one, MXNet waits forever.

    Raises:
        UsageError: an environment variable of ps-lite is not set.
        EnvironmentProblem: the scheduler does not answer.
    """
    absent = [name for name in _VARIABLES if not os.environ.get(name)]
    if absent:
        raise UsageError(
            f'--kv-store {kv_store}: {absent[0]} is not set; start it with cbam launch -n WORKERS -- cbam train ...'
        )
    address = os.environ['DMLC_PS_ROOT_URI'], int(os.environ['DMLC_PS_ROOT_PORT'])
    deadline = time.monotonic() + _CONNECT_TIMEOUT
    while True:
        try:
            with socket.create_connection(address, timeout=_CONNECT_TIMEOUT):
                return
        except OSError as error:
            if time.monotonic() > deadline:
                raise EnvironmentProblem(
                    f'no scheduler answers at {address[0]}:{address[1]} ({error}): start it with cbam launch'
                ) from None
            time.sleep(0.2)

"""The compiled operators as functions of mxnet's arrays and symbols."""

from __future__ import annotations

import ctypes
import logging
import threading
import time
from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple, Optional

from mxnet.base import _LIB, OpHandle, c_str
from mxnet.ndarray.register import _make_ndarray_function
from mxnet.symbol.register import _make_symbol_function

from gluon_cbam.common.errors import DependencyError, EnvironmentProblem

from .build import LIBRARY
from .status import LIMIT, REPAIR, forced_instructions, operators_status

_log = logging.getLogger('gluon_cbam.ops')
_LOCK = threading.Lock()
PREFIX = '_cbam_'
"""Begins the name of every compiled operator."""
NAMES = (
    'global_pool',
    *(f'channel_pool{gated}_{order}' for gated in ('', '_gated') for order in ('max_mean', 'mean_max')),
    *(
        f'scale{gates}{add}{relu}'
        for gates in ('_channel', '_spatial', '_channel_spatial')
        for add in ('', '_add')
        for relu in ('', '_relu')
    ),
    'prelu',
)
"""The operators with gradients, in native/operators.cc and native/prelu_operators.cc, without their prefix."""
INFERENCE_NAMES = ('channel_gate', 'spatial_gate')
"""The operators without gradients, in native/quantized_operators.cc."""
GATE_CONVOLUTIONS = ('gate_convolution', 'gate_convolution_bias')
"""The operators with gradients in native/gate_operators.cc, without and with a bias."""
SGD_MOMENTUM = 'sgd_momentum'
"""The operator in native/optimizer_operators.cc."""
CONVOLUTION = 'convolution'
"""The operator in native/convolution_operators.cc."""
FUSED_CONVOLUTION = 'fused_convolution'
"""The operator in native/fused_convolution_operators.cc, of graphs that :mod:`.fusion` writes."""

_PATIENCE = 60  # seconds
_ATTEMPT = 200  # milliseconds


class Library(NamedTuple):
    """The compiled operators by name.

    Attributes:
        nd: functions of arrays.
        sym: functions of symbols.
        instructions: name of the instruction set that they use, one of :data:`.status.INSTRUCTIONS`.
    """

    nd: SimpleNamespace
    sym: SimpleNamespace
    instructions: str


def load() -> Optional[Library]:
    """Load the compiled operators and add them to mxnet's, once in a process.

    Returns:
        The operators; None where :func:`.status.operators_status` finds that they cannot be used, or where loading
        them fails. A damaged or stale file is said in one line of the log.

    Raises:
        UsageError: a variable of the environment has an unknown value.
        EnvironmentProblem: see :func:`open_library`.
    """
    with _LOCK:  # the operators are added once
        return _load()


def loaded() -> Optional[Library]:
    """The operators if this process has loaded them with :func:`load`; None otherwise."""
    return _load() if _load.cache_info().currsize else None


@lru_cache(maxsize=None)
def _load() -> Optional[Library]:
    found = operators_status()
    if found.is_fault:
        _log.warning('%s: the operators of MXNet are used; %s', found.detail, found.remedy)
    if not found.ok:
        return None
    try:
        return open_library()
    except DependencyError as error:
        _log.warning('%s; until then, the operators of MXNet are used', error)
        return None


def open_library() -> Library:
    """Load the compiled operators without looking at their status; :func:`load` is for everything but diagnostics.

    Returns:
        The operators.

    Raises:
        DependencyError: the compiled file cannot be loaded, or is of another version of this package.
        EnvironmentProblem: ``CBAM_INSTRUCTIONS`` names an instruction set that the processor does not have.
    """
    # the operators need the symbols of mxnet's library, which Python loads without exporting them
    ctypes.CDLL(_LIB._name, mode=ctypes.RTLD_GLOBAL)
    try:
        library = ctypes.PyDLL(str(LIBRARY))  # keeps the GIL, so that no other thread starts an operator
    except OSError as error:
        raise DependencyError(f'the compiled operators cannot be loaded ({error}): {REPAIR}') from None
    if not hasattr(library, 'cbam_register'):
        raise DependencyError(f'{LIBRARY} holds no operators: {REPAIR}')
    library.cbam_instructions.restype = ctypes.c_char_p
    instructions = library.cbam_instructions().decode()
    if forced_instructions() not in ('', instructions):
        raise EnvironmentProblem(
            f'{LIMIT}={forced_instructions()} in the environment: this processor has {instructions} at most; name '
            'that, or leave the variable out'
        )
    _register(library)
    nd, sym = SimpleNamespace(), SimpleNamespace()
    for name in (*NAMES, *INFERENCE_NAMES, *GATE_CONVOLUTIONS, SGD_MOMENTUM, CONVOLUTION):
        handle = _handle(name)
        setattr(nd, name, _make_ndarray_function(handle, PREFIX + name, name))
        setattr(sym, name, _make_symbol_function(handle, PREFIX + name, name))
    _handle(FUSED_CONVOLUTION)
    return Library(nd, sym, instructions)


def _register(library: ctypes.PyDLL) -> None:
    """Add the operators to mxnet's while none of these runs, see native/operators.cc.

    The GIL is given up between attempts, since operators that are written in Python need it.
    """
    end = time.monotonic() + _PATIENCE
    while not library.cbam_register(_ATTEMPT):
        if time.monotonic() > end:
            raise DependencyError(
                f'operators of mxnet ran {_PATIENCE} s without a pause, in which the compiled ones could be added: '
                'call gluon_cbam.ops.library.load() before these are started'
            )
        time.sleep(0.001)


def _handle(name: str) -> OpHandle:
    """MXNet's handle of an operator."""
    handle = OpHandle()
    if _LIB.NNGetOpHandle(c_str(PREFIX + name), ctypes.byref(handle)) != 0:
        raise DependencyError(f'the compiled operators are of another version and lack {name!r}: {REPAIR}')
    return handle

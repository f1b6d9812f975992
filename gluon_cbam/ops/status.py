"""Whether the compiled operators can be used, without loading them."""

from __future__ import annotations

import importlib.util
import os
import platform
from pathlib import Path
from typing import NamedTuple, Sequence

from gluon_cbam.common.errors import UsageError, closest

from .build import LIBRARY, fault

VARIABLE = 'CBAM_KERNELS'
CHOICES = ('auto', 'graph', 'plain')
"""Values of this variable of the environment: the fastest backend; no compiled operators; the reference backend."""
LIMIT = 'CBAM_INSTRUCTIONS'
INSTRUCTIONS = ('baseline', 'avx2', 'avx512')
"""Values of the variable that forces the instruction set of the compiled operators, each a part of the next."""

_MACHINE = 'x86_64'  # of the compiled operators, as platform.machine() names it
# libmxnet.so of the wheel of mxnet 1.9.1 for Linux on x86-64, the only file that native/mxnet_abi.h is valid for
_BUILD_ID = '472988f6268780302be9ee15d6c53d9a07b534f5'
_NOTE = b'\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0'  # header of a 20-byte build ID, in the first page of the file
BUILD = 'python -m gluon_cbam.ops.build'
REPAIR = f'{BUILD} compiles it again, {VARIABLE}=graph leaves it out'
"""What to do about a compiled file that is damaged or stale."""


class Status(NamedTuple):
    """Whether the compiled operators are used.

    Attributes:
        ok: whether they are used.
        detail: the reason, in one line.
        remedy: what to do to use them; empty if there is nothing to do.
        is_fault: whether they are left out because the compiled file is damaged or stale.
    """

    ok: bool
    detail: str
    remedy: str = ''
    is_fault: bool = False


def requested_backend() -> str:
    """Read ``CBAM_KERNELS`` from the environment.

    Returns:
        One of :data:`CHOICES`; ``auto`` if the variable is not set.

    Raises:
        UsageError: the value is not one of :data:`CHOICES`.
    """
    return _value_of(VARIABLE, CHOICES) or 'auto'


def forced_instructions() -> str:
    """Read ``CBAM_INSTRUCTIONS`` from the environment.

    Returns:
        One of :data:`INSTRUCTIONS`; empty if the variable is not set: the best one that the processor has is used.

    Raises:
        UsageError: the value is not one of :data:`INSTRUCTIONS`.
    """
    return _value_of(LIMIT, INSTRUCTIONS)


def _value_of(variable: str, known: Sequence[str]) -> str:
    """The value of a variable of the environment; empty if it is not set."""
    value = os.environ.get(variable, '')
    if value and value not in known:
        raise UsageError(f'{variable}={value!r} in the environment: {closest(value, known)}')
    return value


def operators_status() -> Status:
    """Find out whether the compiled operators are used in this process, without loading them.

    Returns:
        The status, with the reason.

    Raises:
        UsageError: a value in the environment is not one of :data:`CHOICES` or :data:`INSTRUCTIONS`.
    """
    forced_instructions()
    if requested_backend() != 'auto':
        return Status(False, f'left out by {VARIABLE}={requested_backend()}')
    if platform.machine() != _MACHINE:
        return Status(
            False, f"baseline: MXNet's operators; the compiled ones are for {_MACHINE}, this is {platform.machine()}"
        )
    if not LIBRARY.is_file():
        command = BUILD if importlib.util.find_spec('mxnet') else 'cbam setup'
        return Status(False, 'not compiled: attention runs on slower operators of MXNet', f'{command} (needs g++)')
    found = _build_id()
    if found != _BUILD_ID:
        return Status(False, f'compiled for mxnet 1.9.1 for CPUs, not for this one (build {found or "unknown"})')
    try:
        found = fault(LIBRARY)
    except OSError as error:
        found = f'not readable: {error.strerror}'
    if found:
        return Status(False, f'{LIBRARY} is {found}', REPAIR, is_fault=True)
    return Status(True, 'compiled')


def _build_id() -> str:
    spec = importlib.util.find_spec('mxnet')
    if spec is None or not spec.origin:
        return ''
    try:
        with open(Path(spec.origin).parent / 'libmxnet.so', 'rb') as file:
            page = file.read(4096)
    except OSError:
        return ''
    start = page.find(_NOTE)
    return page[start + len(_NOTE) :][:20].hex() if start >= 0 else ''

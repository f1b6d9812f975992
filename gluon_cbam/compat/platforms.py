"""For which systems there are wheels of mxnet, and what works without one. Imports the standard library only.

The table is from the file names on the package index, November 2026. Only Linux on x86-64 is used and tested here; what
the other wheels need was read from their contents, and they were never run.
"""

from __future__ import annotations

import platform
from typing import NamedTuple, Optional, Tuple

from .versions import INSTALL_MXNET

_X86_64 = ('x86_64', 'amd64')
_ARM_64 = ('aarch64', 'arm64')
WITHOUT_MXNET = (
    'without it work cbam zoo, models list, data and recipes, and predict, validate and explain --exported FILE.onnx'
)
"""What works without mxnet, as part of a message."""


class Wheels(NamedTuple):
    """The wheels of mxnet for a system.

    Attributes:
        system: what ``platform.system()`` returns.
        machines: what ``platform.machine()`` returns, in lower case; empty for any other.
        found: the wheels that there are, or what takes their place.
        supported: whether this package is tested with them.
    """

    system: str
    machines: Tuple[str, ...]
    found: str
    supported: bool = False


WHEELS = (
    Wheels('Linux', _X86_64, 'mxnet 1.9.1 and mxnet-cu117 1.9.1', supported=True),
    Wheels('Linux', _ARM_64, 'mxnet 1.9.1 (it needs the Arm Performance Libraries, and was never run here)'),
    Wheels('Darwin', _X86_64, 'mxnet 1.9.1 (it was never run here)'),
    Wheels('Darwin', _ARM_64, 'no wheel of mxnet'),
    Wheels('Windows', (), 'mxnet 1.7.0 at most, which this package does not run with'),
)
"""A row for each system, the first that fits counts; for any other there is no wheel."""


def wheels(system: Optional[str] = None, machine: Optional[str] = None) -> Wheels:
    """The wheels of mxnet for a system.

    Args:
        system: default this one, see :class:`Wheels`.
        machine: default this one, see :class:`Wheels`.
    """
    system, machine = system or platform.system(), (machine or platform.machine()).lower()
    for row in WHEELS:
        if row.system == system and machine in (row.machines or (machine,)):
            return row
    return Wheels(system, (machine,), 'no wheel of mxnet')


def missing_package(name: Optional[str]) -> str:
    """The message for a package that is not installed, with what to do about it.

    Args:
        name: the name of the package, as :class:`ModuleNotFoundError` has it.
    """
    return f'{name} is not installed: {without_mxnet() if name == "mxnet" else f"pip install {name}"}'


def without_mxnet() -> str:
    """What to do where mxnet is not installed: the command that installs it, or what there is instead; what works."""
    here = wheels()
    if here.supported:
        return f'{INSTALL_MXNET}; {WITHOUT_MXNET}'
    return f'for {here.system} on {platform.machine()} there is {here.found}; {WITHOUT_MXNET}'

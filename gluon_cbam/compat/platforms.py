"""The wheels of mxnet, for which systems they are, and what works without one. Imports the standard library only.

The table is from the package index, November 2026. Only Linux on x86-64 is used and tested here; what the other wheels
need was read from their contents, and they were never run.
"""

from __future__ import annotations

import platform
from typing import Dict, NamedTuple, Optional, Tuple

from .versions import INSTALL_MXNET

VERSION = '1.9.1'
"""The version of mxnet that this package is for, the last one."""
WITHOUT_MXNET = (
    'without it work cbam zoo, models list, data and recipes, and predict, validate and explain --exported FILE.onnx'
)
"""What works without mxnet, as part of a message."""


class Wheel(NamedTuple):
    """A published file of :data:`VERSION`.

    Attributes:
        distribution: name of its distribution; each of them contains the package ``mxnet``.
        system: as in ``sys.platform``; Linux with glibc.
        machine: as from ``platform.machine()``.
        platform: the first part of the platform tag in its name.
        megabytes: its size.
        sha256: of the file, as the index states it.
    """

    distribution: str
    system: str
    machine: str
    platform: str
    megabytes: int
    sha256: str


WHEELS = (
    Wheel('mxnet', 'linux', 'x86_64', 'manylinux2014', 49,
          '65d5dac162c87a14d138d888b54494d515036d9047ae804ff51f770bd02197a6'),
    Wheel('mxnet', 'linux', 'aarch64', 'manylinux2014', 36,
          '5e51a0c05d99f8f1b3b5e7c02170be57af2e6edb3ad9af2cb9551ace3e22942c'),
    Wheel('mxnet', 'darwin', 'x86_64', 'macosx_10_13', 39,
          '73c045f65ad05fe9ca3c4202e10471703b57231f8ac8b05d973ec2ab362178fb'),
    Wheel('mxnet-cu117', 'linux', 'x86_64', 'manylinux2014', 509,
          'dd68fe970cb33461e2cd23038749633be36008c2f9cf57df1051081396057b4d'),
)  # fmt: skip
"""All of them."""
_SYSTEMS = {'Linux': 'linux', 'Darwin': 'darwin', 'Windows': 'win32'}  # platform.system() -> sys.platform
_MACHINES = {'amd64': 'x86_64', 'arm64': 'aarch64'}  # other names of machines, in lower case
_SUPPORTED = ('linux', 'x86_64')
_NOTES: Dict[Tuple[str, str], str] = {
    ('linux', 'aarch64'): ' (it needs the Arm Performance Libraries, and was never run here)',
    ('darwin', 'x86_64'): ' (it was never run here)',
}
_OLDER = {'win32': 'mxnet 1.7.0 at most, which this package does not run with'}


class Wheels(NamedTuple):
    """The wheels of mxnet for a system.

    Attributes:
        system: what ``platform.system()`` returns.
        found: the wheels that there are, or what takes their place.
        supported: whether this package is tested with them.
    """

    system: str
    found: str
    supported: bool = False


def wheels(system: Optional[str] = None, machine: Optional[str] = None) -> Wheels:
    """The wheels of mxnet for a system.

    Args:
        system: as from ``platform.system()``; default this one.
        machine: as from ``platform.machine()``; default this one.
    """
    system, machine = system or platform.system(), (machine or platform.machine()).lower()
    place = _SYSTEMS.get(system, system), _MACHINES.get(machine, machine)
    found = [f'{each.distribution} {VERSION}' for each in WHEELS if (each.system, each.machine) == place]
    if not found:
        return Wheels(system, _OLDER.get(place[0], 'no wheel of mxnet'))
    return Wheels(system, ' and '.join(found) + _NOTES.get(place, ''), place == _SUPPORTED)


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

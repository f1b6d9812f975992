"""The two builds of mxnet 1.9.1 and their wheels on PyPI."""

from __future__ import annotations

import platform
import sys
from typing import Dict, NamedTuple, Tuple

from gluon_cbam.common.errors import EnvironmentProblem
from gluon_cbam.compat.platforms import WITHOUT_MXNET

VERSION = '1.9.1'
"""The version of mxnet that this package is for, the last one."""
_SYSTEMS = {'linux': 'Linux', 'darwin': 'macOS', 'win32': 'Windows'}


class Wheel(NamedTuple):
    """A published file.

    Attributes:
        system: as in ``sys.platform``; Linux with glibc.
        machine: as from ``platform.machine()``.
        platform: the first part of the platform tag in its name.
        megabytes: its size.
        sha256: of the file, as the index states it.
    """

    system: str
    machine: str
    platform: str
    megabytes: int
    sha256: str


class Build(NamedTuple):
    """A build of mxnet.

    Attributes:
        name: the argument of ``cbam setup``, and the extra of this package.
        distribution: name of the wheels' distribution; each of them contains the package ``mxnet``.
        wheels: the published ones.
        libraries: requirements for the libraries that the wheel takes from other packages, those of the extra.
    """

    name: str
    distribution: str
    wheels: Tuple[Wheel, ...]
    libraries: Tuple[str, ...] = ()

    def file_of(self, wheel: Wheel) -> str:
        """The name of the file of a wheel."""
        return f'{self.distribution.replace("-", "_")}-{VERSION}-py3-none-{wheel.platform}_{wheel.machine}.whl'


_CPU_WHEELS = (
    Wheel('linux', 'x86_64', 'manylinux2014', 49, '65d5dac162c87a14d138d888b54494d515036d9047ae804ff51f770bd02197a6'),
    Wheel('linux', 'aarch64', 'manylinux2014', 36, '5e51a0c05d99f8f1b3b5e7c02170be57af2e6edb3ad9af2cb9551ace3e22942c'),
    Wheel('darwin', 'x86_64', 'macosx_10_13', 39, '73c045f65ad05fe9ca3c4202e10471703b57231f8ac8b05d973ec2ab362178fb'),
)
_CU117_WHEELS = (
    Wheel('linux', 'x86_64', 'manylinux2014', 509, 'dd68fe970cb33461e2cd23038749633be36008c2f9cf57df1051081396057b4d'),
)
_CUDA_LIBRARIES = (
    'nvidia-cublas-cu11>=11.10,<12',
    'nvidia-cuda-nvrtc-cu11>=11.7,<12',
    'nvidia-cuda-runtime-cu11>=11.7,<12',
    'nvidia-cudnn-cu11>=8.5,<9',
    'nvidia-cufft-cu11>=10.7,<11',
    'nvidia-curand-cu11>=10.2,<11',
    'nvidia-cusolver-cu11>=11.4,<12',
    'nvidia-cusparse-cu11>=11.7,<12',
    'nvidia-nccl-cu11>=2.14,<3',
    'nvidia-nvtx-cu11>=11.7,<12',
)
_BUILDS = (
    Build('cpu', 'mxnet', _CPU_WHEELS),
    Build('cu117', 'mxnet-cu117', _CU117_WHEELS, _CUDA_LIBRARIES),
)
BUILDS: Dict[str, Build] = {build.name: build for build in _BUILDS}
"""Name -> build."""


def this_system() -> Tuple[str, str]:
    """The system as wheels distinguish it, ``sys.platform`` or ``linux without glibc``, and the machine."""
    system = sys.platform
    if system == 'linux' and platform.libc_ver()[0] != 'glibc':
        system = 'linux without glibc'
    return system, platform.machine()


def wheel_for(build: Build, system: str, machine: str) -> Wheel:
    """Choose the wheel of a build.

    Args:
        build: the build.
        system: see :func:`this_system`.
        machine: see :func:`this_system`.

    Raises:
        EnvironmentProblem: there is none; the message lists those that exist, and what works without mxnet.
    """
    for wheel in build.wheels:
        if (wheel.system, wheel.machine) == (system, machine):
            return wheel
    exist = ', '.join(f'{_SYSTEMS[wheel.system]} on {wheel.machine}' for wheel in build.wheels)
    raise EnvironmentProblem(
        f'{build.distribution} {VERSION} has no wheel for {_SYSTEMS.get(system, system)} on {machine}, '
        f'only for {exist}; {WITHOUT_MXNET}'
    )

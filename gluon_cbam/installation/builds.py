"""The two builds of mxnet 1.9.1; :data:`gluon_cbam.compat.platforms.WHEELS` has their wheels."""

from __future__ import annotations

import platform
import sys
from typing import Dict, NamedTuple, Tuple

from gluon_cbam.common.errors import EnvironmentProblem
from gluon_cbam.compat.platforms import VERSION, WHEELS, WITHOUT_MXNET, Wheel

_SYSTEMS = {'linux': 'Linux', 'darwin': 'macOS', 'win32': 'Windows'}


class Build(NamedTuple):
    """A build of mxnet.

    Attributes:
        name: the argument of ``cbam setup``, and the extra of this package.
        distribution: name of the wheels' distribution; each of them contains the package ``mxnet``.
        wheels: the published ones, rows of :data:`gluon_cbam.compat.platforms.WHEELS`.
        libraries: requirements for the libraries that the wheel takes from other packages, those of the extra.
    """

    name: str
    distribution: str
    wheels: Tuple[Wheel, ...]
    libraries: Tuple[str, ...] = ()

    def file_of(self, wheel: Wheel) -> str:
        """The name of the file of a wheel."""
        return f'{self.distribution.replace("-", "_")}-{VERSION}-py3-none-{wheel.platform}_{wheel.machine}.whl'


def _build(name: str, distribution: str, libraries: Tuple[str, ...] = ()) -> Build:
    wheels = tuple(wheel for wheel in WHEELS if wheel.distribution == distribution)
    return Build(name, distribution, wheels, libraries)


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
    _build('cpu', 'mxnet'),
    _build('cu117', 'mxnet-cu117', _CUDA_LIBRARIES),
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

"""The versions of Python and NumPy that mxnet 1.9.1 supports, and checks of them. Imports the standard library only."""

from __future__ import annotations

import importlib.util
import sys
from importlib import metadata
from typing import List, Optional

from gluon_cbam.common.errors import DependencyError

OLDEST_PYTHON, NEWEST_PYTHON = (3, 8), (3, 12)
"""The supported versions of Python, (major, minor), both included."""
_CPU = "pip install 'gluon_cbam[cpu]'"
_GPU = "pip install 'gluon_cbam[cu117]'"
INSTALL_MXNET = f'install it with {_CPU}, or {_GPU} for NVIDIA GPUs'
"""The remedy for a missing mxnet, as part of a message."""


def installed(distribution: str) -> Optional[str]:
    """The installed version of a distribution, or None if it is not installed.

    Args:
        distribution: name as in ``pip install``.
    """
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def mxnet_distributions() -> List[str]:
    """The installed distributions that contain the package ``mxnet``; there should be one."""
    names = {(dist.metadata['Name'] or '').lower() for dist in metadata.distributions()}
    return sorted(name for name in names if name == 'mxnet' or name.startswith('mxnet-cu'))


def mxnet_is_gpu_build() -> bool:
    """Whether the installed mxnet is one of the CUDA wheels."""
    return any(name.startswith('mxnet-cu') for name in mxnet_distributions())


def require_supported() -> None:
    """Check that mxnet 1.9.1 supports this Python and the installed packages.

    Raises:
        DependencyError: it does not; the message names the versions to install.
    """
    python = sys.version_info[:2]
    if not OLDEST_PYTHON <= python <= NEWEST_PYTHON:
        raise DependencyError(
            f'mxnet 1.9.1 does not run on Python {python[0]}.{python[1]} (it needs numpy < 2): use Python 3.8 to 3.12'
        )
    numpy = installed('numpy')
    if numpy is None:
        raise DependencyError("mxnet 1.9.1 needs numpy, which is not installed: pip install 'numpy<2'")
    if int(numpy.split('.')[0]) >= 2:
        raise DependencyError(f"mxnet 1.9.1 does not work with numpy {numpy}: pip install 'numpy<2'")
    if importlib.util.find_spec('distutils') is None:
        raise DependencyError('mxnet 1.9.1 imports distutils, which Python 3.12 dropped: pip install setuptools')

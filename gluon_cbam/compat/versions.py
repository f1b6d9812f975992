"""The supported versions of Python, and what is installed. Imports the standard library only."""

from __future__ import annotations

import importlib.util
import sys
from importlib import metadata
from typing import List, Optional

from gluon_cbam.common.errors import DependencyError

OLDEST_PYTHON, NEWEST_PYTHON = (3, 8), (3, 14)
"""The supported versions of Python, (major, minor), both included."""
USE_PYTHON = 'use Python {}.{} to {}.{}'.format(*OLDEST_PYTHON, *NEWEST_PYTHON)
"""The remedy for another version, as part of a message."""
INSTALL_MXNET = "install it with 'cbam setup', or 'cbam setup cu117' for NVIDIA GPUs"
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


def installer(distribution: str) -> Optional[str]:
    """The program that installed a distribution, as it recorded itself; None if it did not.

    Args:
        distribution: name as in ``pip install``; it is installed.
    """
    return (metadata.distribution(distribution).read_text('INSTALLER') or '').strip() or None


def mxnet_distributions() -> List[str]:
    """The installed distributions that contain the package ``mxnet``; there should be one."""
    names = {(dist.metadata['Name'] or '').lower() for dist in metadata.distributions()}
    return sorted(name for name in names if name == 'mxnet' or name.startswith('mxnet-cu'))


def mxnet_is_gpu_build() -> bool:
    """Whether the installed mxnet is one of the CUDA wheels."""
    return any(name.startswith('mxnet-cu') for name in mxnet_distributions())


def supports_python() -> bool:
    """Whether this Python is one of the supported versions."""
    return OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON


def require_supported() -> None:
    """Check that mxnet 1.9.1 can be imported by this Python with the installed packages.

    Raises:
        DependencyError: it cannot; the message names the version or the package to install.
    """
    if not supports_python():
        python = '.'.join(str(part) for part in sys.version_info[:2])
        raise DependencyError(f'gluon_cbam does not make mxnet 1.9.1 run on Python {python}: {USE_PYTHON}')
    if installed('numpy') is None:
        raise DependencyError('mxnet 1.9.1 needs numpy, which is not installed: pip install numpy')
    if importlib.util.find_spec('distutils') is None:
        raise DependencyError('mxnet 1.9.1 imports distutils, which Python 3.12 dropped: pip install setuptools')

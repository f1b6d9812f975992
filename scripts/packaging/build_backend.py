"""The PEP 517 backend of this project: setuptools, and mxnet's headers if there is a compiler.

``setup_requires`` is deprecated, and requirements in pyproject.toml cannot depend on the machine: without a compiler,
the operators are left out anyway, and a build must not download the 47 MB of mxnet. mxnet's own requirements have no
solution on Python 3.13 and later, where ``cbam setup`` installs it and then compiles the operators.
"""

import importlib.util
import sys
import warnings
from pathlib import Path
from typing import Any, Dict, List, Optional

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403 (the functions of the module are the backend)

_BUILD = Path(__file__).resolve().parents[2] / 'gluon_cbam' / 'ops' / 'build.py'
Settings = Optional[Dict[str, Any]]


def _operator_requirements() -> List[str]:
    """The requirements for compiling the operators, if there is a compiler: mxnet's wheel has the headers.

    Operators that were compiled of the same sources before are taken as they are, see setup.py.
    """
    spec = importlib.util.spec_from_file_location('build_operators', str(_BUILD))
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    if build.LIBRARY.is_file() and not build.fault(build.LIBRARY):
        return []
    try:
        build.compiler()
    except build.CannotBuild:
        return []
    return ['mxnet==1.9.1'] if sys.version_info < (3, 13) else []


def get_requires_for_build_wheel(config_settings: Settings = None) -> List[str]:
    """The requirements for building a wheel, in addition to the ones in pyproject.toml."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *_operator_requirements()]


def get_requires_for_build_editable(config_settings: Settings = None) -> List[str]:
    """The same for an editable installation."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *_operator_requirements()]


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: Optional[str] = None
) -> str:
    """Build an editable wheel, without the warning of setuptools at each installation."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message=r'\s*Editable installation')
        return build_meta.build_editable(wheel_directory, config_settings, metadata_directory)

"""Optional packages: each belongs to an extra of the installation."""

from __future__ import annotations

from importlib import import_module, util
from types import ModuleType

from .errors import DependencyError

_EXTRAS = {  # package -> the extra that installs it
    'faiss': 'faiss',
    'gluoncv': 'gluoncv',
    'onnx': 'onnx',
    'onnxruntime': 'onnx',
    'openvino': 'openvino',
    'safetensors': 'safetensors',
}


def import_optional(module: str) -> ModuleType:
    """Import a module of an optional package.

    Args:
        module: dotted name, for instance ``onnxruntime.quantization``.

    Returns:
        The module.

    Raises:
        DependencyError: the package is not installed, or cannot be imported; the message says what to install.
    """
    package = module.partition('.')[0]
    remedy = f"pip install 'gluon_cbam[{_EXTRAS[package]}]'"
    if not is_installed(package):
        raise DependencyError(f'{package} is not installed: {remedy}')
    try:
        return import_module(module)
    except Exception as error:  # a package that was built for another numpy may raise any error
        reason = (str(error).strip().splitlines() or [''])[-1]
        raise DependencyError(f'{package} cannot be imported ({type(error).__name__}: {reason}): {remedy}') from error


def is_installed(package: str) -> bool:
    """Whether a package is installed; it is not imported.

    Args:
        package: top-level name, for instance ``onnx``.
    """
    try:
        return util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False

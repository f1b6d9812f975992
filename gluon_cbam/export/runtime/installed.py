"""The installed packages that bring ONNX Runtime: there are several, all imported as ``onnxruntime``."""

from __future__ import annotations

from importlib import metadata
from typing import Dict

_MODULE, _FILE = 'onnxruntime', 'onnxruntime/__init__.py'


def onnxruntime_packages() -> Dict[str, str]:
    """The installed distributions that contain the package ``onnxruntime``; there should be one.

    Returns:
        Version by name, for instance ``{'onnxruntime-gpu': '1.31.1'}``.
    """
    found = {}
    for each in metadata.distributions():
        name = (each.metadata['Name'] or '').lower().replace('_', '-')
        # onnxruntime-extensions, onnxruntime-genai and others are other packages
        if name.startswith(_MODULE) and any(file.as_posix() == _FILE for file in each.files or ()):
            found[name] = each.version
    return dict(sorted(found.items()))

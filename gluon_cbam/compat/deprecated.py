"""Names of a module that were renamed or moved: the old ones work for one release, with a DeprecationWarning."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any, Mapping


def deprecated_names(module: str, name: str, renamed: Mapping[str, str]) -> Any:
    """The object that an old name of a module means now; for the ``__getattr__`` of the module.

    Args:
        module: ``__name__`` of the module.
        name: that was asked for.
        renamed: old name -> ``module:name``.

    Raises:
        AttributeError: the module never had such a name.
    """
    if name not in renamed:
        raise AttributeError(f'module {module!r} has no attribute {name!r}')
    new_module, _, new_name = renamed[name].partition(':')
    warnings.warn(
        f'{module}.{name} was renamed to {new_module}.{new_name}; the old name is removed in the next release',
        DeprecationWarning,
        stacklevel=3,
    )
    return getattr(import_module(new_module), new_name)

"""A copy of a module's namespace with further names, for one module that reads them."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Dict


class Namespace(ModuleType):
    """The names of a module, and further ones.

    Args:
        module: the module.
        names: the further names; they hide those of the module.
    """

    def __init__(self, module: ModuleType, names: Dict[str, Any]) -> None:
        super().__init__(module.__name__, module.__doc__)
        vars(self).update({**vars(module), **names})  # a copy, so that reading a name is as fast as in the module
        self._module = module

    def __getattr__(self, name: str) -> Any:
        """What the module itself loads on first use."""
        return getattr(self._module, name)


def give(module: ModuleType, used: ModuleType, names: Dict[str, Any]) -> None:
    """Let a module find further names in one that it imported.

    Args:
        module: the module that reads the names.
        used: the module that it imported, under any name.
        names: the further names.
    """
    for alias in [name for name, value in vars(module).items() if value is used]:
        vars(module)[alias] = Namespace(used, names)

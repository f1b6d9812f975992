"""Which modules of mxnet 1.9.1 and gluoncv 0.10.5 are repaired when they are imported, and how."""

from __future__ import annotations

from types import ModuleType
from typing import Callable, Collection, ContextManager, Dict, List

from . import truncated_images, workers
from .numpy2 import metrics, parameter_text, records, removed_names

Repair = Callable[[ModuleType], ContextManager[None]]
"""Makes the context manager in which the code of a module is executed; it repairs the module."""

REPAIRS: Dict[Repair, Collection[str]] = {
    removed_names.supplied: removed_names.READ,
    parameter_text.written_as_by_numpy_1: parameter_text.MODULES,
    metrics.summed_in_double: metrics.MODULES,
    records.without_tostring: records.MODULES,
    workers.forked: workers.MODULES,
    truncated_images.refused: truncated_images.MODULES,
}
"""Repair -> full names of the modules that it repairs."""


def repairs_of(name: str) -> List[Repair]:
    """The repairs of a module.

    Args:
        name: its full name.
    """
    return [repair for repair, modules in REPAIRS.items() if name in modules]

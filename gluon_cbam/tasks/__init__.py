"""Tasks: what a network is trained for. :mod:`.base` is the contract; a task has a folder and a row of :data:`TASKS`.

May import ``common``, ``data`` and ``models``; never ``training``, ``inference`` or what stands above them. Importing a
task imports neither mxnet nor numpy, so that the command line can name figures and columns at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Dict, Optional

from gluon_cbam.common.errors import UsageError, closest

if TYPE_CHECKING:
    from .base import Task
else:

    def __getattr__(name: str) -> Any:
        """Import :class:`Task` when it is used: the settings need the names of the tasks alone."""
        if name != 'Task':
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        from .base import Task

        return Task


__all__ = ['DEFAULT', 'TASKS', 'Task', 'get_task']

DEFAULT = 'classification'
"""The task of a run, a card or an exported file that names none."""
TASKS: Dict[str, str] = {
    'classification': 'gluon_cbam.tasks.classification.task:Classification',
}
"""Name of a task -> ``module:class`` of its :class:`Task`."""


def get_task(name: Optional[str] = None) -> Task:
    """The task of a name.

    Args:
        name: a key of :data:`TASKS`; None for :data:`DEFAULT`.

    Returns:
        A new instance; tasks keep no state.

    Raises:
        UsageError: there is no such task.
    """
    name = name or DEFAULT
    if name not in TASKS:
        raise UsageError(f'unknown task {name!r}: {closest(name, TASKS)}')
    module, _, attribute = TASKS[name].partition(':')
    return getattr(import_module(module), attribute)()

"""Tasks, such as classification: the data, loss, evaluation and predictions of a network.

:mod:`.base` is the interface, with :mod:`.task_figures`, :mod:`.figures`, :mod:`.classes`, :mod:`.objective`,
:mod:`.prediction` and :mod:`.protocols`, and :mod:`gluon_cbam.tasks.record_task` and
:mod:`gluon_cbam.tasks.annotated_task` for kinds of data; each task has its own package and a row of :data:`TASKS`.
It may import ``common``, ``data`` and ``models``, but not ``training``, ``inference`` or packages that import these.
Importing a task imports neither mxnet nor numpy, so that the command line starts fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Dict, Optional

from gluon_cbam.common.errors import UsageError, closest

if TYPE_CHECKING:
    from .base import Task
else:

    def __getattr__(name: str) -> Any:
        """Import :class:`Task` when it is used, since the settings only need the names of the tasks."""
        if name != 'Task':
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        from .base import Task

        return Task


__all__ = ['DEFAULT', 'TASKS', 'Task', 'get_task']

DEFAULT = 'classification'
"""The task of a run, a card or an exported file that names none."""
TASKS: Dict[str, str] = {
    'classification': 'gluon_cbam.tasks.classification.task:Classification',
    'detection': 'gluon_cbam.tasks.detection.task:Detection',
    'faces': 'gluon_cbam.tasks.faces.task:Faces',
    'multilabel': 'gluon_cbam.tasks.multilabel.task:Multilabel',
    'segmentation': 'gluon_cbam.tasks.segmentation.task:Segmentation',
}
"""Name of a task -> ``module:class`` of its :class:`Task`."""


def get_task(name: Optional[str] = None) -> Task:
    """Return the task of a name.

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

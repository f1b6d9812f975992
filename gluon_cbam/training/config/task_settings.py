"""The settings of a run, including those of its task: see ``settings`` of :class:`gluon_cbam.tasks.Task`."""

from __future__ import annotations

from dataclasses import Field, dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Type

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.settings import default_of
from gluon_cbam.tasks import TASKS, get_task

from .train_config import SETTINGS, TrainConfig

if TYPE_CHECKING:
    from gluon_cbam.tasks import Task


def config_class(task: Optional[str] = None) -> Type[TrainConfig]:
    """The configuration class of a task: :class:`TrainConfig` with the task's own settings after its fields.

    Args:
        task: the name of the task; None for classification.

    Returns:
        The class.

    Raises:
        UsageError: there is no such task.
        TypeError: a setting of the task has the name of one of :class:`TrainConfig`.
    """
    own = get_task(task).settings
    return TrainConfig if own is None else _extended(own)


@lru_cache(maxsize=None)
def _extended(own: type) -> Type[TrainConfig]:
    taken = sorted({entry.name for entry in fields(own)} & set(SETTINGS))
    if taken:
        raise TypeError(f'{own.__qualname__} has the setting {taken[0]}, which every task has: give it another name')
    return dataclass(type(TrainConfig.__name__, (own, TrainConfig), {'__doc__': TrainConfig.__doc__}))


def make_config(**settings: Any) -> TrainConfig:
    """Make the configuration of a run from settings of :class:`TrainConfig` and of its task.

    Args:
        **settings: the settings by name; ``task`` selects the task, whose own settings may be given, too.

    Returns:
        The configuration.

    Raises:
        UsageError: there is no such task.
        TypeError: neither :class:`TrainConfig` nor the task has a setting of this name.
    """
    return config_class(settings.get('task'))(**settings)


def settings_of(task: Optional[str] = None) -> Dict[str, Field]:
    """The settings of a task's runs by name, its own last; see :data:`.train_config.SETTINGS`."""
    return {entry.name: entry for entry in fields(config_class(task))}


def own_settings() -> Dict[str, Dict[str, Field]]:
    """The settings that only some tasks have: name of the task -> name of the setting -> field.

    Tasks may share a setting, which then has the same flags and type in all of them.

    Raises:
        TypeError: two tasks have different settings of one name.
    """
    known: Dict[str, Field] = {}
    result: Dict[str, Dict[str, Field]] = {}
    for task in TASKS:
        result[task] = {name: entry for name, entry in settings_of(task).items() if name not in SETTINGS}
        for name, entry in result[task].items():
            if known.setdefault(name, entry).metadata != entry.metadata:
                raise TypeError(f'{task} has another setting {name} than the tasks before it: share one dataclass')
    return result


def entry_of(name: str) -> Optional[Field]:
    """Look up a setting of any task by name; None if there is none."""
    if name in SETTINGS:
        return SETTINGS[name]
    return next((own[name] for own in own_settings().values() if name in own), None)


def refuse_foreign(name: str, where: str, task: str) -> None:
    """Refuse a setting that belongs to other tasks.

    Args:
        name: the name of the setting.
        where: the name of the setting in messages.
        task: the task of the run.

    Raises:
        UsageError: runs of the task do not have the setting.
    """
    if name not in settings_of(task):
        owners = ', '.join(each for each, own in own_settings().items() if name in own)
        raise UsageError(f'{where} is a setting of --task {owners}, this run is of {task}: leave it out')


def task_of(settings: Mapping[str, Any]) -> Task:
    """The task of a run, configured by its settings.

    Args:
        settings: the settings of the run by name; for those that are missing, the defaults are taken.

    Raises:
        UsageError: there is no such task.
    """
    name = settings.get('task')
    defaults = {name: default_of(entry) for name, entry in settings_of(name).items()}
    values = {**defaults, **settings}
    return get_task(name).configured(values).with_label_index(values['label_index'])

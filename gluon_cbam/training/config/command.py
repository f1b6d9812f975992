"""The ``cbam train`` command that repeats a run."""

from __future__ import annotations

import shlex
from dataclasses import Field
from pathlib import Path
from typing import Any, Dict, Iterator

from gluon_cbam.common.image_size import ImageSize, image_size_text
from gluon_cbam.common.settings import default_of, flag

from .task_settings import settings_of

_LEFT_OUT = (  # without effect on the weights; a recipe's values are in the other settings
    'output', 'resume', 'workers', 'log_interval', 'save_interval', 'save_minutes', 'keep_best', 'tensorboard',
    'recipe',
)  # fmt: skip


def command_of(settings: Dict[str, Any]) -> str:
    """The ``cbam train`` command of a run, with every setting that is not the default.

    Args:
        settings: the settings in a run's ``config.yaml``, by name. A path of data is shortened to its folder and name.

    Returns:
        The command, quoted for a POSIX shell.
    """
    return shlex.join(['cbam', 'train', *_arguments(settings)])


def _arguments(settings: Dict[str, Any]) -> Iterator[str]:
    for entry in settings_of(settings.get('task')).values():
        value = settings.get(entry.name)
        if value in (None, default_of(entry)) or entry.name in _LEFT_OUT:
            continue
        if value is True:
            yield flag(entry.name)
            continue
        for text in _texts(entry, value):
            yield from (flag(entry.name), text)


def _texts(entry: Field, value: Any) -> Iterator[str]:
    """The value of a setting as the command line takes it; several texts where the flag is repeated."""
    kind = entry.metadata['kind']
    if kind is dict:
        yield from (f'{key}={item}' for key, item in value.items())
    elif kind is tuple:
        yield from value
    elif kind is list:
        yield ','.join(f'{item:g}' for item in value)
    elif kind is ImageSize:
        yield image_size_text(value)
    elif entry.metadata['path']:
        yield '/'.join(Path(value).resolve().parts[-2:])
    else:
        yield str(value)

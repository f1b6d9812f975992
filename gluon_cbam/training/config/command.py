"""The command that trains again what a run trained."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any, Dict, Iterator

from .settings import default_of, flag
from .train_config import TrainConfig

_LEFT_OUT = (  # without effect on the weights; or, as a recipe's, standing in other settings
    'output', 'resume', 'workers', 'log_interval', 'save_interval', 'save_minutes', 'keep_best', 'tensorboard',
    'recipe',
)  # fmt: skip
_FILES = ('data_train', 'data_val')


def command_of(settings: Dict[str, Any]) -> str:
    """A ``cbam train`` command with every setting that is not the default; of paths, folder and name remain.

    Args:
        settings: of a run's ``config.yaml``.
    """
    return shlex.join(['cbam', 'train', *_arguments(settings)])


def _arguments(settings: Dict[str, Any]) -> Iterator[str]:
    for entry in fields(TrainConfig):
        value = settings.get(entry.name)
        if value in (None, default_of(entry)) or entry.name in _LEFT_OUT:
            continue
        for text in _texts(entry.name, value):
            yield from (flag(entry.name), text)


def _texts(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f'{key}={item}' for key, item in value.items())
    elif isinstance(value, list):
        yield ','.join(f'{item:g}' for item in value)
    elif name in _FILES:
        yield '/'.join(Path(value).resolve().parts[-2:])
    else:
        yield str(value)

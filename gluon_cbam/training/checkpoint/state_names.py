"""Names of the files of a state; sorted by name, the newest is the last."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

STEM = 'newest-epoch'
"""What the names of all states begin with."""
_VALIDATED = '_validated'  # sorts after the dot of a name without it


def state_name(progress: Mapping[str, Any]) -> str:
    """The name of the parameters of a state.

    Args:
        progress: the fields of :class:`.state.TrainingState`.
    """
    epoch, step = progress['epoch'], progress['step']
    validated = _VALIDATED if progress.get('validation_step') == step else ''
    return f'{STEM}{epoch:04d}-step{step:08d}{validated}.params'


def stem_of(path: Path) -> str:
    """The stem that the files of a state share."""
    return path.name.partition('.')[0]

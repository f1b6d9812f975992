"""The settings and metrics of a run that was saved, read from its directory."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List, Optional

from gluon_cbam.common.documents import read_text
from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.yaml_documents import parse_yaml

from .task_settings import settings_of

VALIDATED = ('epoch', 'validation')
"""The kinds of the records of ``metrics.jsonl`` that have the figures of a validation."""


def holds_run(path: PathLike) -> bool:
    """Whether a directory holds a run: whether it has a ``config.yaml``."""
    return (Path(path) / 'config.yaml').exists()


def run_path(resume: Optional[str], output: Optional[str], network: Optional[str]) -> Optional[Path]:
    """The directory of a run.

    Args:
        resume: the setting: None, ``auto``, or the directory or anything in it.
        output: the setting.
        network: the setting; the default of ``output`` has it.

    Returns:
        The directory, which need not exist; None where nothing names it.
    """
    if resume is None or resume == 'auto':
        return Path(output) if output else Path('runs') / network if network else None
    path = Path(resume)
    return next((folder for folder in (path, *path.parents) if holds_run(folder)), path)


def no_run_to_resume(resume: str) -> str:
    """The message for a ``resume`` that names no run."""
    why = 'cbam train did not write it' if Path(resume).exists() else 'there is no such folder'
    return f'no run in {resume!r} to resume: {why}'


def read_config(folder: PathLike) -> Dict[str, Any]:
    """The settings in the ``config.yaml`` of a run, by name.

    Raises:
        DataError: the file cannot be read, or does not have the settings of a run.
    """
    path = Path(folder) / 'config.yaml'
    try:
        settings = parse_yaml(read_text(path), str(path)).value
    except OSError as error:
        raise DataError(f'{path}: {error.strerror or error}') from None
    known = settings_of(settings.get('task')) if isinstance(settings, dict) else {}
    if not known or not set(settings) <= set(known):
        raise DataError(f'{path}: not the settings of a run')
    return {name: value for name, value in settings.items() if known[name].metadata['in_files']}


def read_metrics(folder: PathLike) -> List[Dict[str, Any]]:
    """The records in the ``metrics.jsonl`` of a run; a line that a crash cut off is left out."""
    path = Path(folder) / 'metrics.jsonl'
    records = []
    for line in path.read_text(encoding='utf-8').splitlines() if path.is_file() else []:
        with suppress(ValueError, RecursionError):
            records.append(json.loads(line))
    return records

"""Folders for results: a command that fails leaves none that it made."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator

from .types import PathLike


@contextmanager
def made_folder(path: PathLike) -> Iterator[Path]:
    """A folder to write to, made with its parents where it does not exist.

    Args:
        path: path of the folder.

    Yields:
        The folder. If the block raises an error, the folders that were made are removed, unless something is in them.
    """
    folder = Path(path)
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except BaseException:
        for each in missing:  # the innermost first
            with suppress(OSError):  # it is not empty, or was not made
                each.rmdir()
        raise

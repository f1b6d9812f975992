"""Folders for results: a command that fails leaves none that it made."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterable, Iterator

from .errors import TransferError, UsageError
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


@contextmanager
def temporary_folder(parent: PathLike, prefix: str) -> Iterator[Path]:
    """A folder that is removed at the end, also if a signal arrives while it is made.

    ``tempfile.TemporaryDirectory`` leaves the folder of a signal between its making and the beginning of the block.

    Args:
        parent: the folder in which it is made.
        prefix: the beginning of its name.

    Yields:
        The folder, which only the user of the process can read.
    """
    folder = Path(parent) / f'{prefix}{os.getpid()}-{os.urandom(6).hex()}'
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(str(folder), ignore_errors=True)


def refuse_unwritable(folder: PathLike) -> None:
    """Refuse a folder in which no file can be made; call it before the work that makes the contents of one.

    A file without a name is made and closed, since the permissions of a folder do not tell what its file system takes.

    Args:
        folder: the folder, which exists or will be made with its parents.

    Raises:
        TransferError: it or a folder above it is a file, or takes no files.
    """
    import tempfile  # here, since it takes a twentieth of the start-up of ``cbam``

    above = next(each for each in (Path(folder), *Path(folder).parents) if os.path.lexists(each))
    if not above.is_dir():
        raise TransferError(f'{above} is no folder, so that {folder} cannot be made: write to another place')
    try:
        with tempfile.TemporaryFile(dir=str(above)):
            pass
    except OSError as error:
        raise TransferError(f'no file can be made in {above}: {error.strerror}: write to another place') from error


def refuse_missing_folders(paths: Iterable[PathLike]) -> None:
    """Refuse files whose folders do not exist; call it before the work that makes their contents.

    Args:
        paths: the files that will be written, by writers that make no folders.

    Raises:
        UsageError: the folder of one does not exist; the message names both.
    """
    for path in paths:
        folder = Path(path).parent
        if not folder.is_dir():
            raise UsageError(f'{path} cannot be written: there is no folder {str(folder)!r}: make it first')

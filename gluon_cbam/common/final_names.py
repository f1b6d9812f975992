"""Errors of files that are written under a temporary name: they give the final name."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from .types import PathLike


@contextmanager
def naming(temporary: PathLike, path: PathLike) -> Iterator[None]:
    """Let the errors of a block name the final path where they would name a temporary one.

    Args:
        temporary: the temporary file or folder.
        path: the path that users know.

    Raises:
        Exception: what the block raises, of the same class.
    """
    name, final = str(temporary), str(path)
    try:
        yield
    except OSError as error:
        if name in str(error.filename):
            raise about(error, error.filename2 or str(error.filename).replace(name, final)) from None
        _reword(error, name, final)
        raise
    except Exception as error:
        _reword(error, name, final)
        raise


def about(error: OSError, path: PathLike) -> OSError:
    """The same error of the operating system, of another path.

    Args:
        error: the error.
        path: the path that its message will have.
    """
    return type(error)(error.errno, error.strerror, str(path))


def _reword(error: Exception, name: str, path: str) -> None:
    """Put another path into the message of an error."""
    error.args = tuple(part.replace(name, path) if isinstance(part, str) else part for part in error.args)

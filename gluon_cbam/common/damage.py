"""Errors of reading a file, whatever library reads it: damage is a DataError that names the file.

The readers of a damaged file raise errors of many classes: an offset outside a zip archive is an OSError, as a failing
disk is, a size that does not fit an OverflowError or a MemoryError, a deep structure a RecursionError.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import Callable, Iterator, Optional, Union

from .errors import CbamError, DataError, TransferError
from .quoting import shown_name

_OF_CONTENT = (None, errno.EINVAL, errno.EOVERFLOW, errno.ESPIPE)
"""The numbers of an OSError that an offset or a size in a file causes; libraries raise it without a number."""
_MOST = 160  # characters of another library's message


class Damaged(ValueError):
    """The reason why a file is damaged or refused, a part of a message; :func:`reading` adds the file."""


def reason(error: Exception) -> Optional[str]:
    """Why a file could not be read, a part of a message.

    Args:
        error: what a library raised while it read the file.

    Returns:
        The reason; None for an error that says nothing about the contents: one of the disk.
    """
    if isinstance(error, OSError) and error.errno not in _OF_CONTENT:
        return None
    if isinstance(error, Damaged):
        return str(error)
    if isinstance(error, OSError) and error.errno is not None:
        return 'an offset or a size in it lies outside the file'
    text = str(error).strip().splitlines()
    return type(error).__name__ + (f': {shown_name(text[0].strip(), _MOST)}' if text else '')


@contextmanager
def reading(path: object, what: Union[str, Callable[[str], str]] = 'a damaged file') -> Iterator[None]:
    """Turn the errors of the libraries that read a file into errors of this package.

    Args:
        path: the path of the file, for the message.
        what: what is wrong with it, for instance ``not an .npz file``; or what makes the message of the reason.

    Raises:
        DataError: the block raised an error that the contents of the file cause, whatever its class.
        TransferError: the disk failed, and the error did not name the file.
    """
    try:
        yield
    except CbamError:
        raise
    except Exception as error:
        why = reason(error)
        if why is not None:
            text = what(why) if callable(what) else f'{what}: {why}'
            raise DataError(f'{path}: {text}') from error
        if isinstance(error, OSError) and error.filename is None:
            raise TransferError(f'{path}: {error.strerror}') from error
        raise

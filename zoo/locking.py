"""Locks between processes, for every file that several of them make, and one-line errors of the file system.

The system releases the lock of a process that ends, however it ends. What it left is a temporary file, which the next
owner of the lock replaces or resumes.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional

from gluon_cbam.common.errors import CbamError, TransferError
from gluon_cbam.common.files import PathLike

from .card import Published
from .location import root_of

_log = logging.getLogger('zoo')


@contextmanager
def lock(card: Published, root: Optional[PathLike] = None) -> Iterator[None]:
    """Lock the files of a card in the store against other processes and threads. The lock is reentrant.

    Args:
        card: card of the weights.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Raises:
        TransferError: the folder cannot be created or written.
    """
    with lock_file(root_of(root) / card.tag, card.tag, root):
        yield


@contextmanager
def lock_file(path: Path, subject: str, root: Optional[PathLike] = None) -> Iterator[None]:
    """Lock a file that several processes may make, by ``.NAME.lock`` next to it. The lock is reentrant.

    Args:
        path: path of the file, which may not exist; its folder is made.
        subject: what is made, for the message to those who wait.
        root: folder of the store, for messages; default that of the file.

    Raises:
        TransferError: the folder cannot be created or written.
    """
    import filelock

    with writing(root if root is not None else path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        file_lock = filelock.FileLock(str(path.with_name(f'.{path.name}.lock')), is_singleton=True)
        try:
            file_lock.acquire(timeout=1)
        except filelock.Timeout:
            _log.warning('another process is at work on %s: waiting', subject)
            file_lock.acquire()
    try:
        yield
    finally:
        file_lock.release()


@contextmanager
def writing(root: Optional[PathLike] = None) -> Iterator[None]:
    """Turn errors of the file system into a one-line TransferError with a remedy.

    Args:
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Raises:
        TransferError: the block raised an OSError or NotImplementedError.
    """
    try:
        yield
    except CbamError:  # a TransferError is an OSError as well
        raise
    except (OSError, NotImplementedError) as error:  # raised by filelock on file systems without locks
        reason = getattr(error, 'strerror', None) or str(error)
        raise TransferError(f'{root_of(root)}: {reason}: choose another folder with --root or CBAM_HOME') from error

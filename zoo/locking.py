"""One process at a time in the store, and errors of the file system in one line."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import Iterator, Optional

from gluon_cbam.common.errors import CbamError, TransferError
from gluon_cbam.common.files import PathLike

from .card import Published
from .location import root_of

_log = logging.getLogger('zoo')


@contextmanager
def lock(card: Published, root: Optional[PathLike] = None) -> Iterator[None]:
    """Keep other processes and threads from the files of a card in the store. The lock is reentrant.

    Args:
        card: of the weights.
        root: of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Raises:
        TransferError: the folder cannot be made or written.
    """
    import filelock

    folder = root_of(root)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file_lock = filelock.FileLock(str(folder / f'.{card.tag}.lock'), is_singleton=True)
        try:
            file_lock.acquire(timeout=1)
        except filelock.Timeout:
            _log.warning('another process is at work on %s: waiting', card.tag)
            file_lock.acquire()
    try:
        yield
    finally:
        file_lock.release()


@contextmanager
def writing(root: Optional[PathLike] = None) -> Iterator[None]:
    """Turn errors of the file system into a TransferError of one line that names a way out.

    Args:
        root: of the store, see :func:`gluon_cbam.zoo.location.root_of`.
    """
    try:
        yield
    except CbamError:  # a TransferError is an OSError, too
        raise
    except (OSError, NotImplementedError) as error:  # filelock's, for file systems without locks
        reason = getattr(error, 'strerror', None) or str(error)
        raise TransferError(f'{root_of(root)}: {reason}: choose another folder with --root or CBAM_HOME') from error

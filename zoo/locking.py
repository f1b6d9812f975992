"""One process at a time, and errors of the disk in one line."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import Iterator, Optional

from gluon_cbam.common.errors import ZooError
from gluon_cbam.common.files import PathLike

from .card import Published
from .location import root_of

_log = logging.getLogger('zoo')


@contextmanager
def lock(card: Published, root: Optional[PathLike] = None) -> Iterator[None]:
    """Keep other processes and threads from what the store holds of a card; may be taken again inside.

    Raises:
        ZooError: exit code 5 when the folder cannot be made or written.
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
    """Errors of the disk as a ZooError of one line, with exit code 5."""
    try:
        yield
    except (OSError, NotImplementedError) as error:  # filelock's, for file systems without locks
        reason = getattr(error, 'strerror', None) or str(error)
        raise ZooError(
            f'{root_of(root)}: {reason}: choose another folder with --root or CBAM_HOME', exit_code=5
        ) from error

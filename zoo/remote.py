"""Remote registries: their texts, copied to the store by one process at a time."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Callable, Optional, Set, Tuple

from gluon_cbam.common.documents import read_text
from gluon_cbam.common.errors import TransferError

from .locking import lock_file, writing

MAX_BYTES = 2**24
"""Largest size of a registry."""

_RECENT = 60.0  # seconds for which a copy that was made since this process began is as new as it can ask for
_asked: Set[str] = set()  # URLs that this process has asked for


def text_at(url: str, root: Path, offline: bool, check: Callable[[str, str], object]) -> str:
    """The text of a remote registry; a copy is kept in the store.

    Of processes that begin together, one downloads it: the others take a copy that was completed since they began, or
    while they waited for the lock.

    Args:
        url: http or https.
        root: folder of the store.
        offline: whether to take the copy, however old it is.
        check: called with a downloaded text and the URL; raises an error for a damaged one, which is not kept.

    Returns:
        The text.

    Raises:
        DataError: the server sent something else than a registry.
        TransferError: the download or the disk failed, or there is no copy and downloads are disabled.
    """
    copy = root / 'registries' / f'{hashlib.sha256(url.encode()).hexdigest()[:16]}.yaml'
    if offline and not copy.is_file():
        raise TransferError(f'{url}: offline, and no copy of this registry is in {root}')
    first = url not in _asked
    _asked.add(url)
    if not offline and not (first and _is_new(copy)):
        before = _identity(copy)
        with lock_file(copy, url, root):
            if before == _identity(copy) and not (first and _is_new(copy)):
                _download(url, copy, root, check)
    return read_text(copy, MAX_BYTES)


def _download(url: str, copy: Path, root: Path, check: Callable[[str, str], object]) -> None:
    """Replace the copy; the caller has the lock."""
    from .download import download, forget

    part = copy.with_suffix('.part')
    with writing(root):
        try:
            forget(part)  # of a process that was killed
            download(url, part, MAX_BYTES)
            check(read_text(part, MAX_BYTES), url)
            os.replace(str(part), str(copy))
        finally:
            forget(part)


def _identity(path: Path) -> Optional[Tuple[int, int]]:
    """What changes when a file is replaced; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _is_new(copy: Path) -> bool:
    """Whether a copy was completed since this process began, and recently."""
    identity = _identity(copy)
    return identity is not None and max(_begin(), time.time() - _RECENT) <= identity[1] / 1e9 <= time.time()


def _begin() -> float:
    """The time at which this process began; now if the system does not tell."""
    try:
        ticks = float(Path('/proc/self/stat').read_text().rpartition(')')[2].split()[19])  # proc(5): starttime
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf('SC_CLK_TCK')
    except (OSError, AttributeError, ValueError, IndexError):
        return time.time()
    return time.time() - age

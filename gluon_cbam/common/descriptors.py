"""File descriptors, on systems with and without the calls of POSIX. Imports the standard library only."""

from __future__ import annotations

import os
import threading
from pathlib import Path

READ_FLAGS = os.O_RDONLY
"""Flags to open any file for reading: of bytes, without waiting for the other end of a pipe, not inherited."""
for _name in ('O_NONBLOCK', 'O_CLOEXEC', 'O_BINARY'):  # Windows has the last one only
    READ_FLAGS |= getattr(os, _name, 0)
_seeking = threading.Lock()


def read_at(descriptor: int, length: int, position: int) -> bytes:
    """Read at a position, from several threads at once: ``os.pread``, which Windows does not have.

    Args:
        descriptor: of a file that is open for reading in binary mode, whose own position nobody uses.
        length: the number of bytes.
        position: offset of the first one.

    Returns:
        The bytes; fewer at the end of the file.
    """
    if hasattr(os, 'pread'):
        return os.pread(descriptor, length, position)
    with _seeking:
        os.lseek(descriptor, position, os.SEEK_SET)
        return os.read(descriptor, length)


def sync(path: Path) -> None:
    """Write a file, or the names in a folder, from memory to the disk.

    Windows syncs only what is open for writing, and opens no folders, whose names it writes itself.
    """
    posix = hasattr(os, 'O_DIRECTORY')
    if not posix and path.is_dir():
        return
    descriptor = os.open(str(path), os.O_RDONLY if posix else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Full disks: a small file system where mounting is permitted, and a limit on the size of files everywhere."""

import resource
import signal
import subprocess
from contextlib import contextmanager

import pytest


@contextmanager
def files_up_to(size):
    """No file that this process writes grows beyond a number of bytes: writing fails with EFBIG, as a quota does."""
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@contextmanager
def small_disk(folder, size):
    """An empty file system of this size at a new folder; the test is skipped where mounting is not permitted."""
    folder.mkdir()
    command = ['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs', str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(str(error))
    if mounted.returncode:
        pytest.skip(mounted.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(['umount', '--lazy', str(folder)], check=True)

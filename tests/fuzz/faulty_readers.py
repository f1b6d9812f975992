"""Readers with a fault each, which the harness must notice; case 2 of each is the damage that shows it."""

import os
import signal
from pathlib import Path
from typing import NamedTuple

from gluon_cbam.common.errors import DataError


def crash(path):
    os.kill(os.getpid(), signal.SIGSEGV)


def take_memory(path):
    len(b'x' * (5 << 28))
    raise DataError(f'{path}: damaged')


def loop_in_system_calls(path):
    while True:
        os.getpid()


def raise_another_kind(path):
    raise KeyError(str(path))


def name_no_file(path):
    raise DataError('damaged')


def give_two_lines(path):
    raise DataError(f'{path}: damaged\nreally')


def name_another_exit_code(path):
    raise OSError(5, 'Input/output error', str(path))


class Reader(NamedTuple):
    """A row of :data:`READERS`, as in readers.py."""

    name: str
    fault: object

    attacks = (lambda data: data, lambda data: data, lambda data: b'damage', lambda data: data)

    def make(self, folder):
        path = Path(folder) / 'name.bin'
        path.write_bytes(b'intact')
        return path

    def read(self, path):
        if path.read_bytes() != b'intact':
            self.fault(path)


READERS = {
    row.__name__: Reader(row.__name__, row)
    for row in (
        crash, take_memory, loop_in_system_calls, raise_another_kind, name_no_file, give_two_lines,
        name_another_exit_code,
    )
}  # fmt: skip

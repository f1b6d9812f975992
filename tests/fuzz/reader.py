"""A row of the table of readers."""

from pathlib import Path
from typing import Any, Callable, NamedTuple, Sequence


class Reader(NamedTuple):
    """A row of :data:`fuzz.readers.READERS`.

    Attributes:
        name: name of the reader.
        make: writes intact files into a folder and returns the path of the one that is to be damaged.
        read: reads the file.
        attacks: functions from the intact bytes to those of an attack.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    attacks: Sequence[Callable[[bytes], bytes]] = ()


def written(name, write):
    """A ``make`` of one file, from a function that writes it."""

    def make(folder):
        write(folder / name)
        return folder / name

    return make


def of_bytes(name, data):
    """A ``make`` of one file of given bytes."""
    return written(name, lambda path: path.write_bytes(data))

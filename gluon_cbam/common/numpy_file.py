"""Read ``.npz`` files, after a check of their headers: numpy allocates the size that a header states.

An ``.npz`` file is a zip archive of ``.npy`` members: a magic number, the version, the length of the header, the header
as the text of a Python dictionary, and the elements. Source: NEP 1.
"""

from __future__ import annotations

import ast
import math
import re
import struct
import zipfile
from pathlib import Path
from typing import Dict

import numpy as np

from .damage import Damaged, reading
from .quoting import shown, shown_name

_MAGIC = b'\x93NUMPY'
_LENGTHS = {1: '<H', 2: '<I', 3: '<I'}  # version -> the format of the header's length
_MOST_HEADER = 10_000  # bytes; numpy itself reads no longer one
_HEADER = re.compile(
    r"\{'descr': (?P<descr>.+), 'fortran_order': (?:True|False), "
    r"'shape': (?P<shape>\((?:\d{1,18}, ?)*(?:\d{1,18})?\)),? ?\}"
)
_EXPANSION, _EXPANSION_RATE = 256 << 20, 20  # bytes, and a multiple of the file's, that the arrays may take


def is_numpy(path: Path) -> bool:
    """Whether a zip archive holds arrays of numpy.

    Args:
        path: the path of the archive.

    Raises:
        DataError: the archive is damaged.
    """
    with reading(path, 'a damaged zip archive'), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        return bool(names) and all(name.endswith('.npy') for name in names)


def read(path: Path) -> Dict[str, np.ndarray]:
    """Read the arrays of a file.

    Args:
        path: the path of the file.

    Returns:
        Name -> array.

    Raises:
        DataError: the file is damaged, holds pickled objects, or expands to much more than its size.
    """
    with reading(path, 'not an .npz file of arrays'):
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total, size = sum(member.file_size for member in members), path.stat().st_size
            if total > _EXPANSION + _EXPANSION_RATE * size:
                raise Damaged(f'{size} bytes that state to expand to {total}')
            for member in members:
                _check(archive, member)
        with np.load(str(path), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}


def _check(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Compare the shape in the header of an array with the bytes that follow it."""
    what = shown_name(member.filename)
    with archive.open(member) as file:
        begin = file.read(8)
        if begin[:6] != _MAGIC or begin[6] not in _LENGTHS:
            raise Damaged(f'{what} is no array')
        layout = _LENGTHS[begin[6]]
        (length,) = struct.unpack(layout, file.read(struct.calcsize(layout)))
        if length > _MOST_HEADER:
            raise Damaged(f'{what} has a header of {length} bytes')
        header = _HEADER.fullmatch(file.read(length).decode('latin-1').strip())
    if not header:
        raise Damaged(f'the header of {what} cannot be read')
    element = np.dtype(ast.literal_eval(header['descr']))
    shape = ast.literal_eval(header['shape'])
    stated = math.prod(shape) * element.itemsize
    present = member.file_size - len(begin) - struct.calcsize(layout) - length
    if not element.hasobject and stated != present:
        raise Damaged(f'{what} of shape {shown(shape)} needs {stated} bytes and has {present}')

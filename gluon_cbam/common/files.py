"""Reading and writing files. A crash during writing leaves the old file or the new one, never a part of it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, Union

PathLike = Union[str, 'os.PathLike[str]']
_TEMPORARY = '.part'
_SHOWN = 40  # letters of the final name in a temporary one


@contextmanager
def atomic_path(path: PathLike) -> Iterator[Path]:
    """A temporary path in the folder of ``path``; if the block ends without an error, it is synced and renamed to it.

    Args:
        path: the final name. Its folder must exist.

    Yields:
        The path to write to. It is removed if the block raises an error.
    """
    path = Path(path)
    try:
        # the name is cut, since a temporary one is longer, and a file system takes 255 bytes at most
        prefix = f'.{path.name[:_SHOWN]}.'
        descriptor, name = tempfile.mkstemp(dir=str(path.parent), prefix=prefix, suffix=_TEMPORARY)
    except OSError as error:
        raise _about(error, path) from None
    os.close(descriptor)
    temporary = Path(name)
    try:
        with naming(temporary, path):
            yield temporary
            place(temporary, path)
    finally:
        if temporary.exists():
            temporary.unlink()


@contextmanager
def naming(temporary: PathLike, path: PathLike) -> Iterator[None]:
    """Let the errors of a block name the final path where they would name a temporary one.

    Args:
        temporary: the temporary file or folder.
        path: the path that users know.

    Raises:
        Exception: what the block raises, of the same class.
    """
    name, final = str(temporary), str(path)
    try:
        yield
    except OSError as error:
        if name in str(error.filename):
            raise _about(error, error.filename2 or str(error.filename).replace(name, final)) from None
        _reword(error, name, final)
        raise
    except Exception as error:
        _reword(error, name, final)
        raise


def _about(error: OSError, path: PathLike) -> OSError:
    """The same error of the operating system, of another path."""
    return type(error)(error.errno, error.strerror, str(path))


def _reword(error: Exception, name: str, path: str) -> None:
    """Put another path into the message of an error."""
    error.args = tuple(part.replace(name, path) if isinstance(part, str) else part for part in error.args)


def place(temporary: Path, path: PathLike) -> None:
    """Give a finished file its final name: the file is synced, and has the permissions of an ordinary new file.

    Args:
        temporary: the finished file.
        path: the final name, on the same file system.
    """
    path = Path(path)
    _sync(temporary)
    umask = os.umask(0)
    os.umask(umask)
    temporary.chmod(0o666 & ~umask)  # mkstemp made it private
    os.replace(temporary, path)
    _sync(path.parent)


def remove_temporaries(folder: PathLike) -> None:
    """Remove the temporary files that killed writers left in a folder.

    Args:
        folder: the folder. No process may be writing to it.
    """
    for path in Path(folder).glob(f'.*{_TEMPORARY}'):
        path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(str(path), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: PathLike, text: str) -> None:
    """Write a text file atomically, in UTF-8.

    Args:
        path: path of the file. An existing file is replaced; the folder must exist.
        text: the whole content.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding='utf-8')


def write_json(path: PathLike, value: Any) -> None:
    """Write a JSON file atomically, in UTF-8.

    Args:
        path: path of the file. An existing file is replaced; the folder must exist.
        value: any value that :mod:`json` can write.
    """
    write_text(path, json.dumps(value, indent=1) + '\n')


def sha256(path: PathLike) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Args:
        path: path of the file.
    """
    return digests(path, ('sha256',))['sha256']


def digests(path: PathLike, algorithms: Iterable[str] = ('sha1', 'sha256')) -> Dict[str, str]:
    """Hashes of a file; the file is read once.

    Args:
        path: path of the file.
        algorithms: names as in :mod:`hashlib`.

    Returns:
        Algorithm -> hash, in hexadecimal.
    """
    hashes = {name: hashlib.new(name) for name in algorithms}
    with open(path, 'rb') as file:
        for chunk in iter(lambda: file.read(1 << 20), b''):
            for digest in hashes.values():
                digest.update(chunk)
    return {name: digest.hexdigest() for name, digest in hashes.items()}

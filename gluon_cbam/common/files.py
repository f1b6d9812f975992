"""Reading and writing files. A crash during writing leaves the old file or the new one, never a part of it."""

from __future__ import annotations

import errno
import io
import json
import os
import stat
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any, AnyStr, Dict, Iterable, Iterator, List, Optional

from .descriptors import READ_FLAGS, sync
from .errors import CbamError, DataError, TransferError, UsageError
from .final_names import about, naming
from .folders import refuse_unwritable
from .types import OpenablePath, PathLike

_TEMPORARY = '.part'
_KINDS = {stat.S_IFIFO: 'a pipe', stat.S_IFCHR: 'a device', stat.S_IFBLK: 'a device'}
_LINE = 1 << 20  # bytes or characters of a line at most
_SHOWN = 40  # letters of the final name in a temporary one, which is longer: a file system takes 255 bytes at most


@contextmanager
def atomic_path(path: PathLike) -> Iterator[Path]:
    """A temporary path in the folder of ``path``; if the block ends without an error, it is synced and renamed to it.

    Args:
        path: the final name. Its folder must exist.

    Yields:
        The path to write to. It is removed if the block raises an error.

    Raises:
        TransferError: see :func:`disk_errors`.
    """
    with atomic_paths(path) as (temporary,):
        yield temporary


@contextmanager
def atomic_paths(*paths: PathLike) -> Iterator[List[Path]]:
    """Temporary paths for files that belong together: all are written before the first gets its final name.

    Args:
        *paths: the final names. The last file describes the others: an old one is removed before they are replaced.

    Yields:
        The paths to write to. They are removed if the block raises an error.

    Raises:
        TransferError: see :func:`disk_errors`.
    """
    finals = [Path(path) for path in paths]
    temporaries: List[Path] = []
    try:
        with disk_errors(finals[0]), ExitStack() as stack:
            for final in finals:
                # known before it is made: a signal may end the block in between
                temporaries.append(final.parent / f'.{final.name[:_SHOWN]}.{os.urandom(8).hex()}{_TEMPORARY}')
                _make(temporaries[-1], final)
                stack.enter_context(naming(temporaries[-1], final))
            yield temporaries
            for temporary in temporaries:
                sync(temporary)
            if len(finals) > 1 and finals[-1].exists():
                finals[-1].unlink()
            for temporary, final in zip(temporaries, finals):
                _rename(temporary, final)
    finally:
        for temporary in temporaries:
            if temporary.exists():
                temporary.unlink()


def _make(temporary: Path, path: Path) -> None:
    """Make an empty file that this user alone may read and that was not there."""
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise about(error, path) from None


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LEFT = '; nothing of it is left, older files are unchanged: free some space, or choose another place'


@contextmanager
def disk_errors(path: PathLike) -> Iterator[None]:
    """Turn errors of a full disk, and errors that name no file, into one that names the file that was not written.

    Args:
        path: the final name of the file that the block writes.

    Raises:
        TransferError: the disk is full, a quota or limit is reached, or writing failed.
    """
    try:
        yield
    except (CbamError, BrokenPipeError):
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise TransferError(f'{path} was not written: {error.strerror}{_LEFT}') from error
        if error.errno is None or error.filename is not None:
            raise
        raise TransferError(f'{path} was not written: {error.strerror}') from error


def place(temporary: Path, path: PathLike) -> None:
    """Give a finished file its final name: the file is synced, and has the permissions of an ordinary new file.

    Args:
        temporary: the finished file.
        path: the final name, on the same file system.

    Raises:
        TransferError: see :func:`disk_errors`.
    """
    path = Path(path)
    with disk_errors(path):
        sync(temporary)
        _rename(temporary, path)


def _rename(temporary: Path, path: Path) -> None:
    umask = os.umask(0)
    os.umask(umask)
    temporary.chmod(0o666 & ~umask)  # it was made private
    os.replace(temporary, path)
    sync(path.parent)


def append_line(path: PathLike, line: str) -> None:
    """Append a line to a text file by one write, so that a reader of the growing file sees whole lines only.

    Args:
        path: path of the file, in UTF-8; made if it does not exist.
        line: the line, without its end.

    Raises:
        TransferError: it was not written; the file is as it was.
    """
    content = f'{line}\n'.encode('utf-8', 'backslashreplace')
    with disk_errors(path), open(path, 'ab', buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            written = file.write(content)
            if written < len(content):  # the disk is full: the next write says so
                file.write(content[written:])
        except OSError:
            os.ftruncate(file.fileno(), size)
            raise


def refuse_existing(paths: Iterable[PathLike], overwrite: bool = False) -> None:
    """Refuse to write over files and folders, and below files; call it before the work that makes their contents.

    Args:
        paths: the files that will be written, in folders that exist or will be made.
        overwrite: whether they may exist.

    Raises:
        UsageError: one exists, or is a folder; the message names it.
        TransferError: a folder above one is a file or takes no files, as the disk would say while it is written.
    """
    paths = list(paths)
    for path in paths:
        if not overwrite and os.path.lexists(path):
            raise UsageError(f'{path} exists: write to another place, or give --force to overwrite it')
        if os.path.isdir(path):
            raise UsageError(f'{path} is a folder, where a file is to be written: write to another place')
        above = next((folder for folder in Path(path).parents if os.path.lexists(folder)), None)
        if above is not None and not above.is_dir():
            raise TransferError(f'{above} is no folder, so that {path} cannot be written: write to another place')
    for folder in dict.fromkeys(Path(path).parent for path in paths):
        refuse_unwritable(folder)


def remove_temporaries(folder: PathLike, name: Optional[str] = None) -> None:
    """Remove the temporary files that killed writers left in a folder.

    Args:
        folder: the folder. No process may be writing to it, or to the file of this name in it.
        name: only those of a file of this name; default all.
    """
    from glob import escape

    if name is not None and len(name) > _SHOWN:
        return  # temporary names have a part of it, which other names may share
    for path in Path(folder).glob(f'.*{_TEMPORARY}' if name is None else f'.{escape(name)}.*{_TEMPORARY}'):
        path.unlink()


def open_regular(path: OpenablePath) -> IO[bytes]:
    """Open a file that must be a regular one, for reading.

    Reading from a pipe may wait for ever, and a device such as ``/dev/zero`` may have no end.

    Args:
        path: path of the file.

    Returns:
        The open file.

    Raises:
        DataError: it is a pipe or a device.
        OSError: it cannot be opened, or is a folder.
    """
    if not isinstance(path, (str, os.PathLike)):
        return path.open_regular()
    descriptor = os.open(str(path), READ_FLAGS)
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind == stat.S_IFREG:
        return os.fdopen(descriptor, 'rb')
    os.close(descriptor)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise DataError(f'{path}: {_KINDS.get(kind, "a special file")}, not a regular file')


def read_regular(path: OpenablePath, limit: int) -> bytes:
    """Read a regular file.

    Args:
        path: path of the file.
        limit: the largest number of bytes that it may have.

    Returns:
        The whole content.

    Raises:
        DataError: it is a pipe or a device, or larger.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        size = _size(file)
        content = file.read(size + 1) if size <= limit else b''  # Python allocates what it is asked to read
        if size < len(content):  # it grows, or the system does not know its size
            content += file.read(limit + 1 - len(content))
    if max(size, len(content)) > limit:
        raise DataError(f'{path}: larger than the {limit} bytes that it may have')
    return content


def _size(file: IO[bytes]) -> int:
    """The size of an open file that was not read yet; a part of another file has no descriptor of its own."""
    try:
        return os.fstat(file.fileno()).st_size
    except io.UnsupportedOperation:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        return size


def lines(file: IO[AnyStr], name: object) -> Iterator[AnyStr]:
    """The lines of an open file, of bounded length.

    Args:
        file: the file, binary or of text.
        name: its name, for the message.

    Yields:
        The lines, each with its end.

    Raises:
        DataError: a line is longer than 1 MiB.
    """
    for number in count(1):
        line = file.readline(_LINE + 1)
        if not line:
            return
        if len(line) > _LINE:
            raise DataError(f'{name}: line {number} is longer than {_LINE}: this is no list')
        yield line


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
        algorithms: names as in ``hashlib``.

    Returns:
        Algorithm -> hash, in hexadecimal.
    """
    import hashlib  # here, since it takes a twentieth of the start-up of ``cbam``

    hashes = {name: hashlib.new(name) for name in algorithms}
    with open(path, 'rb') as file:
        for chunk in iter(lambda: file.read(1 << 20), b''):
            for digest in hashes.values():
                digest.update(chunk)
    return {name: digest.hexdigest() for name, digest in hashes.items()}

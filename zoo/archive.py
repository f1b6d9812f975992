"""Extracting one file from an untrusted zip file."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path
from typing import Iterator, Optional

from gluon_cbam.common.damage import reason
from gluon_cbam.common.errors import CbamError, DataError, TransferError
from gluon_cbam.common.quoting import shown, shown_name

from .conditions import is_safe_member

_MAX_READ = 1 << 23  # bytes of a list of members, which is read at once: some 100,000 members
_CHUNK = 1 << 20


def extract(path: Path, member: str, output: Path, max_bytes: int, source: str) -> None:
    """Extract one member of a zip file.

    Args:
        path: path of the zip file.
        member: name of the member.
        output: path to write it to; after an error, the caller removes the file.
        max_bytes: maximum size of the unpacked member.
        source: URL or path of the zip file, for messages.

    Raises:
        DataError: the file is not a zip file or is damaged; a name in it points outside of the folder; the member is
            missing, present twice, a link or encrypted; or it is larger than ``max_bytes``.
        TransferError: the archive cannot be read.
        OSError: the output cannot be written.
    """
    with open(output, 'wb') as file:
        for chunk in _chunks(path, member, max_bytes, source):
            file.write(chunk)


def _chunks(path: Path, member: str, max_bytes: int, source: str) -> Iterator[bytes]:
    """The content of a member, in pieces of bounded size."""
    try:
        with _BoundedReads(io.FileIO(str(path))) as file, zipfile.ZipFile(file) as archive:
            info = _member(archive, member, source)
            if info.file_size > max_bytes:
                raise DataError(
                    f'{source}: {member} unpacks to {info.file_size} bytes, more than the {max_bytes} it may have'
                )
            with archive.open(info) as packed:  # ends at the stated size, and then checks the CRC
                yield from iter(lambda: packed.read(_CHUNK), b'')
    except CbamError:
        raise
    except Exception as error:  # zipfile and what unpacks members raise errors of many classes
        if reason(error) is None:  # of the disk
            raise TransferError(f'{source}: {getattr(error, "strerror", None) or error}') from error
        text = shown_name(str(error) or type(error).__name__)
        raise DataError(f'{source}: not a zip, or a damaged one ({text})') from error


class _BoundedReads(io.BufferedReader):
    """A file that no header can make a reader read into memory as a whole."""

    def read(self, size: Optional[int] = -1) -> bytes:
        """At most so many bytes, all with -1 or None; an error where they are too many."""
        whole = size is None or not 0 <= size <= _MAX_READ
        content = super().read(_MAX_READ + 1 if whole else size)
        if len(content) > _MAX_READ:
            raise zipfile.BadZipFile(f'more than {_MAX_READ} bytes of names')
        return content


def _member(archive: zipfile.ZipFile, member: str, source: str) -> zipfile.ZipInfo:
    """The entry of a member; checks all names of the archive first."""
    entries = archive.infolist()
    for entry in entries:
        if not is_safe_member(entry.filename):
            raise DataError(f'{source}: holds {shown(entry.filename)}, which leaves the folder: refused')
    found = [entry for entry in entries if entry.filename == member]
    if len(found) != 1:
        names = ', '.join(shown_name(entry.filename) for entry in entries[:5]) or 'nothing'
        raise DataError(f'{source}: holds {names} and not once {member}')
    (entry,) = found
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or entry.is_dir():
        raise DataError(f'{source}: {member} is a link or a folder, not a file')
    if entry.flag_bits & 1:
        raise DataError(f'{source}: {member} is encrypted')
    return entry

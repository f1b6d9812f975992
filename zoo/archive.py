"""Extracting one file from an untrusted zip file."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path

from gluon_cbam.common.errors import DataError

from .conditions import is_safe_member


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
    """
    try:
        with zipfile.ZipFile(str(path)) as archive:
            info = _member(archive, member, source)
            if info.file_size > max_bytes:
                raise DataError(
                    f'{source}: {member} unpacks to {info.file_size} bytes, more than the {max_bytes} it may have'
                )
            with archive.open(info) as packed, open(output, 'wb') as file:
                shutil.copyfileobj(packed, file, 1 << 20)  # ends at the stated size, and then checks the CRC
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(f'{source}: not a zip, or a damaged one ({error or type(error).__name__})') from error


def _member(archive: zipfile.ZipFile, member: str, source: str) -> zipfile.ZipInfo:
    """The entry of a member; checks all names of the archive first."""
    entries = archive.infolist()
    for entry in entries:
        if not is_safe_member(entry.filename):
            raise DataError(f'{source}: holds {entry.filename!r}, which leaves the folder: refused')
    found = [entry for entry in entries if entry.filename == member]
    if len(found) != 1:
        names = ', '.join(entry.filename for entry in entries[:5]) or 'nothing'
        raise DataError(f'{source}: holds {names} and not once {member}')
    (entry,) = found
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or entry.is_dir():
        raise DataError(f'{source}: {member} is a link or a folder, not a file')
    if entry.flag_bits & 1:
        raise DataError(f'{source}: {member} is encrypted')
    return entry

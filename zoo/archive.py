"""One file out of a zip that nobody vouches for."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path

from gluon_cbam.common.errors import ZooError

from .card import safe_member


def unzip(path: Path, member: str, output: Path, most: int, called: str) -> None:
    """Unpack one member.

    Args:
        path: of the zip.
        member: its name in the zip.
        output: where it is written; the caller removes it after an error.
        most: bytes that it may have.
        called: what the message calls the zip.

    Raises:
        ZooError: it is no zip or a damaged one, a name of it leaves the folder, the member is missing, there twice, a
            link or encrypted, or it has more than ``most`` bytes.
    """
    try:
        with zipfile.ZipFile(str(path)) as archive:
            info = _member(archive, member, called)
            if info.file_size > most:
                raise ZooError(
                    f'{called}: {member} unpacks to {info.file_size} bytes, more than the {most} it may have'
                )
            with archive.open(info) as packed, open(output, 'wb') as file:
                shutil.copyfileobj(packed, file, 1 << 20)  # which ends at the stated size, and then checks the CRC
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ZooError(f'{called}: not a zip, or a damaged one ({error or type(error).__name__})') from error


def _member(archive: zipfile.ZipFile, member: str, called: str) -> zipfile.ZipInfo:
    entries = archive.infolist()
    for entry in entries:
        if not safe_member(entry.filename):
            raise ZooError(f'{called}: holds {entry.filename!r}, which leaves the folder: refused')
    found = [entry for entry in entries if entry.filename == member]
    if len(found) != 1:
        names = ', '.join(entry.filename for entry in entries[:5]) or 'nothing'
        raise ZooError(f'{called}: holds {names} and not once {member}')
    (entry,) = found
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or entry.is_dir():
        raise ZooError(f'{called}: {member} is a link or a folder, not a file')
    if entry.flag_bits & 1:
        raise ZooError(f'{called}: {member} is encrypted')
    return entry

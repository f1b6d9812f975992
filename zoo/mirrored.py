"""A file that several servers have, downloaded from the first that gives it with the right hashes."""

from __future__ import annotations

from pathlib import Path
from typing import List, Mapping, Optional, Sequence

from gluon_cbam.common.errors import CbamError, DataError, TransferError
from gluon_cbam.common.files import digests

from . import download
from .location import Progress, is_offline


def fetch_mirrored(
    urls: Sequence[str], path: Path, hashes: Mapping[str, str], size: int, progress: Optional[Progress] = None
) -> None:
    """Download a file.

    Args:
        urls: http or https, in the order in which they are tried.
        path: path to write to; its folder must exist.
        hashes: algorithm, as in ``hashlib`` -> hash that the file must have, in hexadecimal.
        size: the size of the file in bytes, the most that is downloaded.
        progress: see :data:`.location.Progress`.

    Raises:
        DataError: every server that was reached gave another file.
        TransferError: no server gave it, or downloads are disabled by CBAM_ZOO_OFFLINE.
        OSError: the file cannot be written.
    """
    if is_offline():
        raise TransferError(f'{path.name} is not here, and offline nothing is downloaded (CBAM_ZOO_OFFLINE)')
    failures: List[CbamError] = []
    for url in urls:
        try:
            download.download(url, path, size, progress=progress)
            found = digests(path, hashes)
            wrong = next((name for name in hashes if found[name] != hashes[name]), None)
            if wrong is None:
                return
            raise DataError(f'{url}: the {wrong} is {found[wrong]}, not {hashes[wrong]}')
        except CbamError as error:
            failures.append(error)
            download.forget(path)
    reasons = '; '.join(map(str, failures))
    raise type(min(failures, key=lambda failure: failure.exit_code))(reasons)

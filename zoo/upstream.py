"""Upstream files: the files that our parameter files are converted from, downloaded once and compared with their card.

The folder ``originals`` of the store has ``TAG.*`` with ``TAG.json``, which states hashes, size and URL. During a
download, the store contains ``.TAG.part``.
"""

from __future__ import annotations

import logging
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Type
from urllib.parse import urlsplit

from gluon_cbam.common.documents import read_json
from gluon_cbam.common.errors import CbamError, DataError, TransferError, UsageError
from gluon_cbam.common.files import PathLike, atomic_path, digests, remove_temporaries, write_json

from .archive import extract
from .card import Published
from .conditions import is_safe_member
from .location import Progress, is_offline, mirrors, root_of
from .locking import lock, writing

_log = logging.getLogger('zoo')


class UpstreamFile(NamedTuple):
    """A local upstream file.

    Attributes:
        path: path of the unpacked file.
        sha256: SHA-256 of the file.
        bytes: size of the file.
        url: URL that it was downloaded from, or path that it was added from.
    """

    path: Path
    sha256: str
    bytes: int
    url: Optional[str] = None

    @property
    def address(self) -> Optional[str]:
        """The old name of ``url``, for one release."""
        warnings.warn('UpstreamFile.address is now UpstreamFile.url', DeprecationWarning, stacklevel=2)
        return self.url


def fetch(
    card: Published,
    root: Optional[PathLike] = None,
    offline: Optional[bool] = None,
    progress: Optional[Progress] = None,
) -> UpstreamFile:
    """Get the upstream file of a card: from the store, else from the first URL with a file that matches the card.

    If its publisher states no hash, the hash of the first download is recorded, and later downloads must match it.

    Args:
        card: card of the weights.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.
        offline: see :func:`gluon_cbam.zoo.location.is_offline`.
        progress: see :data:`gluon_cbam.zoo.location.Progress`.

    Returns:
        The file in the store.

    Raises:
        UsageError: the card has no URL.
        DataError: the downloaded file does not match the card.
        TransferError: the download or the disk failed, or the file is not local and downloads are disabled.
    """
    folder = root_of(root)
    found = _stored(card, folder)
    if found:
        return found
    urls = _urls(card)
    if not urls:
        raise UsageError(f'{card.tag} has no URL to download from, and no file in {folder}')
    if is_offline(offline):
        urls = [url for url in urls if not urlsplit(url).scheme]
    if not urls:
        raise TransferError(f'{card.tag} is not in {folder}, and offline nothing is downloaded: {_without_urls(card)}')
    with lock(card, root), writing(folder):
        return _stored(card, folder) or _from_urls(card, folder, urls, progress)


def _urls(card: Published) -> List[str]:
    """The URLs of the upstream file of a card; URLs on mirrors come first."""
    if not card.original:
        return []
    names = [_file_name(url, card.original.name) for url in card.original.addresses]
    mirrored = [f'{mirror.rstrip("/")}/{name}' for mirror in mirrors() for name in dict.fromkeys(names)]
    return [*mirrored, *card.original.addresses]


def _file_name(url: str, default: str) -> str:
    """The file name in a URL; the default for a URL with a query."""
    parts = urlsplit(url)
    return default if parts.query else parts.path.rpartition('/')[2]


def _from_urls(card: Published, folder: Path, urls: List[str], progress: Optional[Progress]) -> UpstreamFile:
    """Download from the first URL with a file that matches the card."""
    from . import download

    part = folder / f'.{card.tag}.part'
    failures: List[CbamError] = []
    for url in urls:
        downloaded = False
        try:
            if not urlsplit(url).scheme:
                return take(card, _file_of_registry(card, url), url, folder)
            download.download(url, part, card.max_download, progress=progress)
            downloaded = True
            upstream = take(card, part, url, folder, move=True)
        except CbamError as error:
            failures.append(error)
            if downloaded or isinstance(error, DataError):
                download.forget(part)
        except OSError:  # the disk may be full because of the part
            download.forget(part)
            raise
        else:
            download.forget(part)
            return upstream
    raise _combined_error(card, failures)


def _combined_error(card: Published, failures: List[CbamError]) -> CbamError:
    """One error for the failures of all URLs, of the class with the lowest exit code."""
    kind: Type[CbamError] = type(min(failures, key=lambda failure: failure.exit_code))
    reasons = '; '.join(str(failure) for failure in failures)
    message = reasons if len(failures) == 1 else f'no URL gave the file of {card.tag}: {reasons}'
    if kind is TransferError:
        message += f': {_without_urls(card)}'
    return kind(message)


def _without_urls(card: Published) -> str:
    """What to do where the URLs of a card cannot be reached."""
    return (
        f"run 'cbam zoo get {card.tag}' on a machine that is online, copy its files, and run "
        f"'cbam zoo add FILE {card.tag}' here; or name a mirror in CBAM_ZOO_MIRROR, or give --params FILE"
    )


def _file_of_registry(card: Published, url: str) -> Path:
    """The path of a relative URL, in the folder of the registry or below it."""
    path = Path(card.folder or '.') / url
    if card.folder is None or not is_safe_member(url) or not os.path.isfile(path):  # raises no error for odd names
        raise UsageError(f'{card.tag}: no file {url!r} next to its registry in {card.folder}')
    if path.stat().st_size > card.max_download:
        raise DataError(f'{path}: the file is larger than the {card.max_download} bytes that it may have')
    return path


def take(card: Published, file: Path, source: str, root: Optional[PathLike] = None, move: bool = False) -> UpstreamFile:
    """Compare a file with the upstream file of a card, and add it to the store.

    Args:
        card: card of the weights.
        file: path of the file, an archive as at the URLs of the card, or unpacked.
        source: URL or path of the file, for messages and the record.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.
        move: whether to move the file; by default, it is copied.

    Returns:
        The file in the store.

    Raises:
        DataError: the file does not match the card.
    """
    final = upstream_path(card, root_of(root))
    final.parent.mkdir(exist_ok=True)
    for path in (final, final.with_suffix('.json')):
        remove_temporaries(path.parent, path.name)
    with atomic_path(final) as temporary:
        if card.original and _is_packed(card, file):
            extract(file, card.original.member or card.original.name, temporary, card.max_bytes, source)
        elif move:
            os.replace(str(file), str(temporary))
        else:
            with open(temporary, 'wb') as copy:
                for piece in _pieces(file, source):
                    copy.write(piece)
        found, size = digests(temporary), temporary.stat().st_size
        if card.upstream_bytes not in (None, size):
            raise DataError(f'{source}: {size} bytes, not {card.upstream_bytes} (the card of {card.tag})')
        _compare(card, found, _expected(card, final), source)
    write_json(final.with_suffix('.json'), {'tag': card.tag, **found, 'bytes': size, 'address': source})
    return UpstreamFile(final, found['sha256'], size, source)


def _pieces(file: Path, source: str) -> Iterator[bytes]:
    """The content of a file; an error of reading it is one of this file, and not of the store."""
    try:
        with open(file, 'rb') as opened:
            yield from iter(lambda: opened.read(1 << 20), b'')
    except OSError as error:
        raise TransferError(f'{source}: {error.strerror or error}') from error


def forget(card: Published, root: Optional[PathLike] = None) -> None:
    """Remove the upstream file of a card from the store, and its recorded hash.

    Args:
        card: card of the weights.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Raises:
        TransferError: a file cannot be removed.
    """
    path = upstream_path(card, root_of(root))
    with writing(root):
        for file in (path, path.with_suffix('.json')):
            file.unlink(missing_ok=True)


def upstream_path(card: Published, folder: Path) -> Path:
    """The path of the upstream file of a card in the store; the file may not exist.

    Args:
        card: card of the weights.
        folder: folder of the store.

    Returns:
        The path.
    """
    name = card.original.name if card.original else 'x.params'
    return folder / 'originals' / f'{card.tag}{Path(name).suffix}'


def _is_packed(card: Published, file: Path) -> bool:
    """Whether a file is the archive with the upstream file; any other file is found out by its hash."""
    packed = card.original is not None and card.original.archive == 'zip'
    return packed and (zipfile.is_zipfile(str(file)) or not card.hashes)


def _expected(card: Published, path: Path) -> Dict[str, str]:
    """The expected hashes of an upstream file: from the card, else the recorded hash of the first download."""
    record = path.with_suffix('.json')
    if card.hashes or not record.exists():
        return card.hashes
    sha256 = _record(path).get('sha256')
    if not isinstance(sha256, str):
        raise DataError(f'{record} is damaged: cbam zoo remove {card.tag}, which forgets the hash it holds')
    return {'sha256': sha256}


def _record(path: Path) -> Dict[str, Any]:
    """The record of an upstream file; empty if it is damaged."""
    try:
        record = read_json(path.with_suffix('.json'))
    except DataError:
        return {}
    return record if isinstance(record, dict) else {}


def _compare(card: Published, found: Dict[str, str], expected: Dict[str, str], source: str) -> None:
    """Raise a DataError if a hash differs."""
    source_of_hash = f'the card of {card.tag}' if card.hashes else f'the first file of {card.tag} had'
    for algorithm, digest in expected.items():
        if found[algorithm] != digest:
            raise DataError(f'{source}: the {algorithm} is {found[algorithm]}, not {digest} ({source_of_hash})')


def _stored(card: Published, folder: Path) -> Optional[UpstreamFile]:
    """The upstream file of a card in the store; a damaged file counts as missing, and a warning is logged."""
    path = upstream_path(card, folder)
    if not path.is_file() or not path.with_suffix('.json').is_file():
        return None
    found = digests(path)
    try:
        _compare(card, found, _expected(card, path), str(path))
    except DataError as error:
        _log.warning('%s: not used', error)
        return None
    return UpstreamFile(path, found['sha256'], path.stat().st_size, _record(path).get('address'))

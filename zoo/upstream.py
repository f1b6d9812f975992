"""Originals: the files that weights come from, downloaded once and compared with their card.

The store keeps them in ``originals``: ``TAG.*`` with ``TAG.json``, which says what it was and where it came from. While
a download is under way there is ``.TAG.part`` in the store.
"""

from __future__ import annotations

import logging
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional
from urllib.parse import urlsplit

from gluon_cbam.common.errors import ZooError
from gluon_cbam.common.files import PathLike, atomic_path, digests, read_json, write_json

from .archive import unzip
from .card import Published, safe_member
from .location import is_offline, mirrors, root_of
from .locking import lock, writing

_log = logging.getLogger('zoo')


class Original(NamedTuple):
    """The file that a card's weights come from.

    Attributes:
        path: of the file, unpacked.
        sha256: of it.
        bytes: its size.
        address: where it came from, or the path that it was added from.
    """

    path: Path
    sha256: str
    bytes: int
    address: Optional[str] = None


def fetch(
    card: Published,
    root: Optional[PathLike] = None,
    offline: Optional[bool] = None,
    progress: Optional[Callable] = None,
) -> Original:
    """The original of a card: from the store, else from the first address that gives the file of the card.

    Where its publisher gives no hash, that of the first download is kept beside it, and later ones must have it.

    Args:
        card: of the weights.
        root: as of :func:`gluon_cbam.zoo.location.root_of`.
        offline: as of :func:`gluon_cbam.zoo.location.is_offline`.
        progress: as of :data:`gluon_cbam.zoo.download.Progress`.

    Raises:
        ZooError: as of :func:`get`.
    """
    folder = root_of(root)
    found = _kept(card, folder)
    if found:
        return found
    addresses = _addresses(card)
    if not addresses:
        raise ZooError(f'{card.tag} has no address to download from, and no file in {folder}', exit_code=2)
    if is_offline(offline):
        addresses = [address for address in addresses if not urlsplit(address).scheme]
    if not addresses:
        raise ZooError(
            f'{card.tag} is not in {folder}, and offline nothing is downloaded: cbam zoo add FILE {card.tag}', 5
        )
    with lock(card, root), writing(folder):
        return _kept(card, folder) or _from_addresses(card, folder, addresses, progress)


def _addresses(card: Published) -> List[str]:
    """Where to look for the original of a card, the mirrors first."""
    if not card.original:
        return []
    names = [_file_name(card, address) for address in card.original.addresses]
    mirrored = [f'{mirror.rstrip("/")}/{name}' for mirror in mirrors() for name in dict.fromkeys(names)]
    return [*mirrored, *card.original.addresses]


def _file_name(card: Published, address: str) -> str:
    """The name of the file at an address; an address with a query has none, there the card says it."""
    parts = urlsplit(address)
    return card.original.name if parts.query else parts.path.rpartition('/')[2]


def _from_addresses(card: Published, folder: Path, addresses: List[str], progress) -> Original:
    from . import download

    part = folder / f'.{card.tag}.part'
    failures: List[ZooError] = []
    for address in addresses:
        try:
            if not urlsplit(address).scheme:
                return keep(card, _beside_registry(card, address), address, folder)
            download.download(address, part, card.most_bytes, progress=progress)
            original = keep(card, part, address, folder, move=True)
        except ZooError as error:
            failures.append(error)
            if error.exit_code == 4:
                download.forget(part)
        except OSError:  # the disk: the part may be what filled it
            download.forget(part)
            raise
        else:
            download.forget(part)
            return original
    if len(failures) == 1:
        raise failures[0]
    said = '; '.join(str(failure) for failure in failures)
    raise ZooError(f'no address gave the file of {card.tag}: {said}', min(failure.exit_code for failure in failures))


def _beside_registry(card: Published, address: str) -> Path:
    """The file of a relative address, in the folder of the registry or below."""
    path = Path(card.folder or '.') / address
    if card.folder is None or not safe_member(address) or not path.is_file():
        raise ZooError(f'{card.tag}: no file {address!r} beside its registry in {card.folder}', 2)
    return path


def keep(card: Published, file: Path, called: str, root: Optional[PathLike] = None, move: bool = False) -> Original:
    """Compare a file with the original of a card, and take it into the store.

    Args:
        card: of the weights.
        file: packed as the addresses of the card give it, or already unpacked.
        called: its address or path, for messages and the record.
        root: as of :func:`gluon_cbam.zoo.location.root_of`.
        move: whether the file may go.

    Raises:
        ZooError: it is not the original of the card.
    """
    final = original_path(card, root_of(root))
    final.parent.mkdir(exist_ok=True)
    with atomic_path(final) as temporary:
        if _is_packed(card, file):
            unzip(file, card.original.member or card.original.name, temporary, card.most_bytes, called)
        else:
            (os.replace if move else shutil.copyfile)(str(file), str(temporary))
        found, size = digests(temporary), temporary.stat().st_size
        if card.original_bytes not in (None, size):
            raise ZooError(f'{called}: {size} bytes, not {card.original_bytes} (the card of {card.tag})')
        _compare(card, found, _expected(card, final), called)
    write_json(final.with_suffix('.json'), {'tag': card.tag, **found, 'bytes': size, 'address': called})
    return Original(final, found['sha256'], size, called)


def forget(card: Published, root: Optional[PathLike] = None) -> None:
    """Remove the original of a card, and the hash that was kept of it."""
    path = original_path(card, root_of(root))
    with writing(root):
        for file in (path, path.with_suffix('.json')):
            file.unlink(missing_ok=True)


def original_path(card: Published, folder: Path) -> Path:
    """Where the original of a card is in the store, if it is."""
    name = card.original.name if card.original else 'x.params'
    return folder / 'originals' / f'{card.tag}{Path(name).suffix}'


def _is_packed(card: Published, file: Path) -> bool:
    """Whether a file is the archive that the original comes in; its hash tells if it is neither."""
    packed = card.original is not None and card.original.archive == 'zip'
    return packed and (zipfile.is_zipfile(str(file)) or not card.hashes)


def _expected(card: Published, path: Path) -> Dict[str, str]:
    """The hashes that an original must have: the publisher's, else that of the first one that came here."""
    record = path.with_suffix('.json')
    if card.hashes or not record.exists():
        return card.hashes
    sha256 = _record(path).get('sha256')
    if not isinstance(sha256, str):
        raise ZooError(f'{record} is damaged: cbam zoo remove {card.tag}, which forgets the hash it holds')
    return {'sha256': sha256}


def _record(path: Path) -> Dict[str, Any]:
    """What was noted of an original; nothing where the note is damaged."""
    try:
        record = read_json(path.with_suffix('.json'))
    except ZooError:
        return {}
    return record if isinstance(record, dict) else {}


def _compare(card: Published, found: Dict[str, str], expected: Dict[str, str], called: str) -> None:
    who = f'the card of {card.tag}' if card.hashes else f'the first file of {card.tag} had'
    for algorithm, wanted in expected.items():
        if found[algorithm] != wanted:
            raise ZooError(f'{called}: the {algorithm} is {found[algorithm]}, not {wanted} ({who})')


def _kept(card: Published, folder: Path) -> Optional[Original]:
    """The original of a card that is in the store already; a damaged one is none, and the log warns."""
    path = original_path(card, folder)
    if not path.is_file() or not path.with_suffix('.json').is_file():
        return None
    found = digests(path)
    try:
        _compare(card, found, _expected(card, path), str(path))
    except ZooError as error:
        _log.warning('%s: not used', error)
        return None
    return Original(path, found['sha256'], path.stat().st_size, _record(path).get('address'))

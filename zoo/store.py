"""The store: a folder of originals and of our parameter files, which many processes share.

For a tag there are ``TAG.params`` with its card ``TAG.json``; ``originals/TAG.*``, the file that was downloaded or
added, with ``originals/TAG.json``, which says what it was; while a download is under way ``.TAG.part``; ``.TAG.lock``.
A file has its final name only when it is whole and was compared with its card.
"""

from __future__ import annotations

import json
import logging
import shutil
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional
from urllib.parse import urlsplit

from .archive import unzip
from .card import Card, Published
from .errors import ZooError
from .files import PathLike, atomic_path, digests, sha256, write_text
from .location import is_offline, mirrors, root_of

_log = logging.getLogger('zoo')

SHIPPED = Path(__file__).parent / 'files'
"""The parameter files that come with this package."""


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


def get(
    card: Published,
    root: Optional[PathLike] = None,
    offline: Optional[bool] = None,
    progress: Optional[Callable] = None,
    convert: Optional[Callable[[Published, Original], Path]] = None,
) -> Path:
    """The parameter file of a card: from the store, else downloaded, converted where it must be, and placed there.

    Args:
        card: of the weights.
        root: as of :func:`zoo.location.root_of`.
        offline: as of :func:`zoo.location.is_offline`.
        progress: as of :data:`zoo.download.Progress`.
        convert: writes our parameter file from the original and returns its path, for cards with a ``conversion``.

    Raises:
        ZooError: exit code 4 when what came is not what the card says, 5 when the network or the disk failed.
    """
    found = cached(card, root)
    if found:
        return found
    with lock(card, root):
        found = cached(card, root)  # another process may have been faster
        if found:
            return found
        original = fetch(card, root, offline, progress)
        if card.conversion != 'none':
            return place(card, convert(card, original), original, root)
        path = place(card, original.path, original, root)
        with writing(root):
            for copy in (original.path, original.path.with_suffix('.json')):
                copy.unlink()
        return path


def cached(card: Published, root: Optional[PathLike] = None) -> Optional[Path]:
    """The parameter file of a card, if the store or this package has it; compared with the card beside it.

    A damaged file of the store is none: the log warns, and :func:`get` replaces it.

    Raises:
        ZooError: the file that came with this package is damaged.
    """
    path = root_of(root) / f'{card.tag}.params'
    if path.is_file():
        problem = _problem(card, path)
        if not problem:
            return path
        _log.warning('%s: not used', problem)
    path = SHIPPED / f'{card.tag}.params'
    problem = _problem(card, path) if path.is_file() else None
    if problem:
        raise ZooError(f'{problem}: install the package again')
    return path if path.is_file() else None


def is_cached(card: Published, root: Optional[PathLike] = None) -> bool:
    """Whether the parameter file of a card is there, without reading it."""
    return any((folder / f'{card.tag}.params').is_file() for folder in (root_of(root), SHIPPED))


def file_of(card: Published, root: Optional[PathLike] = None) -> Path:
    """As :func:`cached`, for those who need the file.

    Raises:
        ZooError: it is not there, or damaged.
    """
    path = cached(card, root)
    if path is None:
        raise ZooError(f'{card.tag} is not in {root_of(root)}: cbam zoo get {card.tag}', exit_code=2)
    return path


def _problem(card: Published, path: Path) -> Optional[str]:
    """Why a parameter file is not that of its card, or None."""
    try:
        beside = read_card(path)
    except ZooError as error:
        return str(error)
    found = sha256(path)
    for wanted, who in ((beside.sha256, 'the card beside it'), (card.sha256, f'the card of {card.tag}')):
        if wanted not in (None, found):
            return f'{path} has the SHA-256 {found}, {who} says {wanted}: the file is damaged'
    return None if beside.tag == card.tag else f'{path} is of {beside.tag}, not of {card.tag}'


def read_card(path: Path) -> Card:
    """The card beside a parameter file; nothing is compared.

    Raises:
        ZooError: there is none, or a damaged one.
    """
    beside = path.with_suffix('.json')
    return Card.from_dict(_read_json(beside), str(beside))


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
        root: as of :func:`zoo.location.root_of`.
        offline: as of :func:`zoo.location.is_offline`.
        progress: as of :data:`zoo.download.Progress`.

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
    from .download import download, forget

    part = folder / f'.{card.tag}.part'
    failures: List[ZooError] = []
    for address in addresses:
        if not urlsplit(address).scheme:
            raise ZooError(f'{card.tag}: the address {address!r} is relative: give the registry by its address', 2)
        try:
            download(address, part, card.most_bytes, progress=progress)
            original = keep(card, part, address, folder)
        except ZooError as error:
            failures.append(error)
            if error.exit_code == 4:
                forget(part)
        except OSError:  # the disk: the part may be what filled it
            forget(part)
            raise
        else:
            forget(part)
            return original
    if len(failures) == 1:
        raise failures[0]
    said = '; '.join(str(failure) for failure in failures)
    raise ZooError(f'no address gave the file of {card.tag}: {said}', min(failure.exit_code for failure in failures))


def keep(card: Published, file: Path, called: str, root: Optional[PathLike] = None, unpack: bool = True) -> Original:
    """Compare a file with the original of a card, and take a copy of it into the store.

    Args:
        card: of the weights.
        file: as it was downloaded or added.
        called: its address or path, for messages and the record.
        root: as of :func:`zoo.location.root_of`.
        unpack: whether it is packed, if the card says that its addresses give an archive.

    Raises:
        ZooError: it is not the original of the card.
    """
    final = _original_path(card, root_of(root))
    final.parent.mkdir(exist_ok=True)
    with atomic_path(final) as temporary:
        if unpack and card.original and card.original.archive == 'zip':
            unzip(file, card.original.member or card.original.name, temporary, card.most_bytes, called)
        else:
            shutil.copyfile(str(file), str(temporary))
        found = digests(temporary)
        _compare(card, found, _expected(card, final), called)
    size = final.stat().st_size
    record = {'tag': card.tag, 'name': final.name, **found, 'bytes': size, 'address': called, 'date': _now()}
    write_text(final.with_suffix('.json'), json.dumps(record, indent=1) + '\n')
    return Original(final, found['sha256'], size, called)


def _original_path(card: Published, folder: Path) -> Path:
    name = card.original.name if card.original else 'x.params'
    return folder / 'originals' / f'{card.tag}{Path(name).suffix}'


def _expected(card: Published, path: Path) -> Dict[str, str]:
    """The hashes that an original must have: the publisher's, else that of the first one that came here."""
    record = path.with_suffix('.json')
    if card.hashes or not record.exists():
        return card.hashes
    try:
        return {'sha256': _read_json(record)['sha256']}
    except (LookupError, TypeError):
        raise ZooError(f'{record} is damaged: cbam zoo remove {card.tag}, which forgets the hash it holds') from None


def _compare(card: Published, found: Dict[str, str], expected: Dict[str, str], called: str) -> None:
    who = f'the card of {card.tag}' if card.hashes else f'the first file of {card.tag} had'
    for algorithm, wanted in expected.items():
        if found[algorithm] != wanted:
            raise ZooError(f'{called}: the {algorithm} is {found[algorithm]}, not {wanted} ({who})')


def _kept(card: Published, folder: Path) -> Optional[Original]:
    """The original of a card that is in the store already; a damaged one is none, and the log warns."""
    path = _original_path(card, folder)
    record = path.with_suffix('.json')
    if not path.is_file() or not record.is_file():
        return None
    found = digests(path)
    try:
        _compare(card, found, _expected(card, path), str(path))
    except ZooError as error:
        _log.warning('%s: not used', error)
        return None
    return Original(path, found['sha256'], path.stat().st_size, _read_json(record).get('address'))


def place(card: Published, path: PathLike, original: Original, root: Optional[PathLike] = None) -> Path:
    """Copy our parameter file of a card into the store, with a card of its own that says what it was made from.

    Args:
        card: of the weights.
        path: our parameter file.
        original: that it was made from.
        root: as of :func:`zoo.location.root_of`.

    Returns:
        Its path in the store.

    Raises:
        ZooError: exit code 4 when its hash is not that of the card, 5 when the disk failed.
    """
    return place_with(card, path, _provenance(card, original), root)


def place_with(card: Published, path: PathLike, provenance: Dict[str, Any], root: Optional[PathLike] = None) -> Path:
    """As :func:`place`, for an original that only its provenance tells."""
    final = root_of(root) / f'{card.tag}.params'
    with lock(card, root), writing(root):
        with atomic_path(final) as temporary:
            shutil.copyfile(str(path), str(temporary))
            found, size = sha256(temporary), temporary.stat().st_size
            if card.sha256 not in (None, found):
                raise ZooError(f'{path}: the sha256 is {found}, not {card.sha256} (the card of {card.tag})')
        beside = card.beside(found, size, provenance)
        write_text(final.with_suffix('.json'), json.dumps(beside.as_dict(), indent=1) + '\n')
    return final


def _provenance(card: Published, original: Original) -> Dict[str, Any]:
    from importlib import metadata

    try:
        version = metadata.version('gluon_cbam')
    except metadata.PackageNotFoundError:
        version = 'unknown'
    return {
        'original': card.original.name if card.original else original.path.name,
        **digests(original.path),
        'bytes': original.bytes,
        'address': original.address,
        'conversion': card.conversion,
        'gluon_cbam': version,
        'date': _now(),
    }


def remove(tag: str, root: Optional[PathLike] = None) -> List[Path]:
    """Remove what the store holds of a tag, the hash of a first download included.

    Returns:
        The files that were removed.

    Raises:
        ZooError: exit code 2 when there is nothing, 5 when the disk failed.
    """
    folder = root_of(root)
    found = [*folder.glob(f'{tag}.params'), *folder.glob(f'{tag}.json')]
    found += [path for path in (folder / 'originals').glob(f'{tag}.*') if path.stem == tag]
    found += [*folder.glob(f'.{tag}.part'), *folder.glob(f'.{tag}.part.json')]
    if not found:
        raise ZooError(f'nothing of {tag} is in {folder}', exit_code=2)
    with writing(folder):
        for path in found:
            path.unlink()
    return found


@contextmanager
def lock(card: Published, root: Optional[PathLike] = None) -> Iterator[None]:
    """Keep other processes and threads from what the store holds of a card; may be taken again inside.

    Raises:
        ZooError: exit code 5 when the folder cannot be made or written.
    """
    import filelock

    folder = root_of(root)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file_lock = filelock.FileLock(str(folder / f'.{card.tag}.lock'), is_singleton=True)
        try:
            file_lock.acquire(timeout=1)
        except filelock.Timeout:
            _log.warning('another process is at work on %s: waiting', card.tag)
            file_lock.acquire()
    try:
        yield
    finally:
        file_lock.release()


@contextmanager
def writing(root: Optional[PathLike] = None) -> Iterator[None]:
    """Errors of the disk as a ZooError of one line, with exit code 5."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ZooError(
            f'{root_of(root)}: {reason}: choose another folder with --root or CBAM_HOME', exit_code=5
        ) from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise ZooError(f'{path} is missing') from None
    except ValueError as error:
        raise ZooError(f'{path}: not JSON ({error})') from None


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec='seconds')

"""The store: a folder of originals and of our parameter files, which many processes share.

For a tag there are ``TAG.params`` with its card ``TAG.json``, what :mod:`gluon_cbam.zoo.upstream` keeps of it, and ``.TAG.lock``.
A file has its final name only when it is whole and was compared with its card.
"""

from __future__ import annotations

import logging
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from gluon_cbam.common.errors import ZooError
from gluon_cbam.common.files import PathLike, atomic_path, digests, read_json, sha256, write_json

from .card import Card, Published
from .location import root_of
from .locking import lock, writing
from .upstream import Original, fetch, forget

_log = logging.getLogger('zoo')

SHIPPED = Path(__file__).parent / 'files'
"""The parameter files that come with this package."""


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
        root: as of :func:`gluon_cbam.zoo.location.root_of`.
        offline: as of :func:`gluon_cbam.zoo.location.is_offline`.
        progress: as of :data:`gluon_cbam.zoo.download.Progress`.
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
        if card.conversion != 'none' and convert is None:
            raise ZooError(f'{card.tag} must be converted: gluon_cbam.pretrained.locate.get does that', exit_code=2)
        original = fetch(card, root, offline, progress)
        if card.conversion != 'none':
            return place(card, convert(card, original), original, root)
        path = place(card, original.path, original, root)
        forget(card, root)
        return path


def cached(card: Published, root: Optional[PathLike] = None) -> Optional[Path]:
    """The parameter file of a card, if the store or this package has it; compared with the card beside it.

    A damaged file of the store is none: the log warns, and :func:`get` replaces it.

    Raises:
        ZooError: the file that came with this package is damaged.
    """
    path = root_of(root) / f'{card.tag}.params'
    if path.is_file():
        problem = problem_of(card, path)
        if not problem:
            return path
        _log.warning('%s: not used', problem)
    path = SHIPPED / f'{card.tag}.params'
    problem = problem_of(card, path) if path.is_file() else None
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


def problem_of(card: Published, path: Path) -> Optional[str]:
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
    return Card.from_dict(read_json(beside), str(beside))


def place(card: Published, path: PathLike, original: Original, root: Optional[PathLike] = None) -> Path:
    """Copy our parameter file of a card into the store, with a card of its own that says what it was made from.

    Args:
        card: of the weights.
        path: our parameter file.
        original: that it was made from.
        root: as of :func:`gluon_cbam.zoo.location.root_of`.

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
        write_json(final.with_suffix('.json'), card.beside(found, size, provenance).as_dict())
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
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
    }


def remove(tag: str, root: Optional[PathLike] = None) -> List[Path]:
    """Remove what the store holds of a tag, the hash of a first download included.

    Returns:
        The files that were removed.

    Raises:
        ZooError: exit code 2 when there is nothing, 5 when the disk failed.
    """
    folder = root_of(root)
    found = [path for ending in ('params', 'json', 'verified.json') for path in folder.glob(f'{tag}.{ending}')]
    found += [path for path in (folder / 'originals').glob(f'{tag}.*') if path.stem == tag]
    found += [*folder.glob(f'.{tag}.part'), *folder.glob(f'.{tag}.part.json')]
    if not found:
        raise ZooError(f'nothing of {tag} is in {folder}', exit_code=2)
    with writing(folder):
        for path in found:
            path.unlink(missing_ok=True)  # another process may have been faster
    return found

"""The store: a folder of upstream files and of our parameter files, which many processes share.

For a tag it has ``TAG.params`` with its card ``TAG.json``, the files of :mod:`.upstream`, and ``.TAG.lock``. A file
gets its final name when it is complete and was compared with its card.
"""

from __future__ import annotations

import logging
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from gluon_cbam.common.errors import CbamError, DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_path, digests, read_json, sha256, write_json

from .card import Card, Published
from .location import Progress, root_of
from .locking import lock, writing
from .upstream import UpstreamFile, fetch, forget

_log = logging.getLogger('zoo')

SHIPPED = Path(__file__).parent / 'files'
"""The parameter files that come with this package: all of the project in a checkout, the small ones in a wheel."""


def get(
    card: Published,
    root: Optional[PathLike] = None,
    offline: Optional[bool] = None,
    progress: Optional[Progress] = None,
    convert: Optional[Callable[[Published, UpstreamFile], Path]] = None,
) -> Path:
    """The parameter file of a card: from the store, else downloaded, converted if necessary, and placed there.

    Args:
        card: of the weights.
        root: of the store, see :func:`gluon_cbam.zoo.location.root_of`.
        offline: see :func:`gluon_cbam.zoo.location.is_offline`.
        progress: see :data:`gluon_cbam.zoo.location.Progress`.
        convert: writes our parameter file from the upstream file and returns its path, for cards with a ``conversion``.

    Returns:
        The path of the file.

    Raises:
        UsageError: the card has no URL, or needs ``convert``.
        DataError: what was downloaded is not the file of the card.
        TransferError: the network or the disk failed, or the file would have to be downloaded offline.
    """
    found = cached(card, root)
    if found:
        return found
    with lock(card, root):
        found = cached(card, root)  # another process may have been faster
        if found:
            return found
        if card.conversion == 'none':
            upstream = fetch(card, root, offline, progress)
            path = place(card, upstream.path, upstream, root)
            forget(card, root)
            return path
        if convert is None:
            raise UsageError(f'{card.tag} must be converted: gluon_cbam.get_model and cbam zoo get do that')
        upstream = fetch(card, root, offline, progress)
        return place(card, convert(card, upstream), upstream, root)


def cached(card: Published, root: Optional[PathLike] = None) -> Optional[Path]:
    """The parameter file of a card, if the store or this package has it and it agrees with its cards.

    A damaged file of the store counts as missing: a warning is logged, and :func:`get` replaces it.

    Args:
        card: of the weights.
        root: of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        Its path, or None.

    Raises:
        DataError: the file that came with this package is damaged.
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
        raise DataError(f'{problem}: install the package again')
    return path if path.is_file() else None


def is_cached(card: Published, root: Optional[PathLike] = None) -> bool:
    """Whether there is a parameter file of a card, without reading it.

    Args:
        card: of the weights.
        root: of the store, see :func:`gluon_cbam.zoo.location.root_of`.
    """
    return any((folder / f'{card.tag}.params').is_file() for folder in (root_of(root), SHIPPED))


def file_of(card: Published, root: Optional[PathLike] = None) -> Path:
    """The parameter file of a card, which must be in the store or in this package.

    Args:
        card: of the weights.
        root: of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        Its path.

    Raises:
        UsageError: it is not there, or the one in the store is damaged.
        DataError: the file that came with this package is damaged.
    """
    path = cached(card, root)
    if path is None:
        raise UsageError(f'{card.tag} is not in {root_of(root)}: cbam zoo get {card.tag}')
    return path


def problem_of(card: Published, path: Path) -> Optional[str]:
    """The reason why a parameter file does not agree with its cards.

    Args:
        card: of the weights.
        path: of the parameter file; its JSON card is next to it.

    Returns:
        A line that names the file, or None if it agrees.
    """
    try:
        own = read_card(path)
    except CbamError as error:
        return str(error)
    found = sha256(path)
    for expected, who in ((own.sha256, 'the card next to it'), (card.sha256, f'the card of {card.tag}')):
        if expected not in (None, found):
            return f'{path} has the SHA-256 {found}, {who} says {expected}: the file is damaged'
    return None if own.tag == card.tag else f'{path} is of {own.tag}, not of {card.tag}'


def read_card(path: Path) -> Card:
    """The card next to a parameter file; nothing is compared.

    Args:
        path: of the parameter file.

    Returns:
        The card of the JSON file with the same name.

    Raises:
        DataError: there is none, or it is damaged.
    """
    file = path.with_suffix('.json')
    return Card.from_dict(read_json(file), str(file))


def place(card: Published, path: PathLike, original: UpstreamFile, root: Optional[PathLike] = None) -> Path:
    """Copy our parameter file of a card into the store, with a JSON card that states its provenance.

    Args:
        card: of the weights.
        path: our parameter file.
        original: the upstream file that it was made from.
        root: of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        Its path in the store.

    Raises:
        DataError: its hash is not that of the card.
        TransferError: the disk failed.
    """
    return place_with(card, path, _provenance(card, original), root)


def place_with(card: Published, path: PathLike, provenance: Dict[str, Any], root: Optional[PathLike] = None) -> Path:
    """Copy our parameter file of a card into the store.

    Args:
        card: of the weights.
        path: our parameter file.
        provenance: for its JSON card, see :class:`gluon_cbam.zoo.card.Card`.
        root: of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        Its path in the store.

    Raises:
        DataError: its hash is not that of the card.
        TransferError: the disk failed.
    """
    final = root_of(root) / f'{card.tag}.params'
    with lock(card, root), writing(root):
        with atomic_path(final) as temporary:
            shutil.copyfile(str(path), str(temporary))
            found, size = sha256(temporary), temporary.stat().st_size
            if card.sha256 not in (None, found):
                raise DataError(f'{path}: the sha256 is {found}, not {card.sha256} (the card of {card.tag})')
        write_json(final.with_suffix('.json'), card.file_card(found, size, provenance).as_dict())
    return final


def _provenance(card: Published, upstream: UpstreamFile) -> Dict[str, Any]:
    """The provenance of a parameter file that is made now."""
    from importlib import metadata

    try:
        version = metadata.version('gluon_cbam')
    except metadata.PackageNotFoundError:
        version = 'unknown'
    return {
        'original': card.original.name if card.original else upstream.path.name,
        **digests(upstream.path),
        'bytes': upstream.bytes,
        'address': upstream.url,
        'conversion': card.conversion,
        'gluon_cbam': version,
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
    }


def remove(tag: str, root: Optional[PathLike] = None) -> List[Path]:
    """Remove all files of a tag from the store, including the recorded hash of a first download.

    Args:
        tag: of the weights.
        root: of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        The files that were removed.

    Raises:
        UsageError: there are none.
        TransferError: the disk failed.
    """
    folder = root_of(root)
    found = [path for ending in ('params', 'json', 'verified.json') for path in folder.glob(f'{tag}.{ending}')]
    found += [path for path in (folder / 'originals').glob(f'{tag}.*') if path.stem == tag]
    found += [*folder.glob(f'.{tag}.part'), *folder.glob(f'.{tag}.part.json')]
    if not found:
        raise UsageError(f'nothing of {tag} is in {folder}')
    with writing(folder):
        for path in found:
            path.unlink(missing_ok=True)  # another process may have been faster
    return found

"""The store: a folder with upstream files and our parameter files, which several processes may use.

For a tag, it has ``TAG.params`` with its card ``TAG.json``, the files of :mod:`.upstream`, and ``.TAG.lock``. A file is
renamed to its final name when it is complete and matches its card.
"""

from __future__ import annotations

import json
import logging
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from gluon_cbam.common.errors import CbamError, DataError, UsageError
from gluon_cbam.common.files import PathLike, atomic_paths, digests, remove_temporaries, sha256

from .card import Published
from .conditions import is_plain_name
from .location import Progress, root_of
from .locking import lock, writing
from .origin import origin_of, other_registry, read_card, refuse_other
from .upstream import UpstreamFile, fetch, forget

_log = logging.getLogger('zoo')

SHIPPED = Path(__file__).parent / 'files'
"""The folder of parameter files in this package: all of this project in a checkout, the small ones in a wheel."""


def get(
    card: Published,
    root: Optional[PathLike] = None,
    offline: Optional[bool] = None,
    progress: Optional[Progress] = None,
    convert: Optional[Callable[[Published, UpstreamFile], Path]] = None,
) -> Path:
    """Get the parameter file of a card: from the store, else downloaded, converted if necessary, and stored.

    Args:
        card: card of the weights.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.
        offline: see :func:`gluon_cbam.zoo.location.is_offline`.
        progress: see :data:`gluon_cbam.zoo.location.Progress`.
        convert: called with the card and the upstream file for cards with a ``conversion``; writes our parameter file
            and returns its path.

    Returns:
        The path of the file.

    Raises:
        UsageError: the card has no URL, or needs ``convert``.
        DataError: the downloaded file does not match the card.
        TransferError: the download or the disk failed, or the file is not local and downloads are disabled.
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
    """The local parameter file of a card, in the store or in this package, if it matches its cards.

    A damaged file in the store counts as missing: a warning is logged, and :func:`get` replaces it.

    Args:
        card: card of the weights.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        Its path; None if there is none.

    Raises:
        DataError: the file in this package is damaged, or the file in the store is another one, from another registry.
    """
    path = root_of(root) / f'{card.tag}.params'
    if path.is_file():
        refuse_other(card, path)
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
    """Whether a parameter file of a card is local; the file is not read.

    Args:
        card: card of the weights.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.
    """
    path = root_of(root) / f'{card.tag}.params'
    in_store = path.is_file() and other_registry(card, path) is None
    return in_store or (SHIPPED / f'{card.tag}.params').is_file()


def file_of(card: Published, root: Optional[PathLike] = None) -> Path:
    """The parameter file of a card, which must be in the store or in this package.

    Args:
        card: card of the weights.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        Its path.

    Raises:
        UsageError: there is no such file, or the one in the store is damaged.
        DataError: the file in this package is damaged.
    """
    path = cached(card, root)
    if path is None:
        raise UsageError(f'{card.tag} is not in {root_of(root)}: cbam zoo get {card.tag}')
    return path


def problem_of(card: Published, path: Path) -> Optional[str]:
    """The reason why a parameter file does not match its cards.

    Args:
        card: card of the weights.
        path: path of the parameter file; its JSON card is next to it.

    Returns:
        One line that names the file; None if the file matches.
    """
    try:
        own = read_card(path)
    except CbamError as error:
        return str(error)
    found = sha256(path)
    for expected, source in ((own.sha256, 'the card next to it'), (card.sha256, f'the card of {card.tag}')):
        if expected not in (None, found):
            return f'{path} has the SHA-256 {found}, {source} says {expected}: the file is damaged'
    return None if own.tag == card.tag else f'{path} is of {own.tag}, not of {card.tag}'


def place(card: Published, path: PathLike, original: UpstreamFile, root: Optional[PathLike] = None) -> Path:
    """Copy our parameter file of a card into the store, with a JSON card that states its provenance.

    Args:
        card: card of the weights.
        path: path of our parameter file.
        original: the upstream file that it was converted from.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        Its path in the store.

    Raises:
        DataError: the hash of the file differs from the card.
        TransferError: the store cannot be written.
    """
    return place_with(card, path, _provenance(card, original), root)


def place_with(card: Published, path: PathLike, provenance: Dict[str, Any], root: Optional[PathLike] = None) -> Path:
    """Copy our parameter file of a card into the store.

    Args:
        card: card of the weights.
        path: path of our parameter file.
        provenance: provenance for its JSON card, see :class:`gluon_cbam.zoo.card.Card`.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        Its path in the store.

    Raises:
        DataError: the hash of the file differs from the card.
        TransferError: the store cannot be written.
    """
    final = root_of(root) / f'{card.tag}.params'
    with lock(card, root), writing(root):
        for file in (final, final.with_suffix('.json')):
            remove_temporaries(file.parent, file.name)
        with atomic_paths(final, final.with_suffix('.json')) as (temporary, card_file):
            shutil.copyfile(str(path), str(temporary))
            found, size = sha256(temporary), temporary.stat().st_size
            if card.sha256 not in (None, found):
                raise DataError(f'{path}: the sha256 is {found}, not {card.sha256} (the card of {card.tag})')
            values = card.file_card(found, size, provenance).as_dict()
            card_file.write_text(json.dumps(values, indent=1) + '\n', encoding='utf-8')
    return final


def _provenance(card: Published, upstream: UpstreamFile) -> Dict[str, Any]:
    """The provenance of a parameter file that is being stored."""
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
        **origin_of(card),
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
    }


def files_of(tag: str, root: Optional[PathLike] = None) -> List[Path]:
    """All files of a tag in the store, also those of a download that is not complete.

    Args:
        tag: tag of the weights.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        The paths of the files; none for what cannot be a tag.
    """
    if not is_plain_name(tag):
        return []
    folder = root_of(root)
    names = [f'{tag}.params', f'{tag}.json', f'{tag}.verified.json']
    originals = [path for path in sorted((folder / 'originals').glob(f'{tag}.*')) if path.stem == tag]
    parts = [folder / f'.{tag}.part', folder / f'.{tag}.part.json']
    return [path for path in (*(folder / name for name in names), *originals, *parts) if path.is_file()]


def remove(tag: str, root: Optional[PathLike] = None) -> List[Path]:
    """Remove all files of a tag from the store, including the recorded hash of a first download.

    Args:
        tag: tag of the weights.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        The files that were removed.

    Raises:
        UsageError: the store has no file of this tag.
        TransferError: a file cannot be removed.
    """
    folder = root_of(root)
    found = files_of(tag, root)
    if not found:
        raise UsageError(f'nothing of {tag} is in {folder}')
    with writing(folder):
        for path in found:
            path.unlink(missing_ok=True)  # another process may have been faster
    return found

"""Verification of local weights: comparison of the files with their cards, and records of measured scores.

``TAG.verified.json`` in the store has the latest scores, and the hash of the parameter file that they are valid for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional

from gluon_cbam.common.documents import read_json
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, digests, write_json

from .card import Published
from .location import root_of
from .locking import writing
from .origin import read_card
from .store import SHIPPED, problem_of
from .upstream import upstream_path


def check(card: Published, root: Optional[PathLike] = None) -> List[Path]:
    """Compare the local files of a card with the card: the parameter files and the upstream file.

    Args:
        card: card of the weights.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        The paths of the files; the first is the parameter file that is used.

    Raises:
        UsageError: there is no local parameter file.
        DataError: a file is damaged.
    """
    folder = root_of(root)
    files = [path for path in (folder / f'{card.tag}.params', SHIPPED / f'{card.tag}.params') if path.is_file()]
    if not files:
        raise UsageError(f'{card.tag} is not in {folder}: cbam zoo get {card.tag}')
    for path in files:
        problem = problem_of(card, path)
        if problem:
            raise DataError(f'{problem}: cbam zoo get {card.tag} replaces it in the store')
    upstream = upstream_path(card, folder)
    if upstream.is_file():
        _check_upstream(card, upstream, (read_card(files[0]).provenance or {}).get('sha256'))
        files.append(upstream)
    return files


def _check_upstream(card: Published, path: Path, sha256: Optional[str]) -> None:
    """Compare an upstream file with the hashes of the card, and with the SHA-256 of the file that was converted."""
    found = digests(path)
    for algorithm, expected in (*card.hashes.items(), ('sha256', sha256)):
        if expected not in (None, found[algorithm]):
            raise DataError(f'{path} has the {algorithm} {found[algorithm]} instead of {expected}: the file is damaged')


def record(card: Published, values: Dict[str, Any], root: Optional[PathLike] = None) -> Path:
    """Store the scores that were measured with the parameter file of a card.

    Args:
        card: card of the weights.
        values: ``params_sha256``, the hash of the measured file, and the scores, as values for JSON.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        The path of the file that was written.

    Raises:
        TransferError: the store cannot be written.
    """
    path = _path(card, root)
    with writing(root):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, values)
    return path


def verified(card: Published, root: Optional[PathLike] = None) -> Optional[Dict[str, Any]]:
    """The scores that were measured with the current parameter file of a card.

    Args:
        card: card of the weights.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        The values given to :func:`record`; None if there are none for this file.
    """
    try:
        values = read_json(_path(card, root))
        files = (folder / f'{card.tag}.params' for folder in (root_of(root), SHIPPED))
        used = next(path for path in files if path.is_file())
        return values if values['params_sha256'] == read_card(used).sha256 else None
    except (OSError, ValueError, LookupError, TypeError, StopIteration):
        return None


def _path(card: Published, root: Optional[PathLike]) -> Path:
    return root_of(root) / f'{card.tag}.verified.json'

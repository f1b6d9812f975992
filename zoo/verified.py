"""Verification of weights on this machine: of their files against their cards, and the scores that were measured here.

``TAG.verified.json`` in the store holds the latest score. It is valid for the parameter file whose hash it states.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, digests, read_json, write_json

from .card import Published
from .location import root_of
from .locking import writing
from .store import SHIPPED, problem_of, read_card
from .upstream import upstream_path


def check(card: Published, root: Optional[PathLike] = None) -> List[Path]:
    """Compare every local file of a card with it: its parameter files and its upstream file.

    Args:
        card: of the weights.
        root: of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        The files; the first is the parameter file that is used.

    Raises:
        UsageError: there is none.
        DataError: one of them is damaged.
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
    """Compare an upstream file with the hashes of the card, and with that of the file that was converted."""
    found = digests(path)
    for algorithm, expected in (*card.hashes.items(), ('sha256', sha256)):
        if expected not in (None, found[algorithm]):
            raise DataError(f'{path} has the {algorithm} {found[algorithm]} instead of {expected}: the file is damaged')


def record(card: Published, values: Dict[str, Any], root: Optional[PathLike] = None) -> Path:
    """Store what was measured with a card's parameter file.

    Args:
        card: of the weights.
        values: ``params_sha256``, the hash of the file that was measured, and the results, as JSON.
        root: of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        The file that was written.

    Raises:
        TransferError: the disk failed.
    """
    path = _path(card, root)
    with writing(root):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, values)
    return path


def verified(card: Published, root: Optional[PathLike] = None) -> Optional[Dict[str, Any]]:
    """What was measured on this machine with the present parameter file of a card.

    Args:
        card: of the weights.
        root: of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        The values given to :func:`record`, or None if there are none for this file.
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

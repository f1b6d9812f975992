"""What was checked here of weights: their files against their cards, and scores that were measured on this machine.

``TAG.verified.json`` in the store holds the latest score; it counts as long as the parameter file is the one it is of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional

from gluon_cbam.common.errors import ZooError
from gluon_cbam.common.files import PathLike, digests, read_json, write_json

from .card import Published
from .location import root_of
from .locking import writing
from .store import SHIPPED, problem_of, read_card
from .upstream import original_path


def check(card: Published, root: Optional[PathLike] = None) -> List[Path]:
    """Compare every file of a card that is here: its parameter files and its original.

    Args:
        card: of the weights.
        root: as of :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        The files, the parameter file that is used first.

    Raises:
        ZooError: exit code 2 when there is none, 4 when one is damaged.
    """
    folder = root_of(root)
    files = [path for path in (folder / f'{card.tag}.params', SHIPPED / f'{card.tag}.params') if path.is_file()]
    if not files:
        raise ZooError(f'{card.tag} is not in {folder}: cbam zoo get {card.tag}', exit_code=2)
    for path in files:
        said = problem_of(card, path)
        if said:
            raise ZooError(f'{said}: cbam zoo get {card.tag} replaces it in the store')
    original = original_path(card, folder)
    if original.is_file():
        _check_original(card, original, (read_card(files[0]).provenance or {}).get('sha256'))
        files.append(original)
    return files


def _check_original(card: Published, path: Path, sha256: Optional[str]) -> None:
    found = digests(path)
    for algorithm, wanted in (*card.hashes.items(), ('sha256', sha256)):
        if wanted not in (None, found[algorithm]):
            raise ZooError(f'{path} has the {algorithm} {found[algorithm]} instead of {wanted}: the file is damaged')


def record(card: Published, values: Dict[str, Any], root: Optional[PathLike] = None) -> Path:
    """Keep what was measured of a card's parameter file.

    Args:
        card: of the weights.
        values: ``params_sha256``, of the file that was measured, and whatever belongs to it, as JSON.
        root: as of :func:`gluon_cbam.zoo.location.root_of`.

    Raises:
        ZooError: the disk failed.
    """
    path = _path(card, root)
    with writing(root):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, values)
    return path


def verified(card: Published, root: Optional[PathLike] = None) -> Optional[Dict[str, Any]]:
    """What was measured here of the parameter file that is here, or None."""
    try:
        values = read_json(_path(card, root))
        files = (folder / f'{card.tag}.params' for folder in (root_of(root), SHIPPED))
        used = next(path for path in files if path.is_file())
        return values if values['params_sha256'] == read_card(used).sha256 else None
    except (OSError, ValueError, LookupError, TypeError, StopIteration):
        return None


def _path(card: Published, root: Optional[PathLike]) -> Path:
    return root_of(root) / f'{card.tag}.verified.json'

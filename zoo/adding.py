"""Files that a user has already, taken into the store without a download."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from gluon_cbam.common.errors import ZooError
from gluon_cbam.common.files import PathLike, sha256

from .card import Published
from .locking import lock, writing
from .store import place, place_with, read_card
from .upstream import Original, forget, keep


def add(file: PathLike, card: Published, root: Optional[PathLike] = None) -> Original:
    """Take a file into the store, after it was compared with its card; then :func:`gluon_cbam.zoo.get` needs no network.

    Args:
        file: the original, packed or not, or our parameter file; with the card beside it that :func:`gluon_cbam.zoo.place` wrote,
            where it was converted.
        card: of the weights.
        root: as of :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        The file in the store.

    Raises:
        ZooError: exit code 2 when there is no such file, 4 when it is not that of the card, 5 when the disk failed.
    """
    file = Path(file)
    if not file.is_file():
        raise ZooError(f'no file {str(file)!r}', exit_code=2)
    if card.conversion != 'none' and file.suffix == '.params' and file.with_suffix('.json').is_file():
        return _converted(file, card, root)
    with lock(card, root), writing(root):
        original = keep(card, file, str(file), root)
        if card.conversion != 'none':
            return original
        path = place(card, original.path, original, root)
        forget(card, root)
        return _own(path)


def _converted(file: Path, card: Published, root: Optional[PathLike]) -> Original:
    """Our parameter file of another store, whose card says what it was converted from."""
    beside = read_card(file)
    made_from = beside.provenance or {}
    if beside.tag != card.tag:
        raise ZooError(f'{file}: its card is of {beside.tag or beside.network}, not of {card.tag}')
    for algorithm, wanted in card.hashes.items():
        if made_from.get(algorithm) != wanted:
            raise ZooError(
                f'{file}: its card says that it was made from a file with the {algorithm} {made_from.get(algorithm)}, '
                f'not {wanted} (the card of {card.tag})'
            )
    found = sha256(file)
    if found != beside.sha256:
        raise ZooError(f'{file}: the sha256 is {found}, not {beside.sha256} (the card beside it)')
    return _own(place_with(card, file, made_from, root))


def _own(path: Path) -> Original:
    card = read_card(path)
    return Original(path, card.sha256, card.bytes)

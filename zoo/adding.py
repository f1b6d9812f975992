"""Taking files that the user already has into the store, without a download."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, sha256

from .card import Published
from .locking import lock, writing
from .store import place, place_with, read_card
from .upstream import UpstreamFile, forget, take


def add(file: PathLike, card: Published, root: Optional[PathLike] = None) -> UpstreamFile:
    """Take a file into the store, after comparing it with its card; :func:`gluon_cbam.zoo.get` then needs no network.

    Args:
        file: the upstream file, packed or not, or our parameter file; a converted one with the JSON card next to it
            that :func:`gluon_cbam.zoo.place` wrote.
        card: of the weights.
        root: of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        The file in the store.

    Raises:
        UsageError: there is no such file.
        DataError: it is not the file of the card.
        TransferError: the disk failed.
    """
    file = Path(file)
    if not file.is_file():
        raise UsageError(f'no file {str(file)!r}')
    if card.conversion != 'none' and file.suffix == '.params' and file.with_suffix('.json').is_file():
        return _add_converted(file, card, root)
    with lock(card, root), writing(root):
        upstream = take(card, file, str(file), root)
        if card.conversion != 'none':
            return upstream
        path = place(card, upstream.path, upstream, root)
        forget(card, root)
        return _described(path)


def _add_converted(file: Path, card: Published, root: Optional[PathLike]) -> UpstreamFile:
    """Add our parameter file of another store, whose JSON card states what it was converted from."""
    own = read_card(file)
    provenance = own.provenance or {}
    if own.tag != card.tag:
        raise DataError(f'{file}: its card is of {own.tag or own.network}, not of {card.tag}')
    for algorithm, expected in card.hashes.items():
        if provenance.get(algorithm) != expected:
            raise DataError(
                f'{file}: its card says that it was made from a file with the {algorithm} {provenance.get(algorithm)}, '
                f'not {expected} (the card of {card.tag})'
            )
    found = sha256(file)
    if found != own.sha256:
        raise DataError(f'{file}: the sha256 is {found}, not {own.sha256} (the card next to it)')
    return _described(place_with(card, file, provenance, root))


def _described(path: Path) -> UpstreamFile:
    """A parameter file of the store, with the hash and size of its card."""
    card = read_card(path)
    return UpstreamFile(path, card.sha256, card.bytes)

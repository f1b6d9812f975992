"""Adding local files to the store, without a download."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, sha256
from gluon_cbam.data.class_names import ClassNames, compare

from .card import Published
from .locking import lock, writing
from .origin import read_card
from .store import place, place_with
from .upstream import UpstreamFile, forget, take


def add(file: PathLike, card: Published, root: Optional[PathLike] = None, ignore_classes: bool = False) -> UpstreamFile:
    """Add a file to the store, after comparing it with its card; :func:`gluon_cbam.zoo.get` then works offline.

    Args:
        file: the upstream file, as an archive or unpacked, or our parameter file. A converted parameter file needs the
            JSON card next to it that :func:`gluon_cbam.zoo.place` wrote.
        card: card of the weights.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.
        ignore_classes: do not compare the names of the classes on both cards.

    Returns:
        The file in the store.

    Raises:
        UsageError: there is no such file.
        DataError: the file does not match the card.
        TransferError: the store cannot be written.
    """
    file = Path(file)
    if not file.is_file():
        raise UsageError(f'no file {str(file)!r}')
    if file.suffix == '.params' and file.with_suffix('.json').is_file() and not ignore_classes:
        _compare_classes(file, card)
    if card.conversion != 'none' and file.suffix == '.params' and file.with_suffix('.json').is_file():
        return _add_converted(file, card, root)
    with lock(card, root), writing(root):
        upstream = take(card, file, str(file), root)
        if card.conversion != 'none':
            return upstream
        path = place(card, upstream.path, upstream, root)
        forget(card, root)
        return _stored_file(path)


def _compare_classes(file: Path, card: Published) -> None:
    """Compare the names of the classes on both cards, where both have them."""
    try:
        own = read_card(file)
    except DataError:  # not the file's card, or a damaged one: what is stored gets another
        return
    compare(
        ClassNames(f'the card of {card.tag}', card.class_names),
        ClassNames(str(file.with_suffix('.json')), own.class_names),
    )


def _add_converted(file: Path, card: Published, root: Optional[PathLike]) -> UpstreamFile:
    """Add our parameter file from another store; its JSON card states the upstream file that it was converted from."""
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
    return _stored_file(place_with(card, file, provenance, root))


def _stored_file(path: Path) -> UpstreamFile:
    """A parameter file of the store, with the hash and size in its card."""
    card = read_card(path)
    return UpstreamFile(path, card.sha256, card.bytes)

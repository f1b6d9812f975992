"""The cards of published weights, one YAML file each in ``zoo/cards``, and their files."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional

import yaml

from .card import Card, ZooError
from .files import PathLike, sha256

_HERE = Path(__file__).parent


def cards(network: Optional[str] = None) -> List[Card]:
    """The published weights, sorted by tag.

    Args:
        network: only those of one network.

    Raises:
        ZooError: a card is damaged, or two have one tag.
    """
    found: dict = {}
    for path in sorted((_HERE / 'cards').glob('*.yaml')):
        card = Card.from_dict(yaml.safe_load(path.read_text(encoding='utf-8')), str(path))
        if card.tag in found:
            raise ZooError(f'{path}: the tag {card.tag!r} is taken')
        found[card.tag] = card
    return [card for card in found.values() if network in (None, card.network)]


def find(name: str) -> Card:
    """The card of a tag, or the only card of a network.

    Raises:
        ZooError: there is none, or several; the message lists them.
    """
    matching = [card for card in cards() if name in (card.tag, card.network)]
    if len(matching) == 1:
        return matching[0]
    tags = ', '.join(card.tag for card in matching or cards()) or 'none'
    if matching:
        raise ZooError(f'{name} has several weights: say which of {tags}', exit_code=2)
    raise ZooError(f'no weights are published for {name!r}: known: {tags}', exit_code=2)


def file_of(card: Card, root: Optional[PathLike] = None) -> Path:
    """The parameter file of a card, after its hash was compared.

    Args:
        card: of the weights.
        root: folder that is looked into first, for ``TAG.params``; then this package is.

    Raises:
        ZooError: the file is missing or not the one of the card.
    """
    places = [Path(folder) / f'{card.tag}.params' for folder in (root, _HERE / 'files') if folder is not None]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise ZooError(f'{places[-1]} is missing: install the package again')
    found = sha256(path)
    if found != card.sha256:
        raise ZooError(f'{path} has the SHA-256 {found}, its card says {card.sha256}: the file is damaged')
    return path

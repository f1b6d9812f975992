"""Finding cards: the built-in ones in ``zoo/cards``, and the registries of users."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Tuple
from urllib.parse import urljoin

from gluon_cbam.common.documents import read_text
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike

from .card import BUILT_IN as BUILT_IN_REGISTRY
from .card import Published
from .conditions import is_url
from .location import is_offline, root_of
from .origin import known
from .remote import MAX_BYTES, text_at

BUILT_IN = Path(__file__).parent / 'cards'
"""The folder of the built-in cards, a YAML file for each."""

REGISTRY = 'registry.yaml'
"""The name of the file with all cards in a folder of weights."""


def cards(
    network: Optional[str] = None,
    registries: Iterable[str] = (),
    root: Optional[PathLike] = None,
    offline: Optional[bool] = None,
) -> List[Published]:
    """List the cards of all registries: the registries of the user, the built-in one, and the files in the store.

    Args:
        network: only the cards of this network; default all.
        registries: registries that precede the ones in CBAM_ZOO_REGISTRY (separated by commas; files also by colons). A
            registry is a folder with a ``registry.yaml`` or of card files, a YAML or JSON file with one card or a list
            of cards, or the http URL of such a file.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`; it has a copy of each remote registry.
        offline: see :func:`gluon_cbam.zoo.location.is_offline`; the copy of a remote registry is then read.

    Returns:
        The cards, in the order of the registries; then those of files in the store whose tags are in no registry.

    Raises:
        UsageError: a registry does not exist, or its URL is none.
        DataError: a card is damaged, a tag is used twice, or a network has two defaults.
        TransferError: a registry cannot be downloaded.
    """
    found: Dict[str, Tuple[Published, str]] = {}
    for registry in [*registries, *_from_environment(), str(BUILT_IN)]:
        defaults: Dict[str, str] = {}
        for card, where in _read(registry, root, offline):
            if card.tag in found:
                raise DataError(f'{where}: the tag {card.tag!r} is taken by {found[card.tag][1]}')
            if card.default and card.network in defaults:
                raise DataError(f'{where}: the default of {card.network} is already {defaults[card.network]}')
            if card.default:
                defaults[card.network] = card.tag
            found[card.tag] = card, where
    stored = [card for card in known(root) if card.tag not in found]
    return [card for card in (*(card for card, _ in found.values()), *stored) if network in (None, card.network)]


def find(
    name: str,
    registries: Iterable[str] = (),
    root: Optional[PathLike] = None,
    offline: Optional[bool] = None,
) -> Published:
    """Find the card of a tag, or the default card of a network; registries of the user take precedence.

    Args:
        name: the tag or the network.
        registries: see :func:`cards`.
        root: see :func:`cards`.
        offline: see :func:`cards`.

    Returns:
        The card; for a network with a single card, this card.

    Raises:
        UsageError: no card matches (the message names similar ones), or the network has several cards and no default.
        DataError: see :func:`cards`.
        TransferError: see :func:`cards`.
    """
    listed = cards(None, registries, root, offline)
    of_network = [card for card in listed if card.network == name]
    of_network = [card for card in of_network if not card.stored] or of_network
    matching = [card for card in listed if card.tag == name] or [card for card in of_network if card.default]
    if matching or len(of_network) == 1:
        return (matching or of_network)[0]
    if of_network:
        tags = ', '.join(card.tag for card in of_network)
        raise UsageError(f'{name} has several weights and no default: choose one of {tags}')
    names = list(dict.fromkeys([*(card.network for card in listed), *(card.tag for card in listed)]))
    near = difflib.get_close_matches(name, names, n=3) or sorted({card.network for card in listed})
    raise UsageError(f'no weights are published for {name!r}: known: {", ".join(near) or "none"}')


def _from_environment() -> List[str]:
    """The registries in CBAM_ZOO_REGISTRY; a URL ends at a comma, since it contains colons."""
    value = os.environ.get('CBAM_ZOO_REGISTRY', '')
    return [part.strip() for part in re.findall(rf'https?://[^,]+|[^,{re.escape(os.pathsep)}]+', value) if part.strip()]


def _read(registry: str, root: Optional[PathLike], offline: Optional[bool]) -> Iterator[Tuple[Published, str]]:
    """The cards of a registry, each with the file or URL that contains it."""
    if registry.startswith(('http://', 'https://')):
        if not is_url(registry):
            raise UsageError(f'no registry {registry!r}: not the URL of a file')
        for card in cards_in(text_at(registry, root_of(root), is_offline(offline), cards_in), registry):
            yield replace(_resolved(card, registry), registry=registry), registry
        return
    path = Path(registry).expanduser()
    if not os.path.exists(path):  # raises no error for odd names
        raise UsageError(f'no registry {registry!r}: give a file, a folder or an http URL')
    for file in _files(path):
        origin = BUILT_IN_REGISTRY if path == BUILT_IN else os.path.abspath(file)
        for card in cards_in(read_text(file, MAX_BYTES), str(file)):
            yield replace(card, folder=str(file.parent), registry=origin), str(file)


def _files(path: Path) -> List[Path]:
    if (path / REGISTRY).is_file():
        return [path / REGISTRY]
    endings = ('.yaml', '.yml', '.json')
    return sorted(file for file in path.iterdir() if file.suffix in endings) if path.is_dir() else [path]


def cards_in(text: str, where: str) -> List[Published]:
    """Parse the text of a registry.

    Args:
        text: YAML or JSON, one card or a list of cards.
        where: path or URL of the registry, for messages.

    Returns:
        The cards, in the order of the text.

    Raises:
        DataError: the text cannot be parsed, or a card is damaged.
    """
    from gluon_cbam.common.yaml_documents import parse_yaml

    values = parse_yaml(text, where, MAX_BYTES).value  # JSON is a subset of YAML
    return [Published.from_dict(value, where) for value in (values if isinstance(values, list) else [values])]


def _resolved(card: Published, base: str) -> Published:
    """A card with its relative URLs resolved against the URL of its registry."""
    if not card.original:
        return card
    urls = tuple(urljoin(base, url) for url in card.original.addresses)
    return replace(card, original=replace(card.original, addresses=urls))

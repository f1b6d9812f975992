"""Where the files of the store came from: the registry is in the card next to a file, with what only its card has."""

from __future__ import annotations

import logging
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Dict, List, Optional

from gluon_cbam.common.documents import read_json
from gluon_cbam.common.errors import CbamError, DataError
from gluon_cbam.common.files import PathLike, sha256
from gluon_cbam.common.quoting import shown_name

from .card import BUILT_IN, Card, Published
from .location import root_of

_log = logging.getLogger('zoo')

_IN_BOTH = {entry.name for entry in fields(Card)} & {entry.name for entry in fields(Published)}
_IN_REGISTRY = ('original', 'parameters', 'macs', 'recipe', 'citation')


def read_card(path: Path) -> Card:
    """Read the card next to a parameter file; the file itself is not checked.

    Args:
        path: path of the parameter file.

    Returns:
        The card, from the JSON file with the same name.

    Raises:
        DataError: the card is missing or damaged.
    """
    file = path.with_suffix('.json')
    return Card.from_dict(read_json(file), str(file))


def origin_of(card: Published) -> Dict[str, Any]:
    """The part of the provenance that states where a card comes from.

    Args:
        card: the card of a registry.

    Returns:
        ``registry``, None if it is not known, and ``published``, the fields that the card next to the file lacks.
    """
    values = card.as_dict()
    return {'registry': card.registry, 'published': {name: values[name] for name in _IN_REGISTRY if name in values}}


def known(root: Optional[PathLike] = None) -> List[Published]:
    """The cards of the files in the store, whatever registries they came from.

    Args:
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        The cards, sorted by tag. Files of other programs are left out, and damaged cards with a warning.
    """
    found = []
    for path in sorted(root_of(root).glob('*.*.params')):
        if not path.with_suffix('.json').is_file():
            continue
        try:
            card = read_card(path)
            if card.tag == path.stem:
                found.append(_published(card, str(path.with_suffix('.json'))))
        except (CbamError, OSError) as error:
            _log.warning('%s: not used', error)
    return found


def _published(card: Card, where: str) -> Published:
    """The card of a file in the store, as it was in its registry."""
    provenance = card.provenance or {}
    published, registry = provenance.get('published'), provenance.get('registry')
    extra = {name: published[name] for name in _IN_REGISTRY if name in published} if isinstance(published, dict) else {}
    shared = {name: value for name, value in card.as_dict().items() if name in _IN_BOTH}
    made = Published.from_dict({**shared, **extra}, where)
    if not isinstance(registry, str):
        return replace(made, stored=True)
    local = registry != BUILT_IN and not registry.startswith(('http://', 'https://'))
    return replace(made, stored=True, registry=registry, folder=str(Path(registry).parent) if local else None)


def other_registry(card: Published, path: Path) -> Optional[str]:
    """The registry of a file in the store, if it is another one than that of a card, and the file another file.

    Args:
        card: card of the weights.
        path: path of the parameter file, which is not read; its card is next to it.

    Returns:
        The path or URL of the registry, for messages; None if nothing is known that differs.
    """
    try:
        own = read_card(path)
    except (CbamError, OSError):
        return None
    registry = (own.provenance or {}).get('registry')
    differs = isinstance(registry, str) and card.registry not in (None, registry) and not card.is_of(own)
    return shown_name(registry) if differs else None


def refuse_other(card: Published, path: Path) -> None:
    """Refuse to replace an intact file in the store by another one, of another registry.

    Args:
        card: card of the weights.
        path: path of the parameter file; its card is next to it.

    Raises:
        DataError: the file is intact, and of another registry; the message names both.
    """
    registry = other_registry(card, path)
    if registry and sha256(path) == read_card(path).sha256:
        raise DataError(
            f'{card.registry}: its {card.tag} is another file than the one in {path.parent}, which is from {registry}: '
            f'cbam zoo remove {card.tag}, or choose another folder with --root'
        )

"""Which weights there are: the cards of ``zoo/cards``, a YAML file each, and those of a user's own registries."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple
from urllib.parse import urljoin

from gluon_cbam.common.errors import ZooError
from gluon_cbam.common.files import PathLike

from .card import Published
from .location import is_offline, root_of

BUILT_IN = Path(__file__).parent / 'cards'
REGISTRY = 'registry.yaml'
"""In a folder of weights, the file with their cards."""

_MOST_BYTES = 2**24  # of a registry


def cards(
    network: Optional[str] = None,
    registries: Iterable[str] = (),
    root: Optional[PathLike] = None,
    offline: Optional[bool] = None,
) -> List[Published]:
    """The published weights, those of the user's registries first.

    Args:
        network: only those of one network.
        registries: further ones, before those of CBAM_ZOO_REGISTRY (commas between them, or colons between files): a
            folder with a ``registry.yaml`` or of card files, a YAML or JSON file with one card or a list, or the
            address of such a file.
        root: of the store, which keeps a copy of a registry with an address for offline use.
        offline: as of :func:`gluon_cbam.zoo.location.is_offline`.

    Raises:
        ZooError: a card is damaged, or a tag is taken twice, or a registry cannot be read.
    """
    found: Dict[str, Tuple[Published, str]] = {}
    for registry in [*registries, *_of_environment(), str(BUILT_IN)]:
        defaults: Dict[str, str] = {}
        for card, where in _read(registry, root, offline):
            if card.tag in found:
                raise ZooError(f'{where}: the tag {card.tag!r} is taken by {found[card.tag][1]}')
            if card.default and card.network in defaults:
                raise ZooError(f'{where}: the default of {card.network} is already {defaults[card.network]}')
            if card.default:
                defaults[card.network] = card.tag
            found[card.tag] = card, where
    return [card for card, _ in found.values() if network in (None, card.network)]


def find(
    name: str,
    registries: Iterable[str] = (),
    root: Optional[PathLike] = None,
    offline: Optional[bool] = None,
) -> Published:
    """The card of a tag, or the default one of a network; a user's registry comes first.

    Args:
        name: the tag or the network.
        registries: as of :func:`cards`.
        root: as of :func:`cards`.
        offline: as of :func:`cards`.

    Raises:
        ZooError: there is none, with exit code 2; the message names the closest. Or as of :func:`cards`.
    """
    known = cards(None, registries, root, offline)
    of_network = [card for card in known if card.network == name]
    matching = [card for card in known if card.tag == name] or [card for card in of_network if card.default]
    if matching or len(of_network) == 1:
        return (matching or of_network)[0]
    if of_network:
        tags = ', '.join(card.tag for card in of_network)
        raise ZooError(f'{name} has several weights and no default: say which of {tags}', exit_code=2)
    names = list(dict.fromkeys([*(card.network for card in known), *(card.tag for card in known)]))
    near = difflib.get_close_matches(name, names, n=3) or sorted({card.network for card in known})
    raise ZooError(f'no weights are published for {name!r}: known: {", ".join(near) or "none"}', exit_code=2)


def _of_environment() -> List[str]:
    """The registries of CBAM_ZOO_REGISTRY; an address ends at a comma, since it holds colons."""
    said = os.environ.get('CBAM_ZOO_REGISTRY', '')
    return [part.strip() for part in re.findall(rf'https?://[^,]+|[^,{re.escape(os.pathsep)}]+', said) if part.strip()]


def _read(registry: str, root: Optional[PathLike], offline: Optional[bool]) -> Iterator[Tuple[Published, str]]:
    """The cards of a registry, each with the file that it stands in."""
    if registry.startswith(('http://', 'https://')):
        for card in cards_in(_text_at(registry, root_of(root), is_offline(offline)), registry):
            yield _resolved(card, registry), registry
        return
    path = Path(registry).expanduser()
    if not path.exists():
        raise ZooError(f'no registry {registry!r}: give a file, a folder or an http address', exit_code=2)
    for file in _files(path):
        for card in cards_in(file.read_text(encoding='utf-8', errors='replace'), str(file)):
            yield replace(card, folder=str(file.parent)), str(file)


def _files(path: Path) -> List[Path]:
    if (path / REGISTRY).is_file():
        return [path / REGISTRY]
    endings = ('.yaml', '.yml', '.json')
    return sorted(file for file in path.iterdir() if file.suffix in endings) if path.is_dir() else [path]


def cards_in(text: str, where: str) -> List[Published]:
    """The cards of a registry's text, which holds one or a list.

    Args:
        text: YAML or JSON.
        where: the file, for the message.

    Raises:
        ZooError: a card is damaged.
    """
    values = _parsed(text, where)
    return [Published.from_dict(value, where) for value in (values if isinstance(values, list) else [values])]


def _parsed(text: str, where: str) -> Any:
    import yaml

    loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
    try:
        return yaml.load(text, Loader=loader)  # JSON is YAML, too
    except yaml.YAMLError as error:
        line = f', line {error.problem_mark.line + 1}' if getattr(error, 'problem_mark', None) else ''
        raise ZooError(f'{where}: neither YAML nor JSON{line}') from None


def _resolved(card: Published, base: str) -> Published:
    """A card whose relative addresses begin where its registry is, so that a static folder can move."""
    if not card.original:
        return card
    addresses = tuple(urljoin(base, address) for address in card.original.addresses)
    return replace(card, original=replace(card.original, addresses=addresses))


def _text_at(address: str, root: Path, offline: bool) -> str:
    """The text of a registry with an address; the store keeps a copy."""
    copy = root / 'registries' / f'{hashlib.sha256(address.encode()).hexdigest()[:16]}.yaml'
    if offline and not copy.is_file():
        raise ZooError(f'{address}: offline, and no copy of this registry is in {root}', exit_code=5)
    if not offline:
        from .download import download, forget
        from .locking import writing

        part = copy.with_suffix('.part')
        with writing(root):
            copy.parent.mkdir(parents=True, exist_ok=True)
            try:
                forget(part)
                download(address, part, _MOST_BYTES)
                cards_in(part.read_text(encoding='utf-8', errors='replace'), address)
                os.replace(str(part), str(copy))
            finally:
                forget(part)
    return copy.read_text(encoding='utf-8', errors='replace')

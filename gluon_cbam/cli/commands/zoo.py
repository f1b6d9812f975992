"""``cbam zoo``: listing, downloading and storing weights; :mod:`.zoo_publishing` verifies and publishes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

import click

from gluon_cbam.cli.errors import Group
from gluon_cbam.cli.options import card_options, settings_options
from gluon_cbam.cli.output import Result, common_options
from gluon_cbam.cli.progress import byte_progress
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.text_table import aligned

from .zoo_publishing import zoo_publish, zoo_verify

if TYPE_CHECKING:
    from gluon_cbam.tasks.figures import Figure
    from gluon_cbam.zoo import Published
    from gluon_cbam.zoo.location import Progress


@click.group('zoo', cls=Group)
def zoo_group() -> None:
    """List, download, verify and publish weights."""


zoo_group.add_command(zoo_verify)
zoo_group.add_command(zoo_publish)


@zoo_group.command('list')
@card_options
@common_options
def zoo_list(root: Optional[str], registries: Sequence[str], offline: Optional[bool]) -> Result:
    """List all weights; * marks the default of a network."""
    from gluon_cbam import zoo

    cards = sorted(zoo.cards(None, registries, root, offline), key=lambda card: (card.network, not card.default))
    entries = [_entry(card, root) for card in cards]
    figures = _figures(cards)
    rows = [_row(card, entry, figures) for card, entry in zip(cards, entries)]
    heads: Tuple[str, ...] = ('weights', *(figure.label for figure in figures), 'measured by', 'MB', 'here')
    if any(card.stored for card in cards):  # those that are in no registry of this call
        heads = (*heads, 'from')
        rows = [(*row, card.registry or '-') for row, card in zip(rows, cards)]
    return {'weights': entries}, aligned([heads, *rows])


def _figures(cards: Sequence[Published]) -> List[Figure]:
    """The distinct figures that the tasks of some cards compare."""
    from gluon_cbam.tasks import get_task

    tasks = {name: get_task(name) for name in [card.task for card in cards] or [None]}
    figures = {name: task.figure(name) for task in tasks.values() for name in task.compared}
    for card in cards:
        task = tasks[card.task]
        for name in task.compared_in(card.metrics.values):
            figures.setdefault(name, task.figure(name))
    return list(figures.values())


def _entry(card: Published, root: Optional[str]) -> Dict[str, Any]:
    """A card as a value for --json."""
    from gluon_cbam import zoo
    from gluon_cbam.zoo.verified import verified

    local = {'cached': zoo.is_cached(card, root), 'verified': verified(card, root)}
    return {'name': card.network, 'sha256': None, **card.as_dict(), 'registry': card.registry, **local}


def _row(card: Published, entry: Dict[str, Any], figures: Sequence[Figure]) -> Tuple[str, ...]:
    """A card as a row of the table."""
    stated = card.metrics.values
    return (
        f'{card.tag} *' if card.default else card.tag,
        *(f'{stated[figure.name]:.4f}' if figure.name in stated else '-' for figure in figures),
        card.metrics.measured_by,
        f'{card.bytes / 1e6:.1f}' if card.bytes else '-',
        'verified' if entry['verified'] else 'yes' if entry['cached'] else 'no',
    )


@zoo_group.command('info')
@click.argument('name')
@card_options
@common_options
def zoo_info(name: str, root: Optional[str], registries: Sequence[str], offline: Optional[bool]) -> Result:
    """Show the card of weights: NAME is a tag, or a network for its default weights."""
    import yaml

    from gluon_cbam import zoo

    card = zoo.find(name, registries, root, offline)
    text = yaml.safe_dump({'tag': card.tag, **card.as_dict()}, sort_keys=False, width=118).rstrip()
    entry = _entry(card, root)
    return entry, '\n'.join([text, f'# registry: {card.registry or "not known"}', *_remarks(card, entry['verified'])])


def _remarks(card: Published, verified: Optional[Dict[str, Any]]) -> List[str]:
    """Comments on a card: who measured the metrics, and whether a hash is published."""
    from gluon_cbam.tasks import get_task

    remarks = []
    if verified:
        measured = verified['metrics']
        names = get_task(card.task).compared_in(measured)
        score = ', '.join(f'{name} {measured[name]:.4f}' for name in names)
        remarks.append(f'# verified here on {verified["date"][:10]}: {score} on {verified["data"]}')
    elif card.metrics.measured_by == 'publisher':
        remarks.append('# the metrics are stated by the publisher and were not verified here')
    if not card.hashes:
        remarks.append('# no hash is published: the hash of the first file is kept, and later files must have it')
    return remarks


@zoo_group.command('get')
@click.argument('name')
@card_options
@common_options
def zoo_get(name: str, root: Optional[str], registries: Sequence[str], offline: Optional[bool]) -> Result:
    """Download weights, unless the store has them: NAME is a tag, or a network for its default weights."""
    from gluon_cbam import zoo

    card = zoo.find(name, registries, root, offline)
    cached = zoo.cached(card, root)
    with byte_progress(card.tag) as progress:
        path = cached or _get(card, root, offline, progress)
    if not cached and not card.hashes:
        click.echo(f'cbam: no hash is published for {card.tag}: this file was trusted, and its hash is kept', err=True)
    return _file(path, bool(cached))


def _get(card: Published, root: Optional[str], offline: Optional[bool], progress: Progress) -> Path:
    """Download weights, and convert them if necessary; only a conversion imports mxnet."""
    if card.conversion == 'none':
        from gluon_cbam import zoo

        return zoo.get(card, root, offline, progress)
    from gluon_cbam.pretrained.locate import get

    return get(card, root, offline, progress)


def _file(path: Path, cached: bool) -> Result:
    """The result for a parameter file of ours."""
    from gluon_cbam.zoo.store import read_card

    card = read_card(path)
    return {'path': str(path), 'sha256': card.sha256, 'bytes': card.bytes, 'cached': cached}, str(path)


@zoo_group.command('path')
@click.argument('name')
@card_options
@common_options
def zoo_path(name: str, root: Optional[str], registries: Sequence[str], offline: Optional[bool]) -> Result:
    """Print the path of a parameter file in the store, after comparing its hash."""
    from gluon_cbam import zoo

    return _file(zoo.file_of(zoo.find(name, registries, root, offline), root), True)


@zoo_group.command('add')
@click.argument('file')
@click.argument('name', required=False)
@click.option('--tag', metavar='TAG', help='the same as NAME')
@card_options
@settings_options('ignore_classes')
@common_options
def zoo_add(
    file: str,
    name: Optional[str],
    tag: Optional[str],
    ignore_classes: bool,
    root: Optional[str],
    registries: Sequence[str],
    offline: Optional[bool],
) -> Result:
    """Add a local FILE to the store: NAME is the tag of its weights, or a network.

    FILE is the file that would be downloaded, as an archive or unpacked, or the parameter file of another store with
    its card next to it. It is compared with the card of the weights; if this has no hash, the hash of FILE is recorded.
    """
    from gluon_cbam import zoo

    if bool(name) == bool(tag):
        raise UsageError(f'zoo add takes FILE and NAME, or FILE and --tag, got {name!r} and --tag {tag!r}')
    added = zoo.add(file, zoo.find(name or tag or '', registries, root, offline), root, ignore_classes)
    return {'path': str(added.path), 'sha256': added.sha256, 'bytes': added.bytes}, str(added.path)


@zoo_group.command('remove')
@click.argument('name')
@card_options
@common_options
def zoo_remove(name: str, root: Optional[str], registries: Sequence[str], offline: Optional[bool]) -> Result:
    """Remove weights from the store: NAME is a tag, or a network for its default weights."""
    from gluon_cbam import zoo

    tag = name if zoo.files_of(name, root) else zoo.find(name, registries, root, offline).tag
    removed = [str(path) for path in zoo.remove(tag, root)]
    return {'removed': removed}, '\n'.join(removed)

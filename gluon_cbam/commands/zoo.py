"""``cbam zoo``: published weights."""

from __future__ import annotations

import click

from ..console import byte_progress, common_options
from ..errors import UsageError

_ROOT = click.option('--root', metavar='DIR', help='folder of the store  [CBAM_HOME/models, MXNET_HOME/models, ...]')
_REGISTRY = click.option(
    '--registry', 'registries', multiple=True, metavar='FILE|URL', help='further cards; repeat for more'
)
_OFFLINE = click.option('--offline', is_flag=True, default=None, help='download nothing  [CBAM_ZOO_OFFLINE]')


def _card_options(function):
    """Adds the options that say where cards and files are."""
    for option in (_OFFLINE, _REGISTRY, _ROOT):
        function = option(function)
    return function


@click.group('zoo')
def zoo_group():
    """Published weights."""


@zoo_group.command('list')
@_card_options
@common_options
def zoo_list(root, registries, offline):
    """The weights that there are; * marks the default of a network."""
    import zoo

    cards = sorted(zoo.cards(None, registries, root, offline), key=lambda card: (card.network, not card.default))
    entries = [_entry(card, root) for card in cards]
    rows = [_row(card, entry['cached']) for card, entry in zip(cards, entries)]
    return {'weights': entries}, _table(('weights', 'top-1', 'top-5', 'measured by', 'MB', 'here'), rows)


def _entry(card, root) -> dict:
    """A card as --json gives it."""
    import zoo

    return {'name': card.network, 'sha256': None, **card.as_dict(), 'cached': zoo.is_cached(card, root)}


def _row(card, cached):
    figures = (card.metrics.top1, card.metrics.top5)
    return (
        f'{card.tag} *' if card.default else card.tag,
        *('-' if figure is None else f'{figure:.4f}' for figure in figures),
        card.metrics.measured_by,
        f'{card.bytes / 1e6:.1f}' if card.bytes else '-',
        'yes' if cached else 'no',
    )


def _table(heads, rows) -> str:
    """Lines of columns; the first is flush left, the others are flush right."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    return '\n'.join(
        '  '.join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths)) for row in (heads, *rows))
    )


@zoo_group.command('info')
@click.argument('name')
@_card_options
@common_options
def zoo_info(name, root, registries, offline):
    """The card of weights: NAME is a tag, or a network for its default ones."""
    import yaml

    import zoo

    card = zoo.find(name, registries, root, offline)
    text = yaml.safe_dump({'tag': card.tag, **card.as_dict()}, sort_keys=False, width=118).rstrip()
    return _entry(card, root), '\n'.join([text, *_remarks(card)])


def _remarks(card) -> list:
    """What the fields of a card do not say aloud."""
    remarks = []
    if card.metrics.measured_by == 'publisher':
        remarks.append('# the metrics are stated by the publisher; nobody has verified them here')
    if not card.hashes:
        remarks.append('# no hash is published: that of the first file is kept, and later ones must have it')
    return remarks


@zoo_group.command('get')
@click.argument('name')
@_card_options
@common_options
def zoo_get(name, root, registries, offline):
    """Download weights, unless they are here: NAME is a tag, or a network for its default ones."""
    import zoo

    card = zoo.find(name, registries, root, offline)
    cached = zoo.cached(card, root)
    with byte_progress(card.tag) as progress:
        path = cached or _get(card, root, offline, progress)
    if not cached and not card.hashes:
        click.echo(f'cbam: no hash is published for {card.tag}: this file was trusted, and its hash is kept', err=True)
    return _file(path, bool(cached))


def _get(card, root, offline, progress):
    if card.conversion == 'none':
        import zoo

        return zoo.get(card, root, offline, progress)
    from ..published import get

    return get(card, root, offline, progress)


def _file(path, cached: bool):
    """A parameter file of ours as --json and people have it."""
    from zoo.store import read_card

    card = read_card(path)
    return {'path': str(path), 'sha256': card.sha256, 'bytes': card.bytes, 'cached': cached}, str(path)


@zoo_group.command('path')
@click.argument('name')
@_card_options
@common_options
def zoo_path(name, root, registries, offline):
    """The parameter file of weights that are here, after its hash was compared."""
    import zoo

    return _file(zoo.file_of(zoo.find(name, registries, root, offline), root), True)


@zoo_group.command('add')
@click.argument('file')
@click.argument('name', required=False)
@click.option('--tag', metavar='TAG', help='the same as NAME')
@_card_options
@common_options
def zoo_add(file, name, tag, root, registries, offline):
    """Take a FILE that is here already into the store: NAME is the tag of its weights, or a network.

    FILE is what would be downloaded, packed or not, or the parameter file of another store with its card beside it. It
    is compared with the card of the weights; where that has no hash, the hash of FILE is kept for later files.
    """
    import zoo

    if bool(name) == bool(tag):
        raise UsageError(f'zoo add takes FILE and NAME, or FILE and --tag, got {name!r} and --tag {tag!r}')
    added = zoo.add(file, zoo.find(name or tag, registries, root, offline), root)
    return {'path': str(added.path), 'sha256': added.sha256, 'bytes': added.bytes}, str(added.path)


@zoo_group.command('remove')
@click.argument('name')
@_card_options
@common_options
def zoo_remove(name, root, registries, offline):
    """Remove weights from the store: NAME is a tag, or a network for its default ones."""
    import zoo

    removed = [str(path) for path in zoo.remove(zoo.find(name, registries, root, offline).tag, root)]
    return {'removed': removed}, '\n'.join(removed)

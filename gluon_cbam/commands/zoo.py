"""``cbam zoo``: published weights."""

from __future__ import annotations

import click

from ..console import common_options


@click.group('zoo')
def zoo_group():
    """Published weights."""


@zoo_group.command('list')
@common_options
def zoo_list():
    """The weights that there are."""
    import zoo

    cards = [{'name': card.network, 'cached': True, **card.as_dict()} for card in zoo.cards()]
    lines = [f'{card["tag"]:32} top-1 {card["metrics"]["top1"]:.4f}  {card["source"]}' for card in cards]
    return {'weights': cards}, '\n'.join(lines) or 'no weights are published yet'


@zoo_group.command('info')
@click.argument('name')
@common_options
def zoo_info(name):
    """The card of weights: NAME is a tag, or a network with one."""
    import yaml

    import zoo

    card = zoo.find(name).as_dict()
    return {'name': card['network'], **card}, yaml.safe_dump(card, sort_keys=False).rstrip()


@zoo_group.command('path')
@click.argument('name')
@common_options
def zoo_path(name):
    """The parameter file of weights, after its hash was compared."""
    import zoo

    card = zoo.find(name)
    path = str(zoo.file_of(card))
    return {'path': path, 'sha256': card.sha256, 'bytes': card.bytes, 'cached': True}, path

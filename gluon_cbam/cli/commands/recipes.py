"""``cbam recipes``: the settings that ``cbam train --recipe`` starts from."""

from __future__ import annotations

from pathlib import Path

import click

from gluon_cbam.cli.errors import Group
from gluon_cbam.cli.output import Result, common_options


@click.group(cls=Group)
def recipes() -> None:
    """List and show the recipes of cbam train."""


@recipes.command('list')
@common_options
def recipes_list() -> Result:
    """List the recipes that come with the package."""
    from gluon_cbam.common.text_table import aligned
    from gluon_cbam.training.config.recipes import names, read_recipe

    files = {name: read_recipe(name) for name in names()}
    abouts = {name: {key: ' '.join(text.split()) for key, text in file.about.items()} for name, file in files.items()}
    rows = [(name, about['description'].partition(': ')[0]) for name, about in abouts.items()]
    value = [{**about, 'name': name, 'file': files[name].path} for name, about in abouts.items()]
    return {'recipes': value}, aligned([('recipe', 'what it is'), *rows], left=(0, 1))


@recipes.command('show')
@click.argument('recipe', metavar='NAME|FILE')
@common_options
def recipes_show(recipe: str) -> Result:
    """Print a recipe: its settings as YAML, and where they come from."""
    from gluon_cbam.training.config.recipes import read_recipe

    file = read_recipe(recipe)
    text = Path(file.path).read_text(encoding='utf-8').rstrip()
    return {**file.about, 'file': file.path, 'settings': file.values}, f'# {file.path}\n{text}'

"""``cbam models``: the networks."""

from __future__ import annotations

import click

from gluon_cbam.cli.options import settings_options
from gluon_cbam.cli.output import common_options
from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.errors import UsageError


@click.group()
def models():
    """The networks."""


@models.command('list')
@click.argument('pattern', default='*')
@common_options
def models_list(pattern):
    """Names, those that match a shell PATTERN such as 'cbam_*'."""
    from gluon_cbam.models import list_models

    names = list_models(pattern)
    return {'models': names}, '\n'.join(names)


@models.command('info')
@click.argument('name')
@settings_options('classes', 'image_size', 'option')
@common_options
def models_info(name, classes, image_size, option):
    """Parameters and multiply-adds of a network."""
    from gluon_cbam.models import build, variant
    from gluon_cbam.models.complexity import complexity

    size = image_size or variant(name).image_size
    net = build(name, **({'classes': classes} if classes else {}), **option)
    cost, outputs = complexity(net, (1, 3, size, size)), getattr(net, 'outputs', classes or 1000)
    value = {'name': name, 'input': [3, size, size], 'classes': outputs, **cost.as_dict()}
    text = (
        f'{name}: input 3 x {size} x {size}, {outputs} outputs\n'
        f'  parameters     {cost.parameters:>15,}   attention {cost.attention_parameters:,}\n'
        f'  multiply-adds  {cost.macs:>15,}   attention {cost.attention_macs:,}'
    )
    return value, text


@models.command('table')
@click.option('--csv', 'as_csv', is_flag=True, help='comma-separated values on standard output')
@common_options
@click.pass_context
def models_table(ctx, as_csv):
    """Tables 4 and 5 of the CBAM paper beside the networks here, counted."""
    from gluon_cbam.models import paper_tables

    if as_csv and ctx.params['as_json']:
        raise UsageError('--json and --csv exclude each other: give one of them')
    rows = [paper_tables.compare(figures) for figures in progress_bar(paper_tables.PAPER, len(paper_tables.PAPER))]
    text = (paper_tables.as_csv if as_csv else paper_tables.as_text)(rows)
    return {'networks': [row.as_dict() for row in rows]}, text

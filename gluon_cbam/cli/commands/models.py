"""``cbam models``: names and sizes of the networks, and the tables of the paper."""

from __future__ import annotations

from typing import Any, Dict, Optional

import click

from gluon_cbam.cli.errors import Group
from gluon_cbam.cli.options import settings_options
from gluon_cbam.cli.output import Result, common_options
from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.common.image_size import ImageSize


@click.group(cls=Group)
def models() -> None:
    """List the networks and their sizes."""


@models.command('list')
@click.argument('pattern', default='*')
@common_options
def models_list(pattern: str) -> Result:
    """List the names of the networks; PATTERN is the beginning of names, or a shell pattern such as '*_resnet50'."""
    from gluon_cbam.models import list_models

    names = list_models(pattern)
    if not names:
        click.echo(f'cbam: no network matches {pattern!r}: {closest(pattern, list_models())}', err=True)
    return {'models': names}, '\n'.join(names)


@models.command('info')
@click.argument('name')
@settings_options('classes', 'image_size', 'option')
@common_options
def models_info(name: str, classes: Optional[int], image_size: Optional[ImageSize], option: Dict[str, Any]) -> Result:
    """Show the parameters and multiply-adds of a network."""
    from gluon_cbam.models.complexity import complexity
    from gluon_cbam.pretrained.resolve import resolve

    model = resolve(name, classes=classes, options=option, image_size=image_size)
    net = model.build()
    shape = (net._in_channels or 3, *model.preprocessing.shape)
    cost, outputs = complexity(net, (1, *shape)), getattr(net, 'outputs', model.classes)
    value = {'name': name, 'input': list(shape), 'classes': outputs, **cost.as_dict()}
    text = (
        f'{name}: input {shape[0]} x {shape[1]} x {shape[2]}, {outputs} outputs\n'
        f'  parameters     {cost.parameters:>15,}   attention {cost.attention_parameters:,}\n'
        f'  multiply-adds  {cost.macs:>15,}   attention {cost.attention_macs:,}'
    )
    return value, text


@models.command('table')
@click.option('--csv', 'as_csv', is_flag=True, help='comma-separated values on standard output')
@common_options
@click.pass_context
def models_table(ctx: click.Context, as_csv: bool) -> Result:
    """Compare tables 4, 5 and 7 of the CBAM paper with the networks of this package; --csv has tables 4 and 5."""
    from gluon_cbam.models import paper_detectors, paper_tables

    if as_csv and ctx.params['as_json']:
        raise UsageError('--json and --csv exclude each other: give one of them')
    rows = [paper_tables.compare(figures) for figures in progress_bar(paper_tables.PAPER, len(paper_tables.PAPER))]
    if as_csv:
        return {}, paper_tables.as_csv(rows)
    detectors = [paper_detectors.compare(figures) for figures in paper_detectors.PAPER]
    value = {'networks': [row.as_dict() for row in rows], 'detectors': [row.as_dict() for row in detectors]}
    return value, f'{paper_tables.as_text(rows)}\n\n{paper_detectors.as_text(detectors)}'

"""``cbam explain --score``: how well a network's maps agree with the masks of a ``.rec`` file."""

from __future__ import annotations

import click
from click.core import ParameterSource

from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.errors import UsageError

from .network_options import load

_OPTIONS = [
    click.option('--score', is_flag=True, help='score the maps with the masks of --data-val instead of drawing them'),
    click.option('--data-val', '--rec-val', 'data_val', metavar='FILE', help='with --score: a .rec file with its .idx'),
    click.option('--masks', metavar='FILE', help='with --score: masks of its records  [the .masks.npz beside it]'),
    click.option(
        '--align',
        default='even',
        show_default=True,
        metavar='NAME',
        help='with --score: cells lie evenly, or at the centres of their receptive fields: fields',
    ),
]
_DRAWING = ('output', 'stages', 'target', 'channels', 'method', 'report', 'compare')
_COLUMNS = ('pointing', 'energy', 'lift', 'iou', 'threshold', 'oracle_iou')


def score_options(function):
    """Add the options of ``--score`` to ``cbam explain``."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def scored(ctx, data_val, masks, align, layer, batch_size, workers, **options):
    """Score the network that the options of ``cbam explain`` name.

    Args:
        ctx: of the command.
        data_val: the ``.rec`` file.
        masks: of its records, or None.
        align: of the maps.
        layer: paths of blocks whose Grad-CAM is scored, separated by commas, or None.
        batch_size: images at a time.
        workers: threads that decode.
        **options: the others; those of the network are used.

    Returns:
        the value for ``--json``, and the text for people.

    Raises:
        UsageError: there are images or options that go with pictures, or something is missing.
    """
    from gluon_cbam.data.datasets.masks import MaskFile
    from gluon_cbam.data.records.recordio import RecordFile
    from gluon_cbam.explain.localization.evaluation import score_maps

    _check(ctx)
    loaded, _ = load(**{name: value for name, value in options.items() if name not in _DRAWING})
    records = RecordFile(data_val)
    records.check_labels(loaded.classes)
    layers = layer.split(',') if layer else [None]
    found = score_maps(loaded, records, MaskFile(records, masks), layers, align, batch_size, workers, progress_bar)
    value = {
        'network': loaded.name,
        'params_sha256': loaded.params_sha256,
        'records': len(records),
        'align': align,
        'top1': found.top1,
        'maps': [{'name': name, **scores.as_dict()} for name, scores in found.maps.items()],
        'chance': [{'name': name, **scores.as_dict()} for name, scores in found.chance.items()],
    }
    return value, f'{len(records)} records, each once: top-1 {found.top1:.4f}\n{_table(value)}'


def _check(ctx) -> None:
    given, parameters = ctx.params, {parameter.name: parameter for parameter in ctx.command.params}
    if given['images']:
        raise UsageError('--score takes the images of --data-val, and no others')
    for name in _DRAWING:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(f'{parameters[name].opts[0]} is for pictures, and --score draws none')
    if not given['data_val']:
        raise UsageError('--score needs --data-val FILE, a .rec file with masks')
    if given['params'] is None and given['pretrained'] is None:
        raise UsageError('--score needs weights: give --params FILE or --pretrained')


def _table(value: dict) -> str:
    from gluon_cbam.common.text_table import aligned

    lines = [*value['maps'], *({**line, 'name': f'chance: {line["name"]}'} for line in value['chance'])]
    heads = ('map', *(column.replace('_', ' ') for column in _COLUMNS))
    return aligned([heads, *((line['name'], *(f'{line[column]:.3f}' for column in _COLUMNS)) for line in lines)])

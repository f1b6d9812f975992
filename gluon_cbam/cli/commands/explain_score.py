"""``cbam explain --score``: localization metrics of a network's maps over a ``.rec`` file with masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, cast

import click
from click.core import ParameterSource

from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.errors import UsageError

from .image_inputs import INPUTS
from .network_options import check_data, load, show_warnings

if TYPE_CHECKING:
    from gluon_cbam.data.records.recordio import RecordFile

SCORE_OPTIONS = [
    click.option('--score', is_flag=True, help='score the maps with the masks of --data-val instead of drawing them'),
    click.option('--data-val', '--rec-val', 'data_val', metavar='FILE', help='with --score: a .rec file with its .idx'),
    click.option('--masks', metavar='FILE', help='with --score: masks of its records  [the .masks.npz next to it]'),
    click.option(
        '--align',
        default='even',
        show_default=True,
        metavar='NAME',
        help='with --score: cells divide the image evenly, or are at their receptive fields: fields',
    ),
]
_DRAWING = (*INPUTS, 'output', 'stages', 'target', 'channels', 'method', 'samples', 'report', 'compare', 'overwrite')
_COLUMNS = ('pointing', 'energy', 'lift', 'iou', 'threshold', 'oracle_iou')


def score_network(
    ctx: click.Context,
    data_val: Optional[str],
    masks: Optional[str],
    align: str,
    layer: Optional[str],
    batch_size: int,
    workers: int,
    ignore_classes: bool,
    **options: Any,
) -> Tuple[Dict[str, Any], str]:
    """Compute localization metrics for the network that the options of ``cbam explain`` name.

    Args:
        ctx: click context of the command.
        data_val: path of the ``.rec`` file.
        masks: path of the masks of its records; default None, the ``.masks.npz`` next to it.
        align: alignment of the cells of a map with the image, ``even`` or ``fields``.
        layer: paths of blocks for Grad-CAM, separated by commas; default None, the last block before the pooling.
        batch_size: number of images in a batch.
        workers: number of decoding threads.
        ignore_classes: do not compare the names of the classes.
        **options: the other options of the command; the options of figures are ignored.

    Returns:
        The value for ``--json``, and the text.

    Raises:
        UsageError: images or options of figures are given, or ``--data-val`` or the weights are missing.
        DataError: the records, the masks or the weights are damaged.
    """
    from gluon_cbam.data.datasets.masks import MaskFile
    from gluon_cbam.explain.localization.evaluation import score_maps

    _check_options(ctx)
    if data_val is None:
        raise UsageError('--score needs --data-val FILE, a .rec file with masks')
    if options['params'] is None and options['pretrained'] is None:
        raise UsageError('--score needs weights: give --params FILE or --pretrained')
    loaded, _ = load(**{name: value for name, value in options.items() if name not in _DRAWING})
    records = cast('RecordFile', loaded.task.open_validation(data_val, loaded.classes))
    checked = check_data(loaded, data_val, ignore_classes, records)
    layers: List[Optional[str]] = [*layer.split(',')] if layer else [None]
    found = score_maps(loaded, records, MaskFile(records, masks), layers, align, batch_size, workers, progress_bar)
    show_warnings(checked)
    value = {
        'network': loaded.name,
        'params_sha256': loaded.params_sha256,
        'records': len(records),
        'align': align,
        'top1': found.top1,
        'maps': [{'name': name, **scores.as_dict()} for name, scores in found.maps.items()],
        'chance': [{'name': name, **scores.as_dict()} for name, scores in found.baselines.items()],
        **checked.as_dict(),
    }
    return value, f'{len(records)} records, each once: top-1 {found.top1:.4f}\n{_table(value)}'


def _check_options(ctx: click.Context) -> None:
    """Raise if images or options of figures are given."""
    parameters = {parameter.name: parameter for parameter in ctx.command.params}
    if ctx.params['images']:
        raise UsageError('--score takes the images of --data-val, and no others')
    for name in _DRAWING:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(f'{parameters[name].opts[0]} is for figures, and --score draws none')


def _table(value: Dict[str, Any]) -> str:
    from gluon_cbam.common.text_table import aligned

    lines = [*value['maps'], *({**line, 'name': f'baseline: {line["name"]}'} for line in value['chance'])]
    heads = ('map', *(column.replace('_', ' ') for column in _COLUMNS))
    return aligned([heads, *((line['name'], *(f'{line[column]:.3f}' for column in _COLUMNS)) for line in lines)])

"""Scoring a network with weights: ``cbam validate``."""

from __future__ import annotations

import click

from ..console import common_options, progress_bar, settings_options, weights_options
from ..errors import UsageError
from .loading import NETWORK, load


@click.command()
@settings_options('network')
@weights_options
@click.option('--data-val', '--rec-val', 'data_val', required=True, metavar='FILE', help='a .rec file with its .idx')
@click.option('--exported', metavar='FILE', help='what cbam export wrote: .onnx or -symbol.json, without --network')
@click.option('--engine', default='auto', show_default=True, help='of --exported: onnxruntime, openvino or mxnet')
@settings_options(*NETWORK[1:])
@common_options
def validate(data_val, exported, engine, batch_size, workers, params, pretrained, **settings):
    """Count every record of a file once: accuracy and loss."""
    from ..compat.threads import usable_cpus
    from ..data.recordio import RecordFile
    from ..evaluation import evaluate

    if exported:
        given = {'network': settings['network'], 'params': params, 'pretrained': pretrained}
        return _validate_exported(exported, engine, data_val, batch_size, workers or usable_cpus(), given)
    loaded, ctx = load(params=params, pretrained=pretrained, **settings)
    if loaded.params_sha256 is None:
        click.echo('cbam: no --params and no --pretrained: the weights are random', err=True)
    records = RecordFile(data_val)
    records.check_labels(loaded.classes)
    scored = evaluate(
        loaded.net, records, loaded.preprocessing, ctx, batch_size, workers or usable_cpus(), progress_bar
    )
    return {'network': loaded.name, 'params_sha256': loaded.params_sha256, **scored.as_dict()}, _text(scored, records)


def _validate_exported(exported, engine, data_val, batch_size, workers, given):
    from ..data.recordio import RecordFile
    from ..export.runtime import load_exported
    from ..export.scoring import evaluate

    for option, value in given.items():
        if value is not None:
            raise UsageError(f'--exported knows its network and weights: leave --{option} {value} out')
    loaded, records = load_exported(exported, engine), RecordFile(data_val)
    records.check_labels(loaded.require_classes())
    scored = evaluate(loaded, records, batch_size, workers, progress=progress_bar)
    value = {'network': loaded.name, 'params_sha256': loaded.params_sha256, **scored.as_dict()}
    return {**value, 'exported': exported, 'engine': loaded.engine}, _text(scored, records)


def _text(scored, records) -> str:
    return (
        f'{scored.records} of {len(records)} records, each once: top-1 {scored.top1:.4f}, top-5 {scored.top5:.4f}, '
        f'loss {scored.loss:.4f} ({scored.seconds:.1f} s)'
    )

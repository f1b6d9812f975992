"""Scoring a network with weights: ``cbam validate``."""

from __future__ import annotations

import click

from gluon_cbam.cli.options import settings_options, weights_options
from gluon_cbam.cli.output import common_options
from gluon_cbam.cli.progress import progress_bar

from .network_options import NETWORK, exported_options, load, load_exported


@click.command()
@settings_options('network')
@weights_options
@click.option('--data-val', '--rec-val', 'data_val', required=True, metavar='FILE', help='a .rec file with its .idx')
@exported_options
@settings_options(*NETWORK[1:])
@common_options
def validate(data_val, exported, engine, batch_size, workers, params, pretrained, **settings):
    """Count every record of a file once: accuracy and loss."""
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.data.records.recordio import RecordFile
    from gluon_cbam.tasks.classification.evaluation import evaluate

    if exported:
        loaded = load_exported(exported, engine, params=params, pretrained=pretrained, **settings)
        return _validate_exported(loaded, data_val, batch_size, workers or usable_cpus())
    loaded, ctx = load(params=params, pretrained=pretrained, **settings)
    if loaded.params_sha256 is None:
        click.echo('cbam: no --params and no --pretrained: the weights are random', err=True)
    records = RecordFile(data_val)
    records.check_labels(loaded.classes)
    scored = evaluate(
        loaded.net, records, loaded.preprocessing, ctx, batch_size, workers or usable_cpus(), progress_bar
    )
    return {'network': loaded.name, 'params_sha256': loaded.params_sha256, **scored.as_dict()}, _text(scored, records)


def _validate_exported(loaded, data_val, batch_size, workers):
    from gluon_cbam.data.records.recordio import RecordFile
    from gluon_cbam.export.scoring import evaluate

    records = RecordFile(data_val)
    records.check_labels(loaded.require_classes())
    scored = evaluate(loaded, records, batch_size, workers, progress=progress_bar)
    value = {'network': loaded.name, 'params_sha256': loaded.params_sha256, **scored.as_dict()}
    return {**value, 'exported': str(loaded.path), 'engine': loaded.engine}, _text(scored, records)


def _text(scored, records) -> str:
    return (
        f'{scored.records} of {len(records)} records, each once: top-1 {scored.top1:.4f}, top-5 {scored.top5:.4f}, '
        f'loss {scored.loss:.4f} ({scored.seconds:.1f} s)'
    )

"""Using a network with weights: ``cbam validate`` and ``cbam predict``."""

from __future__ import annotations

import click

from ..console import byte_progress, common_options, progress_bar, settings_options, weights_options
from ..errors import UsageError

_NETWORK = ('network', 'classes', 'image_size', 'crop_ratio', 'option', 'batch_size', 'gpus', 'cpus', 'workers')


def _load(network, params, pretrained, option, gpus, cpus, **changes):
    """The network that the options name, and its contexts."""
    from .. import devices
    from ..inference import load_network

    if not network:
        raise UsageError('--network is needed')
    ctx = devices.contexts(gpus, cpus)
    pretrained = True if pretrained == '' else pretrained
    with byte_progress(network) as progress:
        loaded = load_network(network, ctx, params, pretrained or False, options=option, progress=progress, **changes)
    return loaded, ctx


@click.command()
@settings_options('network')
@weights_options
@click.option('--data-val', '--rec-val', 'data_val', required=True, metavar='FILE', help='a .rec file with its .idx')
@click.option('--exported', metavar='FILE', help='what cbam export wrote: .onnx or -symbol.json, without --network')
@click.option('--engine', default='auto', show_default=True, help='of --exported: onnxruntime, openvino or mxnet')
@settings_options(*_NETWORK[1:])
@common_options
def validate(data_val, exported, engine, batch_size, workers, params, pretrained, **settings):
    """Count every record of a file once: accuracy and loss."""
    from ..compat.threads import usable_cpus
    from ..data.recordio import RecordFile
    from ..evaluation import evaluate

    if exported:
        given = {'network': settings['network'], 'params': params, 'pretrained': pretrained}
        return _validate_exported(exported, engine, data_val, batch_size, workers or usable_cpus(), given)
    loaded, ctx = _load(params=params, pretrained=pretrained, **settings)
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


@click.command()
@click.argument('images', nargs=-1, required=True, metavar='IMAGE...')
@settings_options('network')
@weights_options
@click.option('--top-k', default=5, show_default=True, type=click.IntRange(1), help='classes an image')
@settings_options(*_NETWORK[1:])
@common_options
def predict(images, top_k, batch_size, workers, params, pretrained, **settings):
    """Name what is on image files."""
    from ..compat.threads import usable_cpus
    from ..prediction import predict as run

    if params is None and pretrained is None:
        raise UsageError('predict needs weights: give --params FILE or --pretrained')
    loaded, ctx = _load(params=params, pretrained=pretrained, **settings)
    results = list(run(loaded, images, top_k, ctx[0], batch_size, workers or usable_cpus()))
    value = [
        {'file': file, 'top': [{'class': g.index, 'label': g.label, 'probability': g.probability} for g in guesses]}
        for file, guesses in results
    ]
    lines = [
        f'{file}: ' + ', '.join(f'{guess.label} {guess.probability:.4f}' for guess in guesses)
        for file, guesses in results
    ]
    return {'images': value}, '\n'.join(lines)

"""The command ``cbam``: it parses, calls the library and prints. What is done is in gluon_cbam and zoo.

Start-up imports click and nothing heavy; each command imports what it needs.
"""

from __future__ import annotations

import sys

import click

import gluon_cbam
from gluon_cbam.console import Group, common_options, progress_bar, settings_options, show_log, weights_options
from gluon_cbam.errors import UsageError
from gluon_cbam.training.config import TrainConfig


@click.group(cls=Group, context_settings={'help_option_names': ['-h', '--help']})
@click.version_option(gluon_cbam.__version__, prog_name='cbam')
def cli():
    """CBAM networks on MXNet 1.9.1 / Gluon: train, validate, predict."""


@cli.command()
@settings_options()
@common_options
@click.pass_context
def train(ctx, **settings):
    """Train a network on a RecordIO file."""
    from gluon_cbam.training import resumed_settings
    from gluon_cbam.training import train as run

    show_log()
    default = click.core.ParameterSource.DEFAULT
    given = {name: value for name, value in settings.items() if ctx.get_parameter_source(name) is not default}
    summary = run(TrainConfig(**resumed_settings(given)), progress=progress_bar)
    best = summary['best']
    text = f'{summary["epochs"]} epochs, {summary["steps"]} steps in {summary["seconds"]:.0f} s\n'
    if best:
        text += f'best top-1 {best["top1"]:.4f} in epoch {best["epoch"]}: {summary["output"]}/checkpoints/best.params\n'
    return summary, text + f'curves: {summary["output"]}/curves.png'


def _load(network, params, pretrained, option, gpus, cpus, **changes):
    """The network that the options name, and its contexts."""
    from gluon_cbam import devices
    from gluon_cbam.inference import load_network

    if not network:
        raise UsageError('--network is needed')
    ctx = devices.contexts(gpus, cpus)
    pretrained = True if pretrained == '' else pretrained
    return load_network(network, ctx, params, pretrained or False, options=option, **changes), ctx


_NETWORK = ('network', 'classes', 'image_size', 'crop_ratio', 'option', 'batch_size', 'gpus', 'cpus', 'workers')


@cli.command()
@settings_options('network')
@weights_options
@click.option('--data-val', '--rec-val', 'data_val', required=True, metavar='FILE', help='a .rec file with its .idx')
@settings_options(*_NETWORK[1:])
@common_options
def validate(data_val, batch_size, workers, params, pretrained, **settings):
    """Count every record of a file once: accuracy and loss."""
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.data.recordio import RecordFile
    from gluon_cbam.evaluation import evaluate

    loaded, ctx = _load(params=params, pretrained=pretrained, **settings)
    if loaded.params_sha256 is None:
        click.echo('cbam: no --params and no --pretrained: the weights are random', err=True)
    records = RecordFile(data_val)
    records.check_labels(loaded.classes)
    scored = evaluate(
        loaded.net, records, loaded.preprocessing, ctx, batch_size, workers or usable_cpus(), progress_bar
    )
    value = {'network': loaded.name, 'params_sha256': loaded.params_sha256, **scored.as_dict()}
    text = (
        f'{scored.records} of {len(records)} records, each once: top-1 {scored.top1:.4f}, top-5 {scored.top5:.4f}, '
        f'loss {scored.loss:.4f} ({scored.seconds:.1f} s)'
    )
    return value, text


@cli.command()
@click.argument('images', nargs=-1, required=True, metavar='IMAGE...')
@settings_options('network')
@weights_options
@click.option('--top-k', default=5, show_default=True, type=click.IntRange(1), help='classes an image')
@settings_options(*_NETWORK[1:])
@common_options
def predict(images, top_k, batch_size, workers, params, pretrained, **settings):
    """Name what is on image files."""
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.prediction import predict as run

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


@cli.command()
@click.argument('source_file', metavar='SRC')
@click.argument('output', metavar='DST')
@settings_options('network')
@click.option('--source', required=True, metavar='NAME', help='official, imgclsmob, modified or keras')
@click.option('--reverse', is_flag=True, help='from our parameters to those of the source')
@settings_options('classes', 'option')
@common_options
def convert(source_file, output, network, source, reverse, option, classes):
    """Convert parameters of other implementations to ours, or back with --reverse.

    SRC is .params, .npz, .pth, .pt or the prefix of a checkpoint PREFIX-0000.params; DST ends in .params and gets a
    card beside it. With --reverse, SRC is a .params file of ours or a run folder; DST ends in .npz, for imgclsmob
    also in .params, and is for modified also the prefix of PREFIX-symbol.json and PREFIX-0000.params.
    """
    from gluon_cbam.convert import checkpoint

    if not network:
        raise UsageError('--network is needed')
    run = checkpoint.to_source if reverse else checkpoint.from_source
    files = [str(path) for path in run(source_file, output, network, source, option, classes)]
    return {'network': network, 'source': source, 'input': source_file, 'files': files}, '\n'.join(files)


@cli.group()
def models():
    """The networks."""


@models.command('list')
@click.argument('pattern', default='*')
@common_options
def models_list(pattern):
    """Names, those that match a shell PATTERN such as 'cbam_*'."""
    names = gluon_cbam.list_models(pattern)
    return {'models': names}, '\n'.join(names)


@models.command('info')
@click.argument('name')
@settings_options('classes', 'image_size', 'option')
@common_options
def models_info(name, classes, image_size, option):
    """Parameters and multiply-adds of a network."""
    from gluon_cbam.models import get_model, variant
    from gluon_cbam.models.complexity import complexity

    size = image_size or variant(name).image_size
    net = get_model(name, classes=classes or 1000, **option)
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


@cli.group()
def data():
    """RecordIO files."""


@data.command('digits')
@click.argument('folder')
@common_options
def data_digits(folder):
    """Write scikit-learn's handwritten digits to FOLDER: 1,437 scans to train on, 360 held out."""
    from gluon_cbam.data.digits import write_digits

    counts = write_digits(folder)
    return {'output': folder, 'records': counts}, '\n'.join(
        f'{folder}/{name}: {n} records' for name, n in counts.items()
    )


@data.command('pack')
@click.argument('source')
@click.argument('output')
@click.option('--resize', type=click.IntRange(1), help='shorter side in pixels, encoded anew  [the original bytes]')
@click.option('--quality', type=click.IntRange(1, 100), default=95, show_default=True, help='of the JPEGs of --resize')
@click.option('--skip-bad', is_flag=True, help='leave out files that cannot be decoded')
@click.option('--root', help='folder where the paths of a .lst begin  [its own]')
@settings_options('workers')
@common_options
def data_pack(source, output, workers, **options):
    """Pack images to OUTPUT/*.rec, *.idx and classes.txt.

    SOURCE is a folder of class folders (gives train.rec), a folder with train/ and val/ of class folders, or a .lst
    file (gives a .rec of its name).
    """
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.data.packing import pack

    done = pack(source, output, workers=workers or usable_cpus(), progress=progress_bar, **options)
    files = [
        {'file': str(part.path), 'records': part.records, 'bad': part.bad, 'other_files': part.other} for part in done
    ]
    lines = []
    for part in done:
        lines.append(
            f'{part.path}: {part.records} records, {len(part.bad)} bad files left out, {part.other} other files'
        )
        lines += [f'  bad: {path}: {fault}' for path, fault in part.bad.items()]
    return {'output': output, 'files': files}, '\n'.join(lines)


@data.command('index')
@click.argument('file')
@common_options
def data_index(file):
    """Rebuild the .idx of a .rec FILE."""
    from gluon_cbam.data.recordio import index_path, rebuild_index

    count = rebuild_index(file)
    return {'index': str(index_path(file)), 'records': count}, f'{index_path(file)}: {count} records'


@cli.group('zoo')
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


@cli.command()
@common_options
@click.pass_context
def doctor(ctx):
    """What works on this machine, and what to do about the rest."""
    from gluon_cbam.doctor import diagnose

    checks = diagnose()
    ok = all(check.ok for check in checks)
    if not ok:
        ctx.call_on_close(lambda: sys.exit(3))
    lines = [
        f'{"ok  " if check.ok else "FAIL"} {check.name:8} {check.detail}'
        + (f'\n     -> {check.remedy}' if check.remedy else '')
        for check in checks
    ]
    return {'ok': ok, 'checks': [check.as_dict() for check in checks]}, '\n'.join(lines)


if __name__ == '__main__':
    cli()

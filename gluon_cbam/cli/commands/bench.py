"""``cbam bench``: speed and memory of a network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, List, Optional

import click

from gluon_cbam.benchmarks import MODES
from gluon_cbam.cli.options import settings_options
from gluon_cbam.cli.output import Result, common_options
from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.listing import listed

if TYPE_CHECKING:
    from gluon_cbam.benchmarks.context import BenchmarkContext

_NEED_DATA = ('validate', 'loader')
_TEXTURES = 400  # number of images in a generated file


@click.command()
@click.argument('mode', type=click.Choice(MODES), metavar='|'.join(MODES))
@settings_options('network')
@click.option('--params', metavar='FILE', help='measure the network of these weights: a parameter file or a run folder')
@click.option('--pretrained', metavar='TAG', help='measure the network of these published weights')
@settings_options('classes', 'image_size', 'option')
@click.option(
    '--batch-size', '-b', default=8, show_default=True, type=click.IntRange(1), metavar='N', help='images in a batch'
)
@settings_options('gpus', 'cpus', 'workers')
@click.option('--data', metavar='FILE', help='.rec file of validate and loader  [made: JPEGs of 500 x 375 pixels]')
@click.option('--task', metavar='NAME', help='of train and validate  [classification]')
@click.option('--with-decode', is_flag=True, help='predict includes the decoding of JPEG files')
@click.option('--against', metavar='NETWORK', help='another network, measured in turn')
@click.option(
    '--compare',
    metavar='ENGINE,...',
    help='the same network elsewhere, in turn: gluoncv2, gluoncv (detectors), torch, torch_compile, onnxruntime, '
    'openvino; or installed, those that are',
)
@click.option('--repetitions', default=10, show_default=True, type=click.IntRange(1), metavar='N', help='measured')
@click.option(
    '--warm-up',
    default=2,
    show_default=True,
    type=click.IntRange(0),
    metavar='N',
    help='repetitions before the measured ones',
)
@click.option(
    '--calls', default=1, show_default=True, type=click.IntRange(1), metavar='N', help='calls in a repetition'
)
@click.option(
    '--threads', type=click.IntRange(1), metavar='N', help='threads of the engine  [OMP_NUM_THREADS, or the cores]'
)
@common_options
def bench(
    mode: str,
    data: Optional[str],
    against: Optional[str],
    compare: Optional[str],
    repetitions: int,
    warm_up: int,
    **settings: Any,
) -> Result:
    """Measure the speed and the memory of a network.

    The mode is a training step, a whole validation, predictions on batches in memory, or the loader of training images.
    Each engine and network runs in a process of its own. Times are given for a batch; a repetition ends when all its
    queued work is done. --params and --pretrained only name the network, its options, classes and image size: the
    values of the parameters are new ones, which take the same time.

    At predict, the engines of --compare get the same weights and compute in float32. Their outputs are compared with
    ours before they are measured; outputs that differ are an error.
    """
    import tempfile

    from gluon_cbam.benchmarks import comparison, report
    from gluon_cbam.benchmarks.process import measure
    from gluon_cbam.common.machine_load import LoadMeter

    with tempfile.TemporaryDirectory(prefix='cbam-bench-') as folder:
        context = _context(mode, data, folder, _with_network(settings))
        fixed = _fixed_others(context, against, compare)
        engines = comparison.Comparison(context, compare or '')
        with comparison.same_weights([context, *fixed, *engines.contexts]) as contexts:
            meter = LoadMeter()
            measured = measure(contexts, repetitions, warm_up, progress_bar, engines.refused)
            load = meter.read()
    for engine, why in engines.left_out.items():
        click.echo(f'cbam: {engine} is left out: {why}', err=True)
    if load and load.busy:
        click.echo(f'cbam: {load.as_text()}: the figures are of a shared machine', err=True)
    result = report.as_dict(measured, repetitions, engines.left_out)
    return {**result, **(load.as_dict() if load else {})}, report.as_text(measured, repetitions, engines.left_out)


def _with_network(settings: Dict[str, Any]) -> Dict[str, Any]:
    """The settings, with the network that ``--params`` or ``--pretrained`` are of, and what their card says of it."""
    if not settings['params'] and not settings['pretrained']:
        return settings
    from gluon_cbam.pretrained.resolve import card_of  # imports mxnet, which the measuring process does without

    card = card_of(settings['params'], settings['pretrained'] or False, settings['network'])
    return {
        **settings,
        'network': card.network,
        'classes': settings['classes'] or card.classes,
        'image_size': settings['image_size'] or card.preprocessing.get('image_size'),
        'option': {**card.options, **settings['option']},
        'task': settings['task'] or card.task,
    }


def _context(mode: str, data: Optional[str], folder: str, settings: Dict[str, Any]) -> BenchmarkContext:
    """The context of our network; without ``data``, a file is generated in ``folder``."""
    from gluon_cbam.benchmarks.context import BenchmarkContext
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.models.registry import variant

    network, size = settings['network'], settings['image_size']
    if not network and mode != 'loader':
        raise UsageError('--network is needed, or --params RUN or --pretrained TAG, which name it')
    if settings['with_decode'] and mode != 'predict':
        raise UsageError(f'--with-decode is for predict, got {mode}: leave it out')
    if data and mode not in _NEED_DATA:
        raise UsageError(f'--data is for {listed(_NEED_DATA)}, got {mode}: leave it out')
    if mode != 'predict' or settings['with_decode']:
        _check_channels(settings['option'])
    row = variant(network) if network else None
    settings = {**settings, 'classes': settings['classes'] or getattr(row, 'classes', None)}
    if mode in _NEED_DATA and not data:
        data = _example(mode, folder, settings)
    return BenchmarkContext(
        mode=mode,
        network=network or '',
        batch=settings['batch_size'],
        image_size=size or (row.image_size if row else 224),
        classes=settings['classes'] or 1000,
        options=settings['option'],
        gpus=settings['gpus'],
        cpus=settings['cpus'],
        workers=settings['workers'] or usable_cpus(),
        data=data,
        with_decode=settings['with_decode'],
        calls=settings['calls'],
        task=settings['task'],
        threads=settings['threads'] or _threads(),
    )


def _check_channels(options: Dict[str, Any]) -> None:
    """Refuse a network whose channels are not those of images; batches of noise alone have any number of them."""
    from gluon_cbam.data.loading.preprocessing import CHANNELS

    channels = options.get('in_channels', 3)
    if channels not in CHANNELS:
        raise UsageError(f'--option in_channels={channels}: images have 1 or 3 channels; predict alone takes others')


def _example(mode: str, folder: str, settings: Dict[str, Any]) -> str:
    """A file of images for the loader, or of examples of another task to validate; returns its path."""
    from gluon_cbam.benchmarks.textures import write_detection_records, write_records
    from gluon_cbam.tasks import DEFAULT, get_task

    path, images, classes = f'{folder}/textures.rec', max(_TEXTURES, settings['batch_size']), settings['classes']
    task = get_task(settings['task'])
    if mode == 'loader' and task.finds_boxes:
        write_detection_records(path, images, classes or 10)
    elif mode == 'loader' or task.name == DEFAULT:
        write_records(path, images, classes or 10)
    else:
        task.write_example(path, images, classes or 1000)
    return path


def _threads() -> int:
    """The first number in OMP_NUM_THREADS, which is for the outer loops; default the number of physical cores."""
    from gluon_cbam.compat.threads import physical_cores

    chosen = os.environ.get('OMP_NUM_THREADS', '').partition(',')[0]
    return int(chosen) if chosen.isdigit() and int(chosen) else physical_cores()


def _fixed_others(context: BenchmarkContext, against: Optional[str], compare: Optional[str]) -> List[BenchmarkContext]:
    """What a network is measured beside whatever is installed: another network; a loader, the decoding alone."""
    if context.mode == 'loader':
        if against or compare:
            raise UsageError('loader is compared with bare decoding: leave --against and --compare out')
        return [context.replace(engine='cv2.imdecode', network='')]
    return [context.replace(network=against)] if against else []

"""What a network looks at: ``cbam explain``."""

from __future__ import annotations

import sys

import click

from gluon_cbam.cli.options import settings_options, weights_options
from gluon_cbam.cli.output import common_options
from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.errors import UsageError

from .explain_score import score_options, scored
from .network_options import NETWORK, load

_SHOWN = [
    click.option('--output', metavar='DIR', default='explained', show_default=True, help='folder of the pictures'),
    click.option('--stages', metavar='PATH,...', help="attentions to show, or 'all'  [the last one of each stage]"),
    click.option('--class', 'target', metavar='CLASS', help='Grad-CAM for this class too: its number or name'),
    click.option('--channels', type=click.IntRange(1), default=8, show_default=True, help='strongest channels a gate'),
    click.option('--method', default='gradcam', show_default=True, metavar='NAME', help='gradcam or gradcam++'),
    click.option(
        '--layer', metavar='PATH', help='block for Grad-CAM; several with --score  [the last before the pooling]'
    ),
    click.option('--report', is_flag=True, help='write report.html too, one file with all images'),
    click.option('--compare', metavar='NETWORK[=FILE|=TAG],...', help='one picture, Grad-CAM of these networks'),
]


def _shown_options(function):
    for option in reversed(_SHOWN):
        function = option(function)
    return function


@click.command()
@click.argument('images', nargs=-1, metavar='IMAGE...')
@settings_options('network')
@weights_options
@_shown_options
@score_options
@settings_options(*NETWORK[1:])
@common_options
@click.pass_context
def explain(ctx, images, compare, workers, score, data_val, masks, align, **options):
    """Show where a network looks on images: attention maps and Grad-CAM, a picture an image.

    Images that cannot be read are named, with exit code 4 at the end.

    With --score nothing is drawn: a table says how well the maps agree with the objects' masks of a .rec file.
    """
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.data.decoding import image_threads

    if score:
        return scored(ctx, data_val, masks, align, workers=workers or usable_cpus(), **options)
    if data_val or masks:
        raise UsageError('--data-val and --masks go with --score')
    if not images:
        raise UsageError('give images, or --score and --data-val')
    if bool(options['network']) == bool(compare):
        raise UsageError('give either --network or --compare')
    with image_threads(workers or usable_cpus()) as pool:
        made = _compare(images, pool, compare, **options) if compare else _explain(images, pool, **options)
    for bad in made.unreadable:
        click.echo(f'cbam: {bad.error}', err=True)
    if made.unreadable:
        click.echo(f'cbam: {len(made.unreadable)} of {len(images)} images could not be read', err=True)
        ctx.call_on_close(lambda: sys.exit(4))
    return made.as_dict(), made.as_text()


def _explain(images, pool, output, stages, target, channels, method, layer, report, batch_size, **options):
    """A picture for each image."""
    from gluon_cbam.data.sources.images import image_file
    from gluon_cbam.explain import explaining
    from gluon_cbam.explain.figures.folder import write

    if options['params'] is None and options['pretrained'] is None:
        raise UsageError('explain needs weights: give --params FILE or --pretrained')
    loaded, ctx = load(**options)
    index = None if target is None else explaining.class_index(target, loaded)
    wanted = explaining.Wanted(_listed(stages), index, method, layer)
    found = explaining.explain(loaded, map(image_file, images), wanted, ctx[0], batch_size, pool)
    return write(progress_bar(found, len(images)), output, images, loaded.name, method, channels, report)


def _compare(images, pool, compare, output, target, method, layer, batch_size, **options):
    """One picture of several networks."""
    from gluon_cbam.explain import explaining
    from gluon_cbam.explain.comparison import compare as run

    for name in ('params', 'pretrained', 'stages', 'report', 'option'):
        if options.pop(name):
            raise UsageError(f'--compare takes no --{name}')
    del options['network'], options['channels']

    def of_entry(entry):
        weights = {'params': entry.weights} if entry.is_file else {'pretrained': entry.weights or ''}
        loaded, ctx = load(
            **{'params': None, 'pretrained': None, **options, **weights}, network=entry.network, option={}
        )
        return loaded, ctx[0]

    wanted = explaining.Wanted(stages=(), method=method, layer=layer)
    return run(_listed(compare), of_entry, images, target, wanted, output, batch_size, pool)


def _listed(text):
    return None if text is None else [part.strip() for part in text.split(',') if part.strip()]

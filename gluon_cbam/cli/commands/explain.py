"""``cbam explain``: attention maps and Grad-CAM of images."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Union

import click

from gluon_cbam.cli.options import add_options, force_option, settings_options, weights_options
from gluon_cbam.cli.output import common_options
from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import refuse_existing
from gluon_cbam.common.printable import printable

from .explain_score import SCORE_OPTIONS, score_network
from .image_inputs import INPUTS, ImageInputs, input_options
from .network_options import NETWORK, load

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import mxnet as mx

    from gluon_cbam.explain.figures.output_directory import WrittenComparison, WrittenExplanations
    from gluon_cbam.inference.network import LoadedNetwork

_FIGURES = [
    click.option('--output', metavar='DIR', default='explained', show_default=True, help='directory of the figures'),
    click.option(
        '--stages', metavar='PATH,...', help="attention modules to show, or 'all'  [the last one of each stage]"
    ),
    click.option('--class', 'target', metavar='CLASS', help='Grad-CAM also for this class, a number or a name'),
    click.option(
        '--channels',
        type=click.IntRange(1),
        default=8,
        show_default=True,
        help='number of strongest channels to show for each gate',
    ),
    click.option('--method', default='gradcam', show_default=True, metavar='NAME', help='gradcam or gradcam++'),
    click.option('--layer', metavar='PATH', help='block for Grad-CAM; several with --score  [the last before pooling]'),
    click.option('--report', is_flag=True, help='also write report.html, one file with all images'),
    click.option('--compare', metavar='NETWORK=PARAMS,...', help='draw one figure with Grad-CAM of these networks'),
]


@click.command()
@click.argument('images', nargs=-1, metavar='[IMAGE]...')
@input_options
@settings_options('network')
@weights_options
@add_options(_FIGURES)
@add_options(SCORE_OPTIONS)
@settings_options(*NETWORK[1:], 'label_index', 'ignore_classes')
@force_option
@common_options
@click.pass_context
def explain(
    ctx: click.Context,
    images: Tuple[str, ...],
    compare: Optional[str],
    workers: Optional[int],
    score: bool,
    data_val: Optional[str],
    masks: Optional[str],
    align: str,
    **options: Any,
) -> Tuple[Dict[str, Any], str]:
    """Show what a network looks at: attention maps and Grad-CAM, one figure for each image.

    IMAGE is what 'cbam predict' takes: a file, a folder, a quoted pattern, a .rec file, a video, or - for one image on
    standard input. The true class is shown too where it is known: from the labels of a .rec, or from a class folder in
    a folder that is given. Images that cannot be read are reported, and the exit code is then 4.

    PARAMS of --compare is a parameter file, a run folder or a tag; without =PARAMS, it is the published weights. The
    networks are compared on --class, else on the true class, else on the class that the first network predicts.

    With --score, nothing is drawn: a table shows localization metrics of the maps against the masks of a .rec file.
    """
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.data.decoding import image_threads

    inputs = ImageInputs(images, *(options.pop(name) for name in INPUTS))
    inputs = replace(inputs, label_index=options['label_index'])
    if score:
        return score_network(ctx, data_val, masks, align, workers=workers or usable_cpus(), **options)
    if data_val or masks:
        raise UsageError('--data-val and --masks go with --score')
    if not inputs.given:
        raise UsageError('give images, or --score and --data-val')
    given = [compare, *(options[name] for name in ('network', 'params', 'pretrained'))]
    if all(given[:2]) or given == [None] * 4:
        raise UsageError('give either --network or --compare, or --params or --pretrained, which name their network')
    with image_threads(workers or usable_cpus()) as pool:
        written: Union[WrittenComparison, WrittenExplanations]
        written = _compare(inputs, pool, compare, **options) if compare else _explain(inputs, pool, **options)
    if written.unreadable:
        from gluon_cbam.inference.formats import Tally

        tally = Tally(written.count)
        for bad in written.unreadable:
            tally.add_failed(bad.image.name, bad.error)
        click.echo(f'cbam: {printable(tally.text())}', err=True)
        ctx.call_on_close(lambda: sys.exit(4))
    return {**written.as_dict(), 'left_out': inputs.left_out.as_dict()}, written.as_text()


def _explain(
    inputs: ImageInputs,
    pool: Executor,
    output: str,
    stages: Optional[str],
    target: Optional[str],
    channels: int,
    method: str,
    layer: Optional[str],
    report: bool,
    batch_size: int,
    overwrite: bool,
    **options: Any,
) -> WrittenExplanations:
    """Write a figure for each image."""
    from gluon_cbam.explain.figures.output_directory import write_explanations
    from gluon_cbam.explain.images.classes import class_index, output_names
    from gluon_cbam.explain.images.pipeline import ExplainOptions, explain_images

    if options['params'] is None and options['pretrained'] is None:
        raise UsageError('explain needs weights: give --params FILE or --pretrained')
    del options['ignore_classes']
    files, images = inputs.files_and_sources(output)
    loaded, ctx = load(**options)
    index = None if target is None else class_index(target, loaded)
    wanted = ExplainOptions(None if stages is None else _split(stages), index, method, layer)
    explained = explain_images(loaded, images, wanted, ctx[0], batch_size, pool)
    return write_explanations(
        progress_bar(explained, None),
        output,
        files,
        loaded.name,
        output_names(loaded),
        method,
        channels,
        report,
        overwrite,
    )


def _compare(
    inputs: ImageInputs,
    pool: Executor,
    compare: str,
    output: str,
    target: Optional[str],
    method: str,
    layer: Optional[str],
    batch_size: int,
    overwrite: bool,
    ignore_classes: bool,
    **options: Any,
) -> WrittenComparison:
    """Write one figure that compares several networks."""
    from gluon_cbam.explain.figures.output_directory import COMPARISON, write_comparison
    from gluon_cbam.explain.images.comparison import COMPARE_FORM, Contender, compare_networks, parse_contenders
    from gluon_cbam.explain.images.pipeline import ExplainOptions

    refuse_existing([Path(output) / COMPARISON], overwrite)  # before the networks are loaded
    for name in ('params', 'pretrained', 'stages', 'report', 'option'):
        if options.pop(name):
            raise UsageError(f'--compare takes no --{name}')
    del options['network'], options['channels']

    def load_contender(contender: Contender) -> Tuple[LoadedNetwork, mx.Context]:
        weights = {'params': contender.weights} if contender.is_file else {'pretrained': contender.weights or ''}
        try:
            loaded, ctx = load(
                **{'params': None, 'pretrained': None, **options, **weights}, network=contender.network, option={}
            )
        except UsageError as error:
            raise UsageError(f'{error} ({COMPARE_FORM}, got {contender.text!r})') from None
        return loaded, ctx[0]

    wanted = ExplainOptions(stages=(), method=method, layer=layer)
    contenders = parse_contenders(_split(compare))
    files, images = inputs.files_and_sources(output)
    comparison = compare_networks(
        contenders, load_contender, list(images), target, wanted, batch_size, pool, ignore_classes
    )
    return write_comparison(comparison, output, files, method, overwrite)


def _split(text: str) -> List[str]:
    """Split a text at its commas."""
    return [part.strip() for part in text.split(',') if part.strip()]

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
from gluon_cbam.common.folders import refuse_unwritable
from gluon_cbam.common.printable import printable

from .explain_boxes import check_box_method, explained_boxes, finds_boxes
from .explain_methods import exported_explainer, network_explainer
from .explain_pair import explain_pair_of
from .explain_score import SCORE_OPTIONS, score_network
from .image_inputs import INPUTS, ImageInputs, input_options
from .network_options import NETWORK, PLACEMENT, exported_options, require_exported, show_verification

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from gluon_cbam.explain.figures.output_directory import WrittenComparison, WrittenExplanations
    from gluon_cbam.explain.images.explainer import Explainer
    from gluon_cbam.explain.images.network_explainer import NetworkExplainer
    from gluon_cbam.export.runtime import ExportedNetwork

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
    click.option(
        '--method',
        metavar='NAME',
        help='gradcam, gradcam++, occlusion or rise  [gradcam; with --exported, which has no gradients, occlusion]',
    ),
    click.option('--samples', type=click.IntRange(1), metavar='N', help='random masks of --method rise  [1000]'),
    click.option('--layer', metavar='PATH', help='block for Grad-CAM; several with --score  [the last before pooling]'),
    click.option('--report', is_flag=True, help='also write report.html, one file with all images'),
    click.option(
        '--pair', metavar='IMAGE', help='explain the similarity to this image, of a network that gives embeddings'
    ),
    click.option(
        '--boxes',
        type=click.IntRange(1),
        metavar='N',
        help='number of boxes to explain in an image, of a detector  [3]',
    ),
    click.option('--compare', metavar='NETWORK=PARAMS,...', help='draw one figure with Grad-CAM of these networks'),
]


@click.command()
@click.argument('images', nargs=-1, metavar='[IMAGE]...')
@input_options
@settings_options('network')
@weights_options
@exported_options
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
    pair: Optional[str],
    boxes: Optional[int],
    workers: Optional[int],
    score: bool,
    data_val: Optional[str],
    masks: Optional[str],
    align: str,
    exported: Optional[str],
    **options: Any,
) -> Tuple[Dict[str, Any], str]:
    """Show what a network looks at: attention maps and Grad-CAM, one figure for each image.

    IMAGE is what 'cbam predict' takes: a file, a folder, a quoted pattern, a .rec file, a video, or - for one image on
    standard input. The true class is shown too where it is known: from the labels of a .rec, or from a class folder in
    a folder that is given. Images that cannot be read are reported, and the exit code is then 4.

    PARAMS of --compare is a parameter file, a run folder or a tag; without =PARAMS, it is the published weights. The
    networks are compared on --class, else on the true class, else on the class that the first network predicts.

    Of a detector, a map shows for each of the surest boxes what speaks for it.

    With --pair, Grad-CAM shows which parts of two faces speak for one person: the map is of the cosine similarity of
    their embeddings, on either image.

    An exported file is explained by the methods that only run the network: occlusion and rise.

    With --score, nothing is drawn: a table shows localization metrics of the maps against the masks of a .rec file.
    """
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.data.decoding import image_threads

    inputs = ImageInputs(images, *(options.pop(name) for name in INPUTS))
    inputs = replace(inputs, label_index=options['label_index'])
    placement = {name: options.pop(name) for name in PLACEMENT}
    if exported is None:
        require_exported(placement)
    if (exported or boxes) and (score or compare or pair):
        what = f'--exported {exported}' if exported else f'--boxes {boxes}'
        raise UsageError(f'{what} is explained image by image: leave --score, --compare and --pair out')
    if pair and (score or compare):
        raise UsageError('--pair explains one network and two images: leave --score and --compare out')
    if score:
        return score_network(ctx, data_val, masks, align, workers=workers or usable_cpus(), **options)
    if data_val or masks:
        raise UsageError('--data-val and --masks go with --score')
    if not inputs.given:
        raise UsageError('give images, or --score and --data-val')
    refuse_unwritable(options['output'])
    given = [compare or exported, *(options[name] for name in ('network', 'params', 'pretrained'))]
    if compare and all(given[:2]) or given == [None] * 4:
        raise UsageError('give either --network or --compare, or --params, --pretrained or --exported, which name it')
    with image_threads(workers or usable_cpus()) as pool:
        written: Union[WrittenComparison, WrittenExplanations]
        engine: Dict[str, Any] = {}
        if compare:
            written = _compare(inputs, pool, compare, **options)
        elif pair:
            written, engine = explain_pair_of(inputs, pair, **options)
        else:
            written, engine = _explain(inputs, pool, exported, placement, boxes, **options)
    if written.unreadable:
        from gluon_cbam.inference.formats import Tally

        tally = Tally(written.count)
        for bad in written.unreadable:
            tally.add_failed(bad.image.name, bad.error)
        click.echo(f'cbam: {printable(tally.text())}', err=True)
        ctx.call_on_close(lambda: sys.exit(4))
    return {**written.as_dict(), 'left_out': inputs.left_out.as_dict(), **engine}, written.as_text()


def _explain(
    inputs: ImageInputs,
    pool: Executor,
    exported: Optional[str],
    placement: Dict[str, Any],
    boxes: Optional[int],
    output: str,
    stages: Optional[str],
    target: Optional[str],
    channels: int,
    method: Optional[str],
    report: bool,
    batch_size: int,
    overwrite: bool,
    ignore_classes: bool,
    **options: Any,
) -> Tuple[WrittenExplanations, Dict[str, Any]]:
    """Write a figure for each image; with the values of an engine for --json."""
    from gluon_cbam.explain.figures.output_directory import write_explanations
    from gluon_cbam.explain.images.classes import class_index, output_names
    from gluon_cbam.explain.images.pipeline import ExplainOptions, explain_images

    method = method or ('gradcam' if exported is None else 'occlusion')
    if exported is None and options['params'] is None and options['pretrained'] is None:
        raise UsageError('explain needs weights: give --params FILE, --pretrained or --exported FILE')
    files, images = inputs.files_and_sources(output)
    explainer: Explainer
    network: Optional[ExportedNetwork] = None
    if exported is None:
        explainer = network_explainer(method, batch_size, **options)
    else:
        explainer, network = exported_explainer(exported, placement, method, batch_size, stages, **options)
    loaded = explainer.explained
    index = None if target is None else class_index(target, loaded)
    modules = None if stages is None else _split(stages)
    if finds_boxes(loaded):
        check_box_method(loaded, method)  # an exported file, too
        explained = explained_boxes(explainer, images, boxes, index, modules)
    elif boxes:
        raise UsageError(f'--boxes {boxes} is for detectors, and {loaded.name} is none: leave it out')
    else:
        explained = explain_images(explainer, images, ExplainOptions(modules, index), batch_size, pool)
    names = output_names(loaded)
    shown = progress_bar(explained, None)
    written = write_explanations(shown, output, files, loaded.name, names, method, channels, report, overwrite)
    show_verification(network)  # of the first batch too
    return written, {} if network is None else network.engine_as_dict()


def _compare(
    inputs: ImageInputs,
    pool: Executor,
    compare: str,
    output: str,
    target: Optional[str],
    method: Optional[str],
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

    method = method or 'gradcam'

    def load_contender(contender: Contender) -> NetworkExplainer:
        weights = {'params': contender.weights} if contender.is_file else {'pretrained': contender.weights or ''}
        try:
            settings = {'params': None, 'pretrained': None, **options, **weights, 'option': {}}
            return network_explainer(method, batch_size, network=contender.network, **settings)
        except UsageError as error:
            raise UsageError(f'{error} ({COMPARE_FORM}, got {contender.text!r})') from None

    wanted = ExplainOptions(stages=())
    contenders = parse_contenders(_split(compare))
    files, images = inputs.files_and_sources(output)
    comparison = compare_networks(
        contenders, load_contender, list(images), target, wanted, batch_size, pool, ignore_classes
    )
    return write_comparison(comparison, output, files, method, overwrite)


def _split(text: str) -> List[str]:
    """Split a text at its commas."""
    return [part.strip() for part in text.split(',') if part.strip()]

"""``cbam faces verify``: figures of verification sets, from a network or from a file of embeddings."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import click

from gluon_cbam.cli.options import force_option
from gluon_cbam.cli.output import common_options
from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.printable import printable

from .faces_network import (
    ORIGIN_SHOWN,
    encoder_options,
    names_encoder,
    open_encoder,
    show_resized,
    show_verification,
    template_weights_option,
)

if TYPE_CHECKING:
    from gluon_cbam.recognition.verification import VerifiedPairs


@click.command()
@click.argument('sets', nargs=-1, metavar='[SET]...')
@click.option('--pictures', metavar='DIR', help='folder of the pictures of a SET that is a list  [its own folder]')
@click.option('--embeddings', metavar='FILE', help='a file of cbam faces embed instead of a network; needs --pairs')
@click.option('--pairs', metavar='FILE', help='list of pairs of the images in --embeddings')
@click.option('--templates', metavar='FILE', help='list of templates of the images in --embeddings; --pairs are theirs')
@template_weights_option
@click.option(
    '--distance',
    type=click.Choice(['euclidean', 'cosine']),
    default='euclidean',
    show_default=True,
    help='unit of thresholds: squared Euclidean distances, or cosine similarities',
)
@click.option('--output', metavar='DIR', help='write a report: report.html, plots, and sheets of the worst pairs')
@encoder_options
@force_option
@common_options
def verify(
    sets: Tuple[str, ...],
    pictures: Optional[str],
    embeddings: Optional[str],
    pairs: Optional[str],
    templates: Optional[str],
    weights: str,
    distance: str,
    output: Optional[str],
    overwrite: bool,
    **options: Any,
) -> Tuple[Dict[str, Any], str]:
    """Verify pairs of faces: 10-fold accuracy, VAL, AUC, EER and TAR at FAR, with intervals of 95 %.

    SET is a .bin of insightface, an .npz of this package, a list of pairs (.txt of LFW, .csv) or a folder with one. The
    protocol is that of insightface: the embeddings of an image and its mirror image are added and normalized, and the
    threshold of each fold is the best of the others. Every image is embedded once.

    --pairs of images are a list as above. With --templates, a CSV file with the columns template, media, image and
    optionally subject and score as of IJB, they are a CSV file with the columns a, b and, without subjects, same.
    """
    from gluon_cbam.common.files import refuse_existing

    if bool(sets) == bool(embeddings) or bool(embeddings) != bool(pairs) or (templates and sets):
        raise UsageError('give verification sets and a network, or --embeddings FILE with --pairs FILE')
    if output:  # before the work
        from gluon_cbam.recognition.report.verification_page import report_files

        refuse_existing(report_files([Path(name).stem for name in sets or (str(pairs),)], output), overwrite)
    if embeddings:
        about, results = _of_file(embeddings, str(pairs), templates, weights, options)
    else:
        about, results = _of_network(sets, pictures, options)
    value = {**about, 'distance': distance, 'sets': [result.as_dict(distance) for result in results], 'report': None}
    lines = [line for result in results for line in _lines(result, distance)]
    if output:
        from gluon_cbam.recognition.report.verification_page import write_report

        shown = {name: value for name, value in about.items() if name in ORIGIN_SHOWN}
        value['report'] = str(write_report(results, shown, output, overwrite))
        lines.append(f'report: {value["report"]}')
    return value, '\n'.join(lines)


def _of_file(
    path: str, pairs: str, templates: Optional[str], weights: str, options: Dict[str, Any]
) -> Tuple[Dict[str, Any], List[VerifiedPairs]]:
    """What made the embeddings of a file, and the figures of a list of pairs of images or of templates."""
    from gluon_cbam.recognition.embedding_files import read_embeddings
    from gluon_cbam.recognition.templates import pool_templates, read_templates
    from gluon_cbam.recognition.verification import verify_file, verify_templates

    if names_encoder(**options):
        raise UsageError('--embeddings are of a network already: leave --params, --pretrained and --exported out')
    file = read_embeddings(path)
    about = {'embeddings': path, **file.about}
    if templates is None:
        return about, [verify_file(file, pairs)]
    pooled = pool_templates(file, read_templates(templates), weights)
    return {**about, 'templates': templates, 'weights': weights}, [verify_templates(pooled, pairs)]


def _of_network(
    sets: Tuple[str, ...], pictures: Optional[str], options: Dict[str, Any]
) -> Tuple[Dict[str, Any], List[VerifiedPairs]]:
    """What computed the embeddings, and the figures of each set."""
    from gluon_cbam.data.faces.verification_sets import open_verification_set
    from gluon_cbam.recognition.verification import verify_set
    from gluon_cbam.tasks.faces.metrics.verification import check_protocol

    opened = [open_verification_set(path, pictures) for path in sets]  # before the network is loaded
    for data in opened:
        check_protocol(data.same, data.folds, str(data.path))
    encoder, network = open_encoder(**options)
    results = []
    for data in opened:
        result = verify_set(encoder, data, partial(progress_bar, text=data.name))
        size = encoder.session.preprocessing.image_size
        show_resized(result.resized, result.images, result.first_resized, size)
        results.append(result)
    show_verification(network)
    return {**encoder.origin, **({} if network is None else network.engine_as_dict())}, results


def _lines(result: VerifiedPairs, distance: str) -> List[str]:
    """The human-readable figures of a set."""
    from gluon_cbam.recognition.report.figure_texts import figure_rows, threshold_text

    seconds = f', {result.seconds:.1f} s'
    lines = [f'{printable(result.name)}: {result.images} images, each embedded once{seconds}']
    lines += [f'  {name:18} {text}' for name, text in figure_rows(result)]
    lines.append(f'  {"threshold":18} {threshold_text(result, distance)}')
    if result.mean_norm is not None:
        lines.append(f'  {"mean norm":18} {result.mean_norm:.3f}')
    return lines

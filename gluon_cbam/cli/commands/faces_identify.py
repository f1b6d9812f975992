"""``cbam faces identify``: probes in a gallery, closed and open set, of images, embeddings or templates."""

from __future__ import annotations

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
    from gluon_cbam.recognition.identifying import Identified, Labelled

_MISTAKES = 10  # that --json lists


@click.command()
@click.option('--gallery', required=True, multiple=True, metavar='PATH', help='images of known persons, or embeddings')
@click.option('--probes', required=True, multiple=True, metavar='PATH', help='images to identify, or embeddings')
@click.option(
    '--embeddings', metavar='FILE', help='embeddings of the images of templates; --gallery and --probes are lists then'
)
@template_weights_option
@click.option('--cmc', metavar='FILE', help='draw the CMC curve as PNG')
@click.option('--output', metavar='DIR', help='write a report: report.html, plots, and sheets of the worst probes')
@click.option('--ignore-weights', is_flag=True, help='compare embeddings of other or unknown weights')
@encoder_options
@force_option
@common_options
def identify(
    gallery: Tuple[str, ...],
    probes: Tuple[str, ...],
    embeddings: Optional[str],
    weights: str,
    cmc: Optional[str],
    output: Optional[str],
    ignore_weights: bool,
    overwrite: bool,
    **options: Any,
) -> Tuple[Dict[str, Any], str]:
    """Identify the persons on probes in a gallery: rank-1, rank-5, CMC, and DIR at FAR.

    --gallery and --probes are folders with a folder for each person, .rec files, or files of 'cbam faces embed' with
    labels. Probes of persons that the gallery does not have are those of the open set: without any, DIR at FAR is left
    out.

    With --embeddings, they are lists of templates as of IJB: CSV files with the columns template, media, image and
    subject, and optionally score, the detector's. Frames of a medium are averaged, then media are added.
    """
    from gluon_cbam.common.files import atomic_path, refuse_existing
    from gluon_cbam.recognition.identifying import identify as run
    from gluon_cbam.recognition.report.identification_page import report_files, write_report

    refuse_existing([*([cmc] if cmc else []), *(report_files(output) if output else [])], overwrite)  # before the work
    sides, about = (_templates if embeddings else _sides)(
        {'gallery': gallery, 'probes': probes}, embeddings, weights, ignore_weights, options
    )
    found = run(*sides)
    value = {**about, **found.as_dict(), 'mistakes': found.mistakes(_MISTAKES), 'report': None}
    lines = _lines(found)
    if cmc:
        from gluon_cbam.recognition.report.plots import draw_cmc

        with atomic_path(cmc) as temporary:
            draw_cmc(found.scores.cmc, temporary)
    if output:
        shown = {name: about[name] for name in ORIGIN_SHOWN if name in about}
        value['report'] = str(write_report(found, shown, output, overwrite))
        lines.append(f'report: {value["report"]}')
    return value, '\n'.join(lines)


def _templates(
    paths: Dict[str, Tuple[str, ...]], embeddings: Optional[str], weights: str, ignore: bool, options: Dict[str, Any]
) -> Tuple[List[Labelled], Dict[str, Any]]:
    """Gallery and probes from lists of templates, and what made the embeddings."""
    from gluon_cbam.recognition.embedding_files import read_embeddings
    from gluon_cbam.recognition.identifying import labelled_templates
    from gluon_cbam.recognition.templates import pool_templates, read_templates

    if names_encoder(**options):
        raise UsageError('--embeddings are of a network already: leave --params, --pretrained and --exported out')
    if any(len(lists) > 1 for lists in paths.values()):
        raise UsageError('--embeddings takes one list of templates for --gallery and one for --probes')
    file = read_embeddings(str(embeddings))
    sides = [
        labelled_templates(pool_templates(file, read_templates(path), weights), path) for (path,) in paths.values()
    ]
    return sides, {'embeddings': embeddings, 'weights': weights, **file.about}


def _sides(
    paths: Dict[str, Tuple[str, ...]], embeddings: Optional[str], weights: str, ignore: bool, options: Dict[str, Any]
) -> Tuple[List[Labelled], Dict[str, Any]]:
    """Gallery and probes from images or files of embeddings, and what made the embeddings."""
    from gluon_cbam.data.sources.images import open_images
    from gluon_cbam.recognition.embedding_files import EmbeddingFile, read_embeddings
    from gluon_cbam.recognition.embedding_formats import is_embedding_file
    from gluon_cbam.recognition.identifying import labelled_file, labelled_images
    from gluon_cbam.recognition.origins import check_origins

    files: Dict[str, EmbeddingFile] = {}
    for side, names in paths.items():
        if any(map(is_embedding_file, names)):
            if len(names) > 1:
                raise UsageError(f'--{side} takes images, or one file of embeddings, not both')
            files[side] = read_embeddings(names[0])
    sources = {side: open_images(names) for side, names in paths.items() if side not in files}
    if bool(sources) != names_encoder(**options):
        missing = 'images need a network' if sources else 'files of embeddings need no network'
        raise UsageError(f'{missing}: --params FILE, --pretrained or --exported FILE')
    found: Dict[str, Labelled] = {side: labelled_file(file) for side, file in files.items()}
    about: Dict[str, Any] = next(iter(files.values())).about if files else {}
    if sources:
        encoder, network = open_encoder(**options)
        about, size = encoder.origin, encoder.session.preprocessing.image_size
        for side, images in sources.items():
            found[side], resized = labelled_images(
                encoder, images, f'--{side}', lambda encoded: progress_bar(encoded, None)
            )
            show_resized(len(resized), len(found[side].names), resized[0] if resized else None, size)
        show_verification(network)
    for file in files.values():
        where = 'the network' if sources else str(files['gallery'].path)
        check_origins(file, about, where, ignore)
    return [found['gallery'], found['probes']], about


def _lines(found: Identified) -> List[str]:
    """The human-readable figures."""
    from gluon_cbam.recognition.report.figure_texts import identification_rows

    lines = [f'  {name:18} {text}' for name, text in identification_rows(found)]
    for mistake in found.mistakes(3):
        lines.append(
            printable(
                f'  mistaken: {mistake["image"]} ({mistake["label"]}) for {mistake["found"]}, similarity '
                f'{mistake["similarity"]:.4f}, rank {mistake["rank"]}'
            )
        )
    return lines

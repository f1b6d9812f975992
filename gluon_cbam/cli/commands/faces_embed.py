"""``cbam faces embed``: a file with the embeddings of images."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

import click

from gluon_cbam.cli.options import force_option
from gluon_cbam.cli.output import common_options
from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.printable import printable

from .faces_network import encoder_options, open_encoder, show_resized, show_verification
from .image_inputs import INPUTS, ImageInputs, input_options

if TYPE_CHECKING:
    from gluon_cbam.export.runtime import ExportedNetwork
    from gluon_cbam.recognition.embedding_parts import PartSummary
    from gluon_cbam.recognition.embedding_run import WrittenEmbeddings
    from gluon_cbam.recognition.encoder import Encoder


@click.command()
@click.argument('images', nargs=-1, metavar='[IMAGE]...')
@click.option('-o', '--output', required=True, metavar='FILE', help='.npy, .npz or .csv')
@click.option('--normalized/--raw', default=True, show_default=True, help='divide the embeddings by their norms')
@input_options
@encoder_options
@force_option
@common_options
@click.pass_context
def embed(
    ctx: click.Context, images: Tuple[str, ...], output: str, normalized: bool, overwrite: bool, **options: Any
) -> Tuple[Dict[str, Any], str]:
    """Write the embeddings of images to a file, with their names and labels.

    IMAGE is what 'cbam predict' takes: a file, a folder, a quoted pattern, a .rec file or a video. The label of an
    image is that of its record, or the name of the folder that it is in. A run that was stopped or killed is continued
    by the same command. Images that cannot be read are left out and reported at the end, with exit code 4.
    """
    from gluon_cbam.common.files import refuse_existing
    from gluon_cbam.recognition.embedding_formats import written_files
    from gluon_cbam.recognition.embedding_run import embed_images

    inputs = ImageInputs(images, *(options.pop(name) for name in INPUTS))
    if inputs.camera is not None:
        raise UsageError('--camera has no end that a file of embeddings could wait for: record a video first')
    refuse_existing(written_files(output), overwrite)  # before the network is loaded
    sources = inputs.sources()
    encoder, network = open_encoder(**options)
    written = embed_images(encoder, sources, output, normalized, overwrite, lambda each: progress_bar(each, None))
    _report(ctx, written.summary, encoder)
    show_verification(network)
    return _value(written, encoder, network, inputs), _text(written)


def _report(ctx: click.Context, summary: PartSummary, encoder: Encoder) -> None:
    """Say which images were resized or could not be read; with the latter, the command ends with exit code 4."""
    from gluon_cbam.inference.formats import Tally

    size = encoder.session.preprocessing.image_size
    show_resized(summary.resized, summary.images, summary.first_resized, size)
    tally = Tally(summary.images)
    for name, error in summary.errors:
        tally.add_failed(name, f'{name}: {error}')
    if tally.failed:
        click.echo(f'cbam: {printable(tally.text())}', err=True)
        ctx.call_on_close(lambda: sys.exit(4))


def _value(
    written: WrittenEmbeddings, encoder: Encoder, network: Optional[ExportedNetwork], inputs: ImageInputs
) -> Dict[str, Any]:
    """The value for ``--json``."""
    summary = written.summary
    return {
        'files': [str(path) for path in written.files],
        'embeddings': summary.readable,
        'dimension': summary.dimension,
        'mean_norm': summary.norms / summary.readable,
        'resized': summary.resized,
        'failed': [{'image': name, 'error': error} for name, error in summary.errors],
        'continued': written.continued,
        **encoder.origin,
        'left_out': inputs.left_out.as_dict(),
        **({} if network is None else network.engine_as_dict()),
    }


def _text(written: WrittenEmbeddings) -> str:
    summary = written.summary
    before = f', {written.continued} images were done before' if written.continued else ''
    return (
        f'{", ".join(map(str, written.files))}: {summary.readable} embeddings of {summary.dimension} numbers, '
        f'mean norm {summary.norms / summary.readable:.3f}{before}'
    )

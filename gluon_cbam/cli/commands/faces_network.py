"""The network or the exported file that gives the embeddings of ``cbam faces``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Optional, Tuple

import click

from gluon_cbam.cli.options import settings_options, weights_options
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.image_size import ImageSize, shown_image_size
from gluon_cbam.common.printable import printable

from .network_options import (
    PLACEMENT,
    exported_options,
    load,
    load_exported,
    require_exported,
    show_verification,
)

if TYPE_CHECKING:
    from gluon_cbam.export.runtime import ExportedNetwork
    from gluon_cbam.recognition.encoder import Encoder

ORIGIN_SHOWN = ('network', 'params_sha256', 'flip', 'exported', 'embeddings')
"""What reports say of the embeddings."""
_SETTINGS = ('image_size', 'crop_ratio', 'resize', 'option', 'batch_size', 'gpus', 'cpus', 'workers')


template_weights_option = click.option(
    '--weights',
    type=click.Choice(['score-norm', 'score', 'norm', 'none']),
    default='score-norm',
    show_default=True,
    help='weights of the images of a template: detector score x norm, one of them, or none',
)


def encoder_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name a network with embeddings to a command.

    Args:
        function: the command; it gets the values of the options, for :func:`open_encoder`.

    Returns:
        The command.
    """
    flip = click.option(
        '--flip/--no-flip', default=True, show_default=True, help='add the embedding of the mirror image'
    )
    for decorate in (
        settings_options(*_SETTINGS),
        exported_options,
        flip,
        weights_options,
        settings_options('network'),
    ):
        function = decorate(function)
    return function


def open_encoder(
    exported: Optional[str], batch_size: int, workers: Optional[int], flip: bool, **settings: Any
) -> Tuple[Encoder, Optional[ExportedNetwork]]:
    """The encoder that the options of :func:`encoder_options` name, and the exported file.

    Raises:
        UsageError: no weights are given, or the network gives no embeddings.
        DataError: the weights are damaged or do not fit.
        EnvironmentProblem: a device or an engine does not exist.
    """
    from gluon_cbam.compat.threads import usable_cpus
    from gluon_cbam.recognition.encoder import encoder_of_export, encoder_on_devices

    workers = workers or usable_cpus()
    placement = {name: settings.pop(name) for name in PLACEMENT}
    if exported is not None:
        network = load_exported(exported, placement, classes=None, **settings)
        return encoder_of_export(network, flip, batch_size, workers), network
    require_exported(placement)
    if settings['params'] is None and settings['pretrained'] is None:
        raise UsageError('embeddings need weights: give --params FILE, --pretrained or --exported FILE')
    return encoder_on_devices(*load(**settings), flip, batch_size, workers), None


def names_encoder(**settings: Any) -> bool:
    """Whether the options of :func:`encoder_options` name weights."""
    return any(settings[name] is not None for name in ('params', 'pretrained', 'exported'))


def show_resized(resized: int, images: int, first: Optional[Tuple[Any, ...]], image_size: ImageSize) -> None:
    """Say that images had another size than the network's input, since faces are aligned to it."""
    if resized and first:
        name, height, width = first
        click.echo(
            f'cbam: {resized} of {images} images are not {shown_image_size(image_size)} and were resized '
            f'(first {printable(name)}: {width} x {height}): faces should be aligned to the size of the network',
            err=True,
        )


__all__ = [
    'encoder_options',
    'names_encoder',
    'open_encoder',
    'show_resized',
    'show_verification',
    'template_weights_option',
]

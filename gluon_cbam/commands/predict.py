"""Naming what is on images: ``cbam predict``."""

from __future__ import annotations

import click

from ..console import common_options, settings_options, weights_options
from ..errors import UsageError
from .loading import NETWORK, load


@click.command()
@click.argument('images', nargs=-1, required=True, metavar='IMAGE...')
@settings_options('network')
@weights_options
@click.option('--top-k', default=5, show_default=True, type=click.IntRange(1), help='classes an image')
@settings_options(*NETWORK[1:])
@common_options
def predict(images, top_k, batch_size, workers, params, pretrained, **settings):
    """Name what is on image files."""
    from ..compat.threads import usable_cpus
    from ..prediction import predict as run

    if params is None and pretrained is None:
        raise UsageError('predict needs weights: give --params FILE or --pretrained')
    loaded, ctx = load(params=params, pretrained=pretrained, **settings)
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

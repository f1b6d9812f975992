"""``cbam data pairs``: verification sets of faces."""

from __future__ import annotations

from typing import Any, Tuple

import click

from gluon_cbam.cli.options import force_option
from gluon_cbam.cli.output import common_options
from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.printable import printable


@click.command('pairs')
@click.argument('source')
@click.argument('output')
@click.option('--pictures', 'folder', metavar='DIR', help='folder of the pictures of a list  [the folder of the list]')
@click.option('--pairs', type=click.IntRange(1), metavar='N', help='draw N pairs of each kind for each fold from .rec')
@click.option('--folds', type=click.IntRange(1), default=10, show_default=True, help='number of folds of --pairs')
@click.option('--seed', type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help='seed of --pairs')
@click.option(
    '--protocol',
    type=click.Choice(['2', '4']),
    default='4',
    show_default=True,
    help='protocol of the pickle in a .bin: 2 is for Python 2 as well',
)
@force_option
@common_options
def data_pairs(source: str, output: str, protocol: str, **options: Any) -> Tuple[dict, str]:
    """Check the verification set SOURCE and write it to OUTPUT, .bin or .npz.

    SOURCE is a .bin of insightface, whatever version of Python wrote it; an .npz; LFW's pairs.txt or a .csv of
    path_a,path_b,same; a folder that has one of these lists; or with --pairs a .rec file of faces. Reading runs no code
    of a pickle. All pictures are decoded first and must have one size.
    """
    from gluon_cbam.data.faces.converting import convert

    done = convert(source, output, protocol=int(protocol), progress=progress_bar, **options)
    height, width = done.size
    lines = [
        f'{printable(done.path)}: {done.pairs} pairs, {done.same} of one person, {done.folds} folds; {done.pictures} '
        f'pictures of {width} x {height} pixels'
    ]
    if done.identicals:
        numbers = ', '.join(map(str, done.identical)) + (', ...' if done.identicals > len(done.identical) else '')
        lines.append(f'warning: {done.identicals} pairs have the same picture twice: {numbers}')
    return {**done._asdict(), 'path': str(done.path)}, '\n'.join(lines)

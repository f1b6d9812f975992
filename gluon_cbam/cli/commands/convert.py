"""``cbam convert``: parameter files of other implementations to ours, and back."""

from __future__ import annotations

from typing import Any, Dict, Optional

import click

from gluon_cbam.cli.options import force_option, settings_options
from gluon_cbam.cli.output import Result, common_options
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import refuse_existing
from gluon_cbam.common.printable import printable


@click.command()
@click.argument('source_file', metavar='SRC')
@click.argument('output', metavar='DST')
@settings_options('network')
@click.option('--source', required=True, metavar='NAME', help='official, imgclsmob, modified, keras or gluoncv')
@click.option('--reverse', is_flag=True, help='convert our parameters to the format of the source')
@click.option('--no-head', is_flag=True, help='SRC may lack the head, or have one of another size: it starts anew')
@click.option('--state-dict', metavar='NAME', help='which state_dict of a checkpoint, such as model_ema')
@settings_options('classes', 'option')
@force_option
@common_options
def convert(
    source_file: str,
    output: str,
    network: Optional[str],
    source: str,
    reverse: bool,
    no_head: bool,
    state_dict: Optional[str],
    option: Dict[str, Any],
    classes: Optional[int],
    overwrite: bool,
) -> Result:
    """Convert parameters of other implementations to ours, or back with --reverse.

    SRC is a .params, .npz, .safetensors, .pth, .pt, .ckpt, .bin or .pth.tar file, or the prefix of a checkpoint
    PREFIX-0000.params; DST ends in .params, and a card is written next to it. A PyTorch checkpoint may hold its
    state_dict under the usual names, and the names of parameters may begin with module., model. and the like. With
    --reverse, SRC is a .params file of ours or a run folder. DST then ends in .npz; it may also end in .params for
    imgclsmob, and be the prefix of PREFIX-symbol.json and PREFIX-0000.params for modified.
    """
    from gluon_cbam.pretrained import conversion
    from gluon_cbam.pretrained.resolve import network_of

    if not network and not reverse:
        raise UsageError(f'--network is needed: {source_file} does not say which network of ours it is of')
    refuse_existing(conversion.written_files(output, source, reverse), overwrite)
    network = network or network_of(source_file)
    arguments = (source_file, output, network, source, option, classes)
    if not reverse:
        written = conversion.from_source(*arguments, no_head=no_head, state_dict=state_dict)
    elif no_head or state_dict:
        raise UsageError('--no-head and --state-dict are for reading files of a source: leave them out with --reverse')
    else:
        written = conversion.to_source(*arguments)
    files = [str(path) for path in written]
    return {'network': network, 'source': source, 'input': source_file, 'files': files}, '\n'.join(
        map(printable, files)
    )

"""``cbam convert``: parameter files of other implementations to ours, and back."""

from __future__ import annotations

from typing import Any, Dict, Optional

import click

from gluon_cbam.cli.options import settings_options
from gluon_cbam.cli.output import Result, common_options
from gluon_cbam.common.errors import UsageError


@click.command()
@click.argument('source_file', metavar='SRC')
@click.argument('output', metavar='DST')
@settings_options('network')
@click.option('--source', required=True, metavar='NAME', help='official, imgclsmob, modified or keras')
@click.option('--reverse', is_flag=True, help='convert our parameters to the format of the source')
@settings_options('classes', 'option')
@common_options
def convert(
    source_file: str,
    output: str,
    network: Optional[str],
    source: str,
    reverse: bool,
    option: Dict[str, Any],
    classes: Optional[int],
) -> Result:
    """Convert parameters of other implementations to ours, or back with --reverse.

    SRC is a .params, .npz, .safetensors, .pth or .pt file, or the prefix of a checkpoint PREFIX-0000.params; DST ends
    in .params, and a card is written next to it. With --reverse, SRC is a .params file of ours or a run folder. DST
    then ends in .npz; it may also end in .params for imgclsmob, and be the prefix of PREFIX-symbol.json and
    PREFIX-0000.params for modified.
    """
    from gluon_cbam.pretrained import conversion

    if not network:
        raise UsageError('--network is needed')
    run = conversion.to_source if reverse else conversion.from_source
    files = [str(path) for path in run(source_file, output, network, source, option, classes)]
    return {'network': network, 'source': source, 'input': source_file, 'files': files}, '\n'.join(files)

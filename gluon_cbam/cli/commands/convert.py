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
@click.option('--reverse', is_flag=True, help='from our parameters to those of the source')
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

    SRC is .params, .npz, .safetensors, .pth, .pt or the prefix of a checkpoint PREFIX-0000.params; DST ends in .params
    and gets a card next to it. With --reverse, SRC is a .params file of ours or a run folder; DST ends in .npz, for
    imgclsmob also in .params, and is for modified also the prefix of PREFIX-symbol.json and PREFIX-0000.params.
    """
    from gluon_cbam.pretrained import conversion

    if not network:
        raise UsageError('--network is needed')
    run = conversion.to_source if reverse else conversion.from_source
    files = [str(path) for path in run(source_file, output, network, source, option, classes)]
    return {'network': network, 'source': source, 'input': source_file, 'files': files}, '\n'.join(files)

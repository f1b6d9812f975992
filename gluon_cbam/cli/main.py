"""The command ``cbam``; :mod:`.commands` has a module for each command or group.

Start-up imports nothing heavier than click; a command imports what it needs when it runs.
"""

from __future__ import annotations

import click

import gluon_cbam
from gluon_cbam.cli.commands import (
    bench,
    convert,
    data,
    doctor,
    explain,
    export,
    launch,
    models,
    predict,
    runs,
    train,
    validate,
    zoo,
)
from gluon_cbam.cli.errors import Group


@click.group(cls=Group, context_settings={'help_option_names': ['-h', '--help']})
@click.version_option(gluon_cbam.__version__, prog_name='cbam')
def cli() -> None:
    """CBAM networks on MXNet 1.9.1 / Gluon: train, validate, predict, explain."""


for command in (
    train.train,
    launch.launch,
    runs.runs,
    validate.validate,
    predict.predict,
    explain.explain,
    convert.convert,
    export.export,
    bench.bench,
    models.models,
    data.data,
    zoo.zoo_group,
    doctor.doctor,
):
    cli.add_command(command)


if __name__ == '__main__':
    cli()

"""The command ``cbam``; :mod:`.commands` has a module for each command or group.

Start-up imports nothing heavier than click; a command imports what it needs when it runs.
"""

from __future__ import annotations

import os
from typing import Any, NoReturn

import click

import gluon_cbam
from gluon_cbam.cli.commands import (
    bench,
    completion,
    convert,
    data,
    doctor,
    explain,
    export,
    faces,
    launch,
    models,
    predict,
    recipes,
    runs,
    setup,
    train,
    validate,
    zoo,
)
from gluon_cbam.cli.errors import Group


class _Cbam(Group):
    """The group of all commands, which also answers the shell that asks what may follow."""

    def main(self, *arguments: Any, **named: Any) -> NoReturn:
        """Run a command and exit; see :meth:`.errors.Group.main`."""
        if '_CBAM_COMPLETE' in os.environ:
            from gluon_cbam.cli.completion import register

            register()
        super().main(*arguments, **named)


@click.group(cls=_Cbam, context_settings={'help_option_names': ['-h', '--help']})
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
    faces.faces,
    convert.convert,
    export.export,
    bench.bench,
    models.models,
    recipes.recipes,
    data.data,
    zoo.zoo_group,
    setup.setup,
    doctor.doctor,
    completion.completion,
):
    cli.add_command(command)


if __name__ == '__main__':
    cli()

"""``cbam setup``: installs MXNet."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Optional

import click

from gluon_cbam.cli.output import Result, common_options

if TYPE_CHECKING:
    from gluon_cbam.installation.installing import Report


@click.command('setup')
@click.argument('build', required=False, type=click.Choice(['cpu', 'cu117']))
@click.option('--force', is_flag=True, help='replace another build or version, or install the same one again')
@click.option('--dry-run', is_flag=True, help='print the commands, and change nothing')
@click.option(
    '--verify/--no-verify', default=True, help='import mxnet afterwards and run an operator (default: verify)'
)
@common_options
def setup(build: Optional[str], force: bool, dry_run: bool, verify: bool) -> Result:
    """Install MXNet 1.9.1 for any numpy: cpu (the default), or cu117 for NVIDIA GPUs.

    mxnet's own requirements, which exclude numpy 2, are left out. Its wheel must have the published SHA-256.
    """
    from gluon_cbam.installation.installing import install

    def progress(line: str) -> None:
        click.echo(f'cbam setup: {line} ...', err=True)

    report = install(build, force=force, dry_run=dry_run, verify=verify, progress=progress)
    for warning in report.warnings:
        click.echo(f'cbam setup: {warning}', err=True)
    return report.as_dict(), _dry_text(report) if dry_run else _text(report)


def _dry_text(report: Report) -> str:
    lines = [f'requirements.txt: {line}' for line in report.requirements]
    lines += [' '.join(map(shlex.quote, command)) for command in report.commands]
    return '\n'.join(lines or [f'{report.distribution} {report.version} is installed, nothing is to be done'])


def _text(report: Report) -> str:
    lines = [*report.done]
    if not report.changed:
        lines = [f'{report.distribution} {report.version} is installed already, nothing was changed']
    if report.verified:
        lines.append(f'verified: {report.verified}')
    if report.requirements:
        lines.append(
            "'pip check' may now say that mxnet requires older versions of numpy and graphviz: that is expected"
        )
    return '\n'.join(lines)

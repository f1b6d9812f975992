"""Runs the checks of gpu_checks and writes one report; scripts/gpu_check sets up the environment for it."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import List, Optional, Sequence

import click
from finite import positive
from gpu_checks import machine, process, report
from gpu_checks.table import CHECKS, Check

from gluon_cbam.common.errors import CbamError, EnvironmentProblem, UsageError, closest
from gluon_cbam.compat import cuda, versions
from gluon_cbam.compat.devices import parse_gpus

FOLDER = Path(__file__).resolve().parents[1] / 'runs' / 'gpu_check'


def chosen(names: Sequence[str], checks: Sequence[Check] = CHECKS) -> List[Check]:
    """The rows of these names, in the order of the table; all without names."""
    known = [check.name for check in checks]
    for name in names:
        if name not in known:
            raise UsageError(f'--only {name!r}: {closest(name, known)}')
    return [check for check in checks if not names or check.name in names]


def gpus_of(text: Optional[str]) -> str:
    """The GPUs to check."""
    if text is not None:
        parse_gpus(text)
    if not versions.mxnet_is_gpu_build():
        raise EnvironmentProblem(
            'no GPU build of mxnet: looked for mxnet-cu117 in this environment (EXTRA=cu117 scripts/gpu_check '
            'installs it); --cpu tries the checks on CPU contexts'
        )
    found = machine.usable_gpus(text)
    if not found:
        seen = ', '.join(f'{major}.{minor}' for major, minor in cuda.compute_capabilities()) or 'none'
        raise EnvironmentProblem(
            'no GPU to check: looked for libcuda.so.1 and GPUs of compute capability 5.0 to 8.9, found '
            f'{seen}; --cpu tries the checks on CPU contexts'
        )
    return found


def patience_of(text: str) -> float:
    """The factor of the time of each check."""
    try:
        return positive(text)
    except UsageError as error:
        raise UsageError(f'--patience: {error}') from None


def run_all(checks: Sequence[Check], gpus: Optional[str], quick: bool, patience: float, folder: Path) -> dict:
    """Run checks one after the other, and write the report after each, so that an interruption leaves one."""
    began = time.monotonic()
    result = {
        'format': 1, 'quick': quick, 'devices': f'GPU {gpus}' if gpus is not None else 'CPU contexts',
        'machine': machine.describe(), 'seconds': 0.0, 'checks': [],
    }  # fmt: skip
    for check in checks:
        done = process.run(check, gpus, quick, check.seconds * patience)
        result['checks'].append(done)
        result['seconds'] = round(time.monotonic() - began, 1)
        report.write(result, folder)
        click.echo(f'{done["name"]:10} {done["outcome"]:9} {done["seconds"]:6.1f} s  {done["subject"]}')
    return result


@click.command()
@click.option('--gpus', metavar='0,1', help='GPUs to check  [all that mxnet-cu117 has code for]')
@click.option('--cpu', is_flag=True, help='use CPU contexts in place of GPUs: tests the checks, not a GPU')
@click.option('--quick', is_flag=True, help='do the least of each check')
@click.option('--only', 'names', multiple=True, metavar='NAME', help='this check; repeat for more: '
              + ', '.join(check.name for check in CHECKS))  # fmt: skip
@click.option('--patience', default='1', show_default=True, metavar='FACTOR',
              help='multiplies the time of each check, for slow machines')  # fmt: skip
@click.option('--output', default=FOLDER, show_default=True, type=click.Path(path_type=Path), metavar='FOLDER',
              help='folder of report.json and report.md')  # fmt: skip
def main(gpus: Optional[str], cpu: bool, quick: bool, names: Sequence[str], patience: str, output: Path) -> None:
    """Check what gluon_cbam does on GPUs of Maxwell to Ada, in about ten minutes, and write a report to send."""
    if cpu and gpus is not None:
        raise UsageError('--cpu and --gpus exclude each other: give one')
    checks, factor = chosen(names), patience_of(patience)
    result = run_all(checks, None if cpu else gpus_of(gpus), quick, factor, output)
    click.echo(report.verdict(result))
    click.echo(f'the report to send: {output / report.NAMES[1]} and {report.NAMES[0]} beside it')
    if report.has_failed(result):
        sys.exit(1)


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # ends the running check as well
    try:
        main(prog_name='gpu_check')
    except CbamError as error:
        click.echo(f'gpu_check: {error}', err=True)
        sys.exit(error.exit_code)

"""Measures the benchmark table: writes docs/benchmark.md and .json and, with --growth, benchmark_growth.png.

Without options, every row is measured, which takes about half an hour on two cores; nothing else should run meanwhile.
For a row that cannot be measured, the table states the reason.
"""

from __future__ import annotations

import fnmatch
from pathlib import Path

import click
from benchmarks import document, growth, profiling
from benchmarks.ratios import Conditions
from benchmarks.rows import ROWS

from gluon_cbam.common.errors import CbamError, EnvironmentProblem, UsageError, closest
from gluon_cbam.compat.threads import physical_cores
from gluon_cbam.ops.status import operators_status

ROOT = Path(__file__).resolve().parent.parent
GROWTH_REPETITIONS, GROWTH_SECONDS = 3, 60


@click.command(help=__doc__)
@click.option('--only', metavar='KEY,...', help='measure these rows, such as ssd-*, and keep the others')
@click.option('--growth', 'with_growth', is_flag=True, help='measure and plot growth; rows only with --only')
@click.option('--profile', 'with_profile', is_flag=True, help='profile; rows only with --only')
@click.option('--docs', default=ROOT / 'docs', type=click.Path(path_type=Path), help='folder of the files')
@click.option('--threads', default=physical_cores(), show_default=True)
@click.option('--repetitions', default=10, show_default=True, type=click.IntRange(3), help='approximate repetitions')
@click.option('--page', 'only_page', is_flag=True, help='measure nothing: write the page of the figures that are there')
def main(only, with_growth, with_profile, docs, only_page, **conditions):
    docs.mkdir(exist_ok=True)
    written = document.read(docs / 'benchmark.json')
    if only_page:
        document.write(written, ROWS, docs)
        return
    _check_operators()
    for key in _selected_rows(only, with_growth or with_profile):
        written['rows'][key] = _record(key, Conditions(**conditions))
        document.write(written, ROWS, docs)
    if with_profile:
        found = profiling.profile_all(conditions['threads'], lambda line: click.echo(line, err=True))
        written['profiles'] = {**document.conditions(conditions['threads']), 'found': found}
        document.write(written, ROWS, docs)
    if with_growth:
        points = growth.measure_growth(
            conditions['threads'], GROWTH_REPETITIONS, GROWTH_SECONDS, lambda line: click.echo(line, err=True)
        )
        growth.draw(points, docs / 'benchmark_growth.png')
        about = {'repetitions': GROWTH_REPETITIONS, **document.conditions(conditions['threads'])}
        written['growth'] = {**about, 'points': points}
        document.write(written, ROWS, docs)


def _selected_rows(only, other_parts):
    if only is None:
        return [] if other_parts else list(ROWS)
    keys = []
    for pattern in only.split(','):
        found = fnmatch.filter(ROWS, pattern)
        if not found:
            raise UsageError(f'unknown row {pattern!r}: {closest(pattern, ROWS)}')
        keys += found
    return list(dict.fromkeys(keys))


def _check_operators():
    """Refuse to measure the operators of MXNet as ours, which take the place of a stale file."""
    found = operators_status()
    if found.is_fault:
        raise EnvironmentProblem(f'{found.detail}: {found.remedy}')


def _record(key, conditions):
    row = ROWS[key]
    try:
        outcome = row.measure(conditions)
    except EnvironmentProblem as error:
        click.echo(f'{row.title}: {error}', err=True)
        return document.missing(row, str(error))
    click.echo(f'{row.title}: {outcome.ratio:.3f} (target {row.target})', err=True)
    return document.measured(row, outcome, conditions.threads)


if __name__ == '__main__':
    try:
        main()
    except CbamError as error:
        raise SystemExit(f'benchmark: {error}') from None

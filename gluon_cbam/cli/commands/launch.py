"""``cbam launch``."""

from __future__ import annotations

import json
import sys
from typing import Any, Dict

import click

from gluon_cbam.cli.output import common_options
from gluon_cbam.common.errors import UsageError
from gluon_cbam.launch import SSH


def _variables(ctx, param, pairs) -> Dict[str, str]:
    for pair in pairs:
        name, equals, _ = pair.partition('=')
        if not equals or not name:
            raise UsageError(f'--env takes KEY=VALUE, got {pair!r}')
    return dict(pair.split('=', 1) for pair in pairs)


@click.command(context_settings={'allow_interspersed_args': False})
@click.option('-n', '--workers', type=int, required=True, help='how many processes train')
@click.option('-s', '--servers', type=int, help='how many sum the gradients  [one a host]')
@click.option('--hosts', metavar='FILE', help='a host a line, NAME or NAME slots=N  [this machine]')
@click.option('--port', type=click.IntRange(1, 65535), help='of the scheduler  [a free one]')
@click.option('--ssh', default=SSH, show_default=True, metavar='COMMAND', help='reaches the hosts')
@click.option(
    '--env', 'environment', multiple=True, callback=_variables, metavar='KEY=VALUE', help='a variable; repeat'
)
@click.option(
    '--grace', type=click.FloatRange(0), default=5.0, show_default=True, help='seconds from SIGTERM to SIGKILL'
)
@click.argument('command', nargs=-1, type=click.UNPROCESSED)
@common_options
def launch(workers, servers, hosts, port, ssh, environment, grace, command):
    """Run COMMAND in several processes that train together, here or on the hosts of a file.

    \b
    cbam launch -n 4 -s 2 --hosts hosts.txt -- cbam train ... --kv-store dist_sync

    Each process runs in this folder, which the hosts share. What worker 0 writes to standard output goes there; all
    else goes to standard error, with a name before each line. SIGINT and SIGTERM stop after a step with a checkpoint.
    When a process dies, all are ended.

    With --json, "result" is the object of the command's own --json.
    """
    from gluon_cbam.launch import launch as run
    from gluon_cbam.launch.hosts import HERE, read_hosts
    from gluon_cbam.launch.plan import plan

    if not command:
        raise UsageError('no command: write it after --, as in cbam launch -n 2 -- cbam train ...')
    members = plan(workers, servers, read_hosts(hosts) if hosts else [HERE], port, environment)
    as_json = click.get_current_context().params['as_json']
    lines = []
    seconds = run(members, command, lines.append if as_json else _write, ssh, grace)
    counts = {f'{role}s': sum(member.role == role for member in members) for role in ('worker', 'server')}
    return {**counts, 'seconds': round(seconds, 2), 'result': _object(lines)}, None


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _object(lines) -> Any:
    """What worker 0 wrote, if it is JSON."""
    try:
        return json.loads(b''.join(lines))
    except ValueError:
        return None

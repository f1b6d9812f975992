"""``cbam launch``: distributed training."""

from __future__ import annotations

import json
import sys
from typing import Any, Dict, List, Optional, Sequence, Tuple

import click

from gluon_cbam.cli.options import NumberRange
from gluon_cbam.cli.output import common_options
from gluon_cbam.common.errors import UsageError
from gluon_cbam.launch import SSH


def _variables(ctx: click.Context, param: click.Parameter, pairs: Sequence[str]) -> Dict[str, str]:
    for pair in pairs:
        name, equals, _ = pair.partition('=')
        if not equals or not name:
            raise UsageError(f'--env takes KEY=VALUE, got {pair!r}')
    return dict(pair.split('=', 1) for pair in pairs)


@click.command(context_settings={'allow_interspersed_args': False})
@click.option('-n', '--workers', type=int, required=True, help='number of workers, the processes that train')
@click.option('-s', '--servers', type=int, help='number of servers, which sum the gradients  [one for each host]')
@click.option('--hosts', metavar='FILE', help='a host in each line: NAME or NAME slots=N  [this machine]')
@click.option('--port', type=click.IntRange(1, 65535), help='port of the scheduler  [a free one]')
@click.option('--ssh', default=SSH, show_default=True, metavar='COMMAND', help='command that connects to a host')
@click.option(
    '--env',
    'environment',
    multiple=True,
    callback=_variables,
    metavar='KEY=VALUE',
    help='environment variable; may be repeated',
)
@click.option('--grace', type=NumberRange(0), default=5.0, show_default=True, help='seconds from SIGTERM to SIGKILL')
@click.argument('command', nargs=-1, type=click.UNPROCESSED)
@common_options
def launch(
    workers: int,
    servers: Optional[int],
    hosts: Optional[str],
    port: Optional[int],
    ssh: str,
    environment: Dict[str, str],
    grace: float,
    command: Sequence[str],
) -> Tuple[dict, None]:
    """Run COMMAND in several processes that train together, here or on the hosts of a file.

    \b
    cbam launch -n 4 -s 2 --hosts hosts.txt -- cbam train ... --kv-store dist_sync

    Each process runs in the current folder, which the hosts must share. Standard output has the output of worker 0;
    all other output is written to standard error, with the name of the process before each line. On SIGINT and SIGTERM,
    the workers finish a step, write a checkpoint and stop. When a process dies, all others are terminated.

    With --json, "result" is the JSON object that the command prints with its own --json.
    """  # noqa: D301 (click reads the character \b)
    from gluon_cbam.launch import launch as run
    from gluon_cbam.launch.hosts import HERE, read_hosts
    from gluon_cbam.launch.plan import plan

    if not command:
        raise UsageError('no command: write it after --, as in cbam launch -n 2 -- cbam train ...')
    members = plan(workers, servers, read_hosts(hosts) if hosts else [HERE], port, environment)
    as_json = click.get_current_context().params['as_json']
    lines: List[bytes] = []
    seconds = run(members, command, lines.append if as_json else _write, ssh, grace)
    counts = {f'{role}s': sum(member.role == role for member in members) for role in ('worker', 'server')}
    return {**counts, 'seconds': round(seconds, 2), 'result': _object(lines)}, None


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _object(lines: Sequence[bytes]) -> Any:
    """The JSON value in the output of worker 0; None if the output is not JSON."""
    try:
        return json.loads(b''.join(lines))
    except ValueError:
        return None

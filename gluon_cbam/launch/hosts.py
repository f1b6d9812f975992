"""The hosts of a job, and the assignment of workers and servers to them."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import List, Optional, Sequence

from gluon_cbam.common.errors import UsageError

_HERE = ('localhost', '127.0.0.1', '::1')


@dataclass(frozen=True)
class Host:
    """A machine.

    Attributes:
        name: host name or address, as ssh takes it.
        slots: maximum number of workers on it; None for any number.
    """

    name: str
    slots: Optional[int] = None

    @property
    def is_here(self) -> bool:
        """Whether it is this machine, for which ssh is not needed."""
        return self.name in (*_HERE, socket.gethostname(), socket.getfqdn())


HERE = Host('localhost')
"""This machine."""


def read_hosts(path: str) -> List[Host]:
    """Read a hosts file: a line is ``NAME`` or ``NAME slots=N``; ``#`` begins a comment.

    Args:
        path: path of the file, in UTF-8.

    Returns:
        At least one host, in the order of the file.

    Raises:
        UsageError: the file cannot be read or is malformed.
    """
    try:
        lines = Path(path).read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f'--hosts {path}: {error}') from None
    hosts: List[Host] = []
    for number, line in enumerate(lines, 1):
        words = line.partition('#')[0].split()
        if words:
            hosts.append(_host(words, f'--hosts {path}, line {number}'))
            if [host.name for host in hosts].count(words[0]) > 1:
                raise UsageError(f'--hosts {path}, line {number}: {words[0]} is listed twice: use slots=')
    if not hosts:
        raise UsageError(f'--hosts {path} names no host')
    return hosts


def _host(words: Sequence[str], where: str) -> Host:
    name, *rest = words
    if name.startswith('-'):  # ssh would take it for an option
        raise UsageError(f'{where}: {name!r} is no host')
    if not rest:
        return Host(name)
    key, _, value = rest[0].partition('=')
    if len(rest) > 1 or key != 'slots' or not value.isdigit() or int(value) < 1:
        raise UsageError(f"{where}: a host is 'NAME' or 'NAME slots=N' with N from 1, got {' '.join(words)!r}")
    return Host(name, int(value))


def worker_hosts(hosts: Sequence[Host], workers: int) -> List[Host]:
    """Assign workers to hosts in round-robin order, as long as the hosts have free slots.

    Args:
        hosts: the machines.
        workers: number of workers.

    Returns:
        A host for each worker.

    Raises:
        UsageError: there are not enough slots.
    """
    free = {host: workers if host.slots is None else host.slots for host in hosts}
    if sum(free.values()) < workers:
        raise UsageError(f'{workers} workers need as many slots, the hosts have {sum(free.values())}')
    chosen: List[Host] = []
    for host in cycle(hosts):
        if len(chosen) == workers:
            return chosen
        if free[host]:
            free[host] -= 1
            chosen.append(host)
    raise AssertionError('no hosts')


def server_hosts(hosts: Sequence[Host], servers: int) -> List[Host]:
    """Assign servers to hosts in round-robin order.

    Args:
        hosts: the machines.
        servers: number of servers.

    Returns:
        A host for each server.
    """
    return list(islice(cycle(hosts), servers))

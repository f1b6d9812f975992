"""The processes of a job, and the environment variables of each.

Other launchers of ps-lite set the same variables, so ``cbam train`` works under them too:

=======================  ================================================================
``DMLC_ROLE``            ``scheduler``, ``server`` or ``worker``
``DMLC_NUM_WORKER``      number of workers
``DMLC_NUM_SERVER``      number of servers
``DMLC_PS_ROOT_URI``     the scheduler's address
``DMLC_PS_ROOT_PORT``    its port
``DMLC_WORKER_ID``       the rank of a worker; without it, workers get their ranks as they connect
``DMLC_NODE_HOST``       the address at which this process listens, and the others reach it
=======================  ================================================================

``CBAM_JOB_TOKEN`` is our own: servers take the optimizer of ``dist_async`` from processes with the same token only.
"""

from __future__ import annotations

import secrets
import socket
from collections import Counter
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence

from gluon_cbam.common.errors import EnvironmentProblem, UsageError
from gluon_cbam.common.signing import TOKEN

from .hosts import HERE, Host, server_hosts, worker_hosts

_LOOPBACK = '127.0.0.1'
_DISCARD = 9  # any port: connecting a UDP socket sends nothing


@dataclass(frozen=True, eq=False)
class Member:
    """A process of a job.

    Attributes:
        role: ``scheduler``, ``server`` or ``worker``.
        number: index within the role, from 0.
        host: the host that runs it.
        share: number of workers on the same host, which share its cores.
        environment: variables in addition to the launcher's.
    """

    role: str
    number: int
    host: Host
    share: int = 1
    environment: Dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.role if self.role == 'scheduler' else f'{self.role} {self.number}'


def plan(
    workers: int,
    servers: Optional[int] = None,
    hosts: Sequence[Host] = (HERE,),
    port: Optional[int] = None,
    environment: Optional[Dict[str, str]] = None,
) -> List[Member]:
    """Plan the processes of a job: the scheduler here, servers and workers on the hosts in round-robin order.

    Args:
        workers: number of workers.
        servers: number of servers; by default, one on each host that has workers.
        hosts: the hosts; by default, this machine alone.
        port: port of the scheduler; by default, a free one.
        environment: further environment variables of every process.

    Returns:
        The processes in the order in which they are started.

    Raises:
        UsageError: a number is less than 1, or greater than the slots.
        EnvironmentProblem: the port is taken, or this machine's address is unknown.
    """
    if workers < 1:
        raise UsageError(f'-n must be at least 1, got {workers}')
    if servers is not None and servers < 1:
        raise UsageError(f'-s must be at least 1, got {servers}')
    hosts_of_workers = worker_hosts(hosts, workers)
    used = list(dict.fromkeys(hosts_of_workers))
    hosts_of_servers = server_hosts(used, servers or len(used))
    is_local = all(host.is_here for host in used)
    address = _LOOPBACK if is_local else own_address(used)
    common = {
        **(environment or {}),
        TOKEN: secrets.token_hex(32),
        'DMLC_NUM_WORKER': str(workers),
        'DMLC_NUM_SERVER': str(len(hosts_of_servers)),
        'DMLC_PS_ROOT_URI': address,
        'DMLC_PS_ROOT_PORT': str(free_port(address, port)),
    }
    if is_local:
        common['DMLC_NODE_HOST'] = address
    busy = Counter(hosts_of_workers)
    roles = [('scheduler', [HERE]), ('server', hosts_of_servers), ('worker', hosts_of_workers)]
    return [
        Member(role, number, host, max(1, busy[host]), {**common, 'DMLC_ROLE': role, **_rank(role, number)})
        for role, chosen in roles
        for number, host in enumerate(chosen)
    ]


def _rank(role: str, number: int) -> Dict[str, str]:
    return {'DMLC_WORKER_ID': str(number)} if role == 'worker' else {}


def own_address(hosts: Sequence[Host]) -> str:
    """This machine's address on the route to the first host that is another machine.

    Args:
        hosts: the hosts; at least one is another machine.

    Returns:
        An IPv4 address.

    Raises:
        EnvironmentProblem: there is no route to that host, or its name does not resolve.
    """
    host = next(host for host in hosts if not host.is_here)
    try:
        return address_towards(host.name)
    except OSError as error:
        raise EnvironmentProblem(
            f"this machine's address towards {host.name} is unknown ({error}): write a name or address of the host "
            'that resolves here'
        ) from None


def address_towards(host: str) -> str:
    """This machine's address as another host sees it.

    Args:
        host: name or IPv4 address.

    Returns:
        An IPv4 address.

    Raises:
        OSError: the name does not resolve, or there is no route.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, _DISCARD))
        return probe.getsockname()[0]


def free_port(address: str, port: Optional[int] = None) -> int:
    """Check that a port is free, or find a free one.

    Args:
        address: address of this machine.
        port: port to check; by default, the system chooses a free one.

    Returns:
        The port.

    Raises:
        EnvironmentProblem: the port is not free, or not a port number.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port or 0))
        except (OSError, OverflowError) as error:
            raise EnvironmentProblem(f'--port {port} cannot be used at {address}: {error}') from None
        return probe.getsockname()[1]

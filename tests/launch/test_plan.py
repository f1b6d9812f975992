"""The processes of a job and their hosts, and invalid arguments."""

import socket
import subprocess

import pytest

from gluon_cbam.common.errors import EnvironmentProblem, UsageError
from gluon_cbam.launch.hosts import Host, read_hosts, server_hosts, worker_hosts
from gluon_cbam.launch.plan import plan
from gluon_cbam.launch.ssh import remote_line


def test_a_file_of_hosts(tmp_path):
    path = tmp_path / 'hosts'
    path.write_text('# ours\nalpha slots=2\n\nuser@beta   # the new one\n')
    assert read_hosts(str(path)) == [Host('alpha', 2), Host('user@beta')]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'names no host'),
        ('alpha\nalpha slots=2', 'line 2: alpha is listed twice'),
        ('alpha slots=0', "with N from 1, got 'alpha slots=0'"),
        ('alpha gpus=2', "'NAME slots=N' with N from 1"),
        ('-oProxyCommand=x', 'is no host'),
        (None, 'No such file'),
    ],
)
def test_a_bad_file_of_hosts(tmp_path, text, message):
    path = tmp_path / 'hosts'
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_hosts(str(path))


def test_hosts_in_round_robin_order():
    a, b, c = Host('a', 1), Host('b', 3), Host('c')
    assert worker_hosts([a, b, c], 7) == [a, b, c, b, c, b, c]
    assert server_hosts([a, b], 3) == [a, b, a]
    with pytest.raises(UsageError, match='5 workers need as many slots, the hosts have 4'):
        worker_hosts([a, b], 5)


def test_a_plan_over_two_hosts():
    members = plan(3, hosts=[Host('127.0.0.2'), Host('127.0.0.3')], environment={'A': 'b'})
    assert [(str(member), member.host.name, member.share) for member in members] == [
        ('scheduler', 'localhost', 1),
        ('server 0', '127.0.0.2', 2),
        ('server 1', '127.0.0.3', 1),
        ('worker 0', '127.0.0.2', 2),
        ('worker 1', '127.0.0.3', 1),
        ('worker 2', '127.0.0.2', 2),
    ]
    assert all('DMLC_NODE_HOST' not in member.environment for member in members), 'each host knows its own'
    assert {member.environment['A'] for member in members} == {'b'}
    assert len({member.environment['DMLC_PS_ROOT_PORT'] for member in members}) == 1


def test_invalid_plans():
    for arguments, message in (((0,), '-n must be at least 1, got 0'), ((2, 0), '-s must be at least 1, got 0')):
        with pytest.raises(UsageError, match=message):
            plan(*arguments)
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        with pytest.raises(EnvironmentProblem, match='cannot be used at 127.0.0.1'):
            plan(2, port=taken.getsockname()[1])
    with pytest.raises(EnvironmentProblem, match='towards no-such-host.invalid is unknown'):
        plan(2, hosts=[Host('no-such-host.invalid')])


def test_a_remote_line_is_quoted_for_the_shell(tmp_path):
    folder = tmp_path / "it's $HOME"
    folder.mkdir()
    words = ['a b', '$HOME', "'", '"', '*', '\\', '']
    line = remote_line(['printf', r'%s\n', *words], str(folder), {'X': '; exit 3'})
    message = subprocess.run(['sh', '-c', line], capture_output=True, text=True, check=True).stdout
    assert message.splitlines() == words

"""Jobs that succeed, are stopped or lose a process: output, exit codes, and termination of all processes."""

import os
import re
import signal

import pytest
from jobs import WAITS

BRIEF = ['sh', '-c', 'sleep 1']
STOPS = [
    'sh',
    '-c',
    'trap "echo saved; exit 143" TERM; trap "echo saved; exit 130" INT; trap "echo now; echo now >&2" USR1; '
    'echo ready >&2; while :; do sleep 0.1; done',
]
HANGS = ['sh', '-c', 'trap "" TERM INT; echo ready >&2; while :; do sleep 0.1; done']


def test_whole_lines_of_all_processes_are_forwarded(job):
    code = "import sys\nfor i in range(300): print(f'{i:03}' * 300, file=(sys.stdout, sys.stderr)[i % 2])\n"
    one = job(['python3', '-c', code + "print('last', end='')"], workers=3, role=BRIEF)
    status, out, _ = one.ended()
    assert status == 0
    assert out.splitlines() == [f'{i:03}' * 300 for i in range(0, 300, 2)] + ['last']
    lines = {f'worker {n}': [] for n in range(3)}
    for line in one.log():
        name, text = re.fullmatch(r'\[(worker \d)\] (.*)', line).groups()
        lines[name].append(text)
    assert lines['worker 0'] == [f'{i:03}' * 300 for i in range(1, 300, 2)]
    for number in (1, 2):
        assert sorted(lines[f'worker {number}']) == sorted([f'{i:03}' * 300 for i in range(300)] + ['last'])
    one.assert_nobody_left()


def test_every_process_has_its_role_and_rank(job):
    show = 'echo $DMLC_ROLE $DMLC_WORKER_ID $DMLC_NUM_WORKER $DMLC_NUM_SERVER $DMLC_PS_ROOT_URI >&2; sleep '
    one = job(['sh', '-c', show + '1'], servers=2, role=['sh', '-c', show + '2'])
    assert one.ended()[0] == 0
    assert sorted(one.log()) == [
        '[scheduler] scheduler 2 2 127.0.0.1',
        '[server 0] server 2 2 127.0.0.1',
        '[server 1] server 2 2 127.0.0.1',
        '[worker 0] worker 0 2 2 127.0.0.1',
        '[worker 1] worker 1 2 2 127.0.0.1',
    ]


@pytest.mark.parametrize('role', ['worker', 'server', 'scheduler'])
def test_all_processes_end_when_one_is_killed(job, role):
    one = job(HANGS, role=HANGS)
    one.wait_for('ready', times=4)
    os.kill(one.member(role), signal.SIGKILL)
    status, _, last = one.ended()
    name = role if role == 'scheduler' else f'{role} 0'
    assert status == 1
    assert (
        last == f'cbam: {name} on localhost was killed by SIGKILL; all others were ended: continue with --resume auto'
    )
    assert sum(line.startswith('cbam:') for line in one.log()) == 1
    one.assert_nobody_left()


@pytest.mark.parametrize(('code', 'status'), [(4, 4), (77, 1)])
def test_a_failed_worker_gives_its_exit_code(job, code, status):
    one = job(['sh', '-c', f'[ $DMLC_WORKER_ID = 0 ] && exec sleep 100; exit {code}'])
    assert one.ended()[0::2] == (
        status,
        f'cbam: worker 1 on localhost ended with exit code {code}; all others were ended: continue with --resume auto',
    )
    one.assert_nobody_left()


def test_a_server_that_exits_early_is_a_failure(job):
    status, _, last = job(HANGS, role=['sh', '-c', '[ $DMLC_ROLE = server ] && exit 0; exec sleep 100']).ended()
    assert status == 1
    assert 'server 0 on localhost ended before the workers' in last


@pytest.mark.parametrize(('number', 'status'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_launcher_stops_the_workers(job, number, status):
    one = job(STOPS)
    one.wait_for('ready', times=4)
    one.process.send_signal(signal.SIGUSR1)
    one.wait_for('now', times=3)  # of both workers, and the standard output of the other one
    one.process.send_signal(number)
    assert one.ended() == (
        status,
        'now\nsaved\n',
        f'cbam: {number.name}: all workers stopped; continue with --resume auto',
    )
    one.assert_nobody_left()


def test_a_signal_to_one_worker_stops_the_job(job):
    """In training, the workers agree to stop; here each gets the signal."""
    one = job(STOPS)
    one.wait_for('ready', times=4)
    for number in (1, 0):
        os.kill(one.member('worker', number), signal.SIGTERM)
    assert one.ended()[0] == 143
    one.assert_nobody_left()


def test_a_second_signal_terminates_at_once(job):
    one = job(HANGS)
    one.wait_for('ready', times=4)
    one.process.send_signal(signal.SIGTERM)
    one.process.send_signal(signal.SIGINT)
    assert one.ended()[0] in (130, 143)
    one.assert_nobody_left()


def test_no_process_outlives_a_killed_launcher(job):
    """Not even a process in a new session."""
    one = job(['sh', '-c', 'setsid sh -c "echo ready >&2; sleep 100" & trap "" TERM; wait; sleep 100'])
    one.wait_for('ready', times=4)
    one.process.kill()
    one.process.wait(60)
    one.assert_nobody_left()


def test_no_process_outlives_a_killed_supervisor(job):
    one = job(['sh', '-c', 'sh -c "echo ready >&2; sleep 100" & trap "" TERM; wait; sleep 100'])
    one.wait_for('ready', times=4)
    os.kill(one.member('worker', 1, supervisor=True), signal.SIGKILL)
    assert 'worker 1 on localhost was killed by SIGKILL' in one.ended()[2]
    one.assert_nobody_left()


def test_a_command_that_does_not_exist(job):
    status, _, last = job(['cbam-trian']).ended()
    assert status == 2
    assert last == "cbam: no command 'cbam-trian': write it after --, as in cbam launch -n 2 -- cbam train ..."


SSH = """#!/bin/sh
# like ssh: options, a host, and words that are joined by spaces and run by a shell in a new environment and session
while [ "${1#-}" != "$1" ]; do shift 2; done
echo "$1" >> "$(dirname "$0")/hosts"
shift
exec setsid -w env -i HOME="$HOME" sh -c "$*"
"""


@pytest.fixture
def ssh(tmp_path):
    path = tmp_path / 'a b' / 'ssh'
    path.parent.mkdir()
    path.write_text(SSH)
    path.chmod(0o755)
    return f"'{path}' -o BatchMode=yes"


def test_over_ssh(job, ssh, tmp_path):
    odd = 'two  words "$HOME" \'quoted\' `x` \\ *'
    show = ['sh', '-c', 'echo "$ODD|$PWD|$1|$DMLC_NODE_HOST" >&2; sleep 0.5', 'sh', '$x; y']
    one = job(show, workers=3, hosts=['127.0.0.2', '127.0.0.3'], ssh=ssh, environment={'ODD': odd}, role=BRIEF)
    assert one.ended()[0] == 0, one.log()
    assert sorted(one.log()) == [f'[worker {n}] {odd}|{tmp_path}|$x; y|127.0.0.1' for n in range(3)]
    hosts = (tmp_path / 'a b' / 'hosts').read_text().split()
    assert sorted(hosts) == ['127.0.0.2'] * 3 + ['127.0.0.3'] * 1, 'two workers and the servers'
    one.assert_nobody_left()


@pytest.mark.parametrize('victim', ['connection', 'launcher'])
def test_no_process_on_another_machine_outlives_the_connection(job, ssh, victim):
    one = job(HANGS, hosts=['127.0.0.2'], ssh=ssh, role=WAITS)
    one.wait_for('ready', times=4)
    connection = next(
        pid for pid, (_, line) in one.left().items() if line.startswith('setsid -w') and 'DMLC_WORKER_ID=1' in line
    )
    os.kill(connection if victim == 'connection' else one.process.pid, signal.SIGKILL)
    status, _, last = one.ended()
    if victim == 'connection':
        assert status == 1
        assert 'worker 1 on 127.0.0.2 was killed by SIGKILL' in last
    one.assert_nobody_left()

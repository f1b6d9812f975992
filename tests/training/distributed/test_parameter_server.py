"""Workers, servers and schedulers that are real processes of this machine."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from jobs import ROOT, Job, end

from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.launch.start import NODE_COMMAND

SCRIPT = str(Path(__file__).parents[2] / 'train_plainly.py')
RECORDS = 1437
BATCH = 48  # over all: the records are no multiple of it, and of no number of workers times it

pytestmark = pytest.mark.slow


@pytest.fixture
def job(tmp_path, digits):
    """Starts cbam launch with workers that train, and ends what a failed test left of it."""
    started = []

    def start(output, workers, servers, store='dist_sync', hosts=('localhost',), ssh='ssh', hold=0, **settings):
        config = settings_of(digits, output, batch_size=BATCH // workers, kv_store=store, **settings)
        command = [sys.executable, SCRIPT, json.dumps(config)]
        environment = {'OMP_NUM_THREADS': '1', 'HOLD_AT_STEP': str(hold)}
        started.append(
            Job(
                tmp_path, command=command, workers=workers, servers=servers, role=NODE_COMMAND, environment=environment,
                hosts=hosts, ssh=ssh,
            )
        )  # fmt: skip
        return started[-1]

    yield start
    end(started)


def settings_of(digits, output, **settings):
    return {
        'network': 'cbamnet_tiny', 'data_train': str(digits / 'train.rec'), 'data_val': str(digits / 'val.rec'),
        'output': str(output), 'image_size': 8, 'epochs': 2, 'log_interval': 10, 'lr': 0.02, 'workers': 1, **settings,
    }  # fmt: skip


@pytest.fixture(scope='module')
def alone(digits, tmp_path_factory):
    """The run folder of one process."""
    folder = tmp_path_factory.mktemp('alone') / 'run'
    config = settings_of(digits, folder, batch_size=BATCH)
    subprocess.run(
        [sys.executable, SCRIPT, json.dumps(config)], env={**os.environ, 'PYTHONPATH': str(ROOT)}, check=True
    )
    return folder


def parameters(folder):
    path = max((folder / 'checkpoints').glob('newest-*.params'))
    return {name: value.asnumpy() for name, value in mx.nd.load(str(path)).items()}


def metrics(folder, kind):
    records = map(json.loads, (folder / 'metrics.jsonl').read_text().splitlines())
    return [record for record in records if record['kind'] == kind]


def assert_same_run(mine, theirs):
    expected = parameters(theirs)
    for name, value in parameters(mine).items():
        assert np.abs(value - expected[name]).max() < 2e-6, name
    for kind in ('interval', 'epoch'):
        for a, b in zip(metrics(mine, kind), metrics(theirs, kind)):
            assert a['step'] == b['step']
            for name in ('top1', 'train_top1', 'val_top1', 'val_top5'):
                assert a.get(name) == b.get(name), (a, b)
            for name in ('loss', 'train_loss', 'val_loss'):
                assert a.get(name) == (b.get(name) and pytest.approx(b[name], rel=1e-5))


def wait_for_step(one, folder, step):
    deadline = time.time() + 120
    while not (folder / 'metrics.jsonl').exists() or not any(
        record['step'] >= step for kind in ('interval', 'epoch') for record in metrics(folder, kind)
    ):
        assert one.process.poll() is None, one.log()
        assert time.time() < deadline, one.log()
        time.sleep(0.05)


def test_three_workers_give_the_weights_of_one(job, alone, tmp_path, digits):
    """3 workers and 2 servers share records that do not divide; validation counts each record once."""
    assert len(RecordFile(digits / 'train.rec')) == RECORDS
    one = job(tmp_path / 'run', workers=3, servers=2)
    status, out, _ = one.ended()
    assert status == 0, one.log()
    assert json.loads(out)['steps'] == 2 * (RECORDS // BATCH)
    assert_same_run(tmp_path / 'run', alone)
    assert sorted(path.name for path in (tmp_path / 'run').glob('train*.log')) == [
        'train.log', 'train.worker1.log', 'train.worker2.log',
    ]  # fmt: skip
    one.assert_nobody_left()


def test_asynchronous_workers_learn(job, tmp_path):
    """Each reaches a validation within an epoch at its own time, and waits there for the other."""
    one = job(tmp_path / 'run', workers=2, servers=1, store='dist_async', val_interval=7)
    status, out, _ = one.ended()
    assert status == 0, one.log()
    assert json.loads(out)['final']['top1'] > 0.8
    steps = RECORDS // BATCH
    within = [step for step in range(7, 2 * steps, 7) if step != steps]
    assert [each['step'] for each in metrics(tmp_path / 'run', 'validation')] == within


def listening(one):
    """The addresses at which the processes of a job accept connections."""
    inodes = set()
    for pid in one.left():
        for descriptor in Path(f'/proc/{pid}/fd').glob('*'):
            try:
                inodes.add(os.readlink(descriptor))
            except OSError:  # it was closed since
                continue
    lines = [line.split() for line in Path('/proc/net/tcp').read_text().splitlines()[1:]]
    found = {line[1].partition(':')[0] for line in lines if line[3] == '0A' and f'socket:[{line[9]}]' in inodes}
    return {socket.inet_ntoa(bytes.fromhex(address)[::-1]) for address in found}


@pytest.mark.parametrize('victim', ['server', 'scheduler'])
def test_a_killed_process_ends_all(job, tmp_path, victim):
    """In MXNet, all others would hang."""
    one = job(tmp_path / 'run', workers=2, servers=1, epochs=1000)
    wait_for_step(one, tmp_path / 'run', 10)
    assert listening(one) == {'127.0.0.1'}, 'on no interface that other machines reach'
    os.kill(one.member(victim), signal.SIGKILL)
    killed = time.time()
    status, _, last = one.ended()
    assert status == 1
    name = victim if victim == 'scheduler' else f'{victim} 0'
    assert (
        last == f'cbam: {name} on localhost was killed by SIGKILL; all others were ended: continue with --resume auto'
    )
    assert time.time() - killed < 30, 'seconds, not minutes'
    one.assert_nobody_left()


def test_a_worker_killed_and_a_signal_on_the_way(job, alone, tmp_path):
    """Killed in the second epoch; continued from the end of the first, stopped inside the second; continued."""
    folder, steps = tmp_path / 'run', RECORDS // BATCH
    one = job(folder, workers=2, servers=1, log_interval=1, hold=steps + 5)
    wait_for_step(one, folder, steps + 3)
    os.kill(one.member('worker', 1), signal.SIGKILL)
    assert 'worker 1 on localhost was killed by SIGKILL' in one.ended()[2]
    (folder / 'metrics.jsonl').unlink()  # so that what is waited for is new
    one = job(folder, workers=2, servers=1, log_interval=1, resume='auto', hold=5)  # in the second epoch
    wait_for_step(one, folder, steps + 1)
    one.process.send_signal(signal.SIGTERM)
    status, _, last = one.ended()
    assert (status, last) == (143, 'cbam: SIGTERM: all workers stopped; continue with --resume auto')
    card = max((folder / 'checkpoints').glob('newest-*.json'))
    assert 0 < json.loads(card.read_text())['training']['progress']['batch'] < steps, 'it was stopped inside an epoch'
    one.assert_nobody_left()
    assert job(folder, workers=2, servers=1, log_interval=10, resume='auto').ended()[0] == 0
    expected = parameters(alone)
    for name, value in parameters(folder).items():
        assert np.abs(value - expected[name]).max() < 2e-6, name


SSH = """#!/bin/sh
host=$1; shift
exec ip netns exec "cbam-$host" env -i HOME="$HOME" sh -c "$*"
"""


@pytest.fixture
def machines(tmp_path):
    """Two network namespaces as machines: (their addresses, the command that stands in for ssh)."""
    ssh = tmp_path / 'ssh'
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    addresses = ('10.213.77.2', '10.213.77.3')
    commands = ['link add cbam0 type bridge', 'addr add 10.213.77.1/24 dev cbam0', 'link set cbam0 up']
    for number, address in enumerate(addresses):
        space = f'cbam-{address}'
        commands += [
            f'netns add {space}', f'link add cbamv{number} type veth peer name eth0 netns {space}',
            f'link set cbamv{number} master cbam0 up', f'-n {space} addr add {address}/24 dev eth0',
            f'-n {space} link set eth0 up', f'-n {space} link set lo up',
        ]  # fmt: skip
    try:
        for command in commands:
            done = subprocess.run(['ip', *command.split()], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f'ip {command}: {done.stderr.strip()}')
        yield addresses, str(ssh)
    finally:
        for command in [*(f'netns del cbam-{address}' for address in addresses), 'link del cbam0']:
            subprocess.run(['ip', *command.split()], capture_output=True, check=False)


@pytest.mark.skipif(not shutil.which('ip'), reason='needs iproute2')
def test_workers_on_two_machines(job, alone, tmp_path, machines):
    """Each with a network of its own: nothing goes over the loopback."""
    hosts, ssh = machines
    one = job(tmp_path / 'run', workers=2, servers=2, hosts=hosts, ssh=ssh)
    assert one.ended()[0] == 0, one.log()
    assert_same_run(tmp_path / 'run', alone)
    one.assert_nobody_left()


@pytest.mark.skipif(not shutil.which('horovodrun'), reason='Horovod is not installed')
def test_horovod_gives_the_same_weights(alone, tmp_path, digits):
    config = settings_of(digits, tmp_path / 'run', batch_size=BATCH // 2, kv_store='horovod')
    command = ['horovodrun', '--gloo', '-np', '2', sys.executable, SCRIPT, json.dumps(config)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert process.returncode == 0, process.stderr
    assert_same_run(tmp_path / 'run', alone)

"""Turns on the CPUs, between real processes."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from gluon_cbam.compat import cpu_turns
from gluon_cbam.compat.cpu_turns import CpuTurns, NoTurns, turns_on

# computes in turns, without mxnet, and writes the times at which its turns begin and end
CHILD = """
import sys, time
from pathlib import Path
from gluon_cbam.compat.cpu_turns import CpuTurns

class Written(CpuTurns):
    def _taken(self):
        taken = super()._taken()
        if taken:
            log.write(f'+ {time.monotonic()}\\n')
        return taken

    def release(self):
        if self._began is not None:
            log.write(f'- {time.monotonic()}\\n')
        super().release()

folder, log = Path(sys.argv[1]), open(sys.argv[2], 'w', 1)
batches, keep, after = int(sys.argv[3]), sys.argv[4] == 'keep', sys.argv[5]
turns = Written(folder, lambda: None)
for _ in range(batches):
    turns.take()
    end = time.thread_time() + 0.02
    while time.thread_time() < end:
        pass
    turns.pass_on(keep)
print('done', flush=True)
if after == 'stay':
    turns.take()
    print('holds', flush=True)
    time.sleep(600)
turns.release()
"""


def start(folder, log, batches=20, keep='keep', after='end'):
    return subprocess.Popen(
        [sys.executable, '-c', CHILD, str(folder), str(log), str(batches), keep, after],
        stdout=subprocess.PIPE,
        text=True,
    )


def intervals(log):
    """The times between which a process had the turn."""
    lines = log.read_text().splitlines()
    assert [line[0] for line in lines] == ['+', '-'] * (len(lines) // 2)
    times = [float(line[2:]) for line in lines]
    return list(zip(times[::2], times[1::2]))


@pytest.fixture
def turns(tmp_path):
    return CpuTurns(tmp_path, lambda: None)


@pytest.mark.parametrize('keep', ['keep', 'give'])
def test_only_one_process_computes_at_a_time(tmp_path, keep):
    logs = [tmp_path / f'{number}.log' for number in range(3)]
    processes = [start(tmp_path, log, keep=keep) for log in logs]
    assert [process.communicate(timeout=120)[0] for process in processes] == ['done\n'] * 3
    every = sorted((*interval, number) for number, log in enumerate(logs) for interval in intervals(log))
    assert {number for *_, number in every} == {0, 1, 2}
    for (_, end, first), (begin, _, second) in zip(every, every[1:]):
        assert first == second or end <= begin


def test_a_process_alone_never_waits_and_never_drains(tmp_path):
    drained = []
    turns = CpuTurns(tmp_path, lambda: drained.append(True))
    for keep in (True, False, True):
        turns.take(lambda: pytest.fail('waits'))
        turns.pass_on(keep)
    turns.release()
    assert not drained


def test_what_was_queued_is_done_before_the_turn_is_passed_on(tmp_path):
    events = []
    turns = CpuTurns(tmp_path, lambda: events.append('done'))
    turns.take()
    process = start(tmp_path, tmp_path / 'log', batches=1)
    while not turns._contended():
        time.sleep(0.01)
    turns.pass_on()
    events.append('passed on')
    assert process.communicate(timeout=120)[0] == 'done\n'
    assert events == ['done', 'passed on']


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGSTOP])
def test_a_killed_or_stopped_holder_is_not_waited_for_long(tmp_path, turns, number):
    process = start(tmp_path, tmp_path / 'log', batches=1, after='stay')
    assert [process.stdout.readline() for _ in range(2)] == ['done\n', 'holds\n']
    os.kill(process.pid, number)
    began = time.monotonic()
    turns.take()
    try:
        assert time.monotonic() - began < 30  # of the minute that a holder which computes is waited for
        assert (turns._began is not None) == (number == signal.SIGKILL)
        turns.take(lambda: pytest.fail('waits for a stopped process again'))
    finally:
        process.kill()
        process.communicate()
    turns.take()
    assert turns._began is not None  # free again


def test_an_idle_holder_is_not_waited_for_long(tmp_path, turns):
    process = start(tmp_path, tmp_path / 'log', batches=1, after='stay')
    assert [process.stdout.readline() for _ in range(2)] == ['done\n', 'holds\n']
    turns.take()
    process.kill()
    process.communicate()
    assert turns._began is None


def test_a_signal_ends_the_waiting(tmp_path, turns):
    process = start(tmp_path, tmp_path / 'log', batches=1, after='stay')
    assert [process.stdout.readline() for _ in range(2)] == ['done\n', 'holds\n']
    turns.take(lambda: True)
    assert turns._began is None and not turns._passed_over
    process.kill()
    process.communicate()


def test_turns_are_a_fair_share_of_the_turn_before(tmp_path, turns):
    (tmp_path / 'turn').write_bytes(cpu_turns._SECONDS.pack(4))
    turns.take()
    assert turns._length == 3
    turns.release()
    (tmp_path / 'turn').write_bytes(b'odd')
    turns.take()
    assert turns._length == cpu_turns._TURN
    turns.release()


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Two cores, both used, and a folder for the locks."""
    monkeypatch.setattr(cpu_turns.threads, 'physical_cores', lambda: 2)
    monkeypatch.setattr(cpu_turns.tempfile, 'gettempdir', lambda: str(tmp_path))
    cpu_turns._open.cache_clear()
    monkeypatch.setenv('OMP_NUM_THREADS', '2')
    monkeypatch.delenv('MXNET_OMP_MAX_THREADS', raising=False)
    monkeypatch.delenv('CBAM_CPU_TURNS', raising=False)
    yield tmp_path
    cpu_turns._open.cache_clear()


CPU, GPU = SimpleNamespace(device_type='cpu'), SimpleNamespace(device_type='gpu')


def test_a_process_with_a_thread_for_each_core_takes_turns(machine):
    turns = turns_on([CPU])
    assert isinstance(turns, CpuTurns) and turns_on([CPU, CPU]) is turns
    (folder,) = machine.glob('gluon_cbam-*')
    assert folder.stat().st_mode & 0o077 == 0
    assert [file.name for file in sorted(folder.glob('cpus-*/*'))] == ['turn', 'waiting']


@pytest.mark.parametrize(
    'name, value', [('OMP_NUM_THREADS', '1'), ('MXNET_OMP_MAX_THREADS', '1'), ('CBAM_CPU_TURNS', '0')]
)
def test_a_process_with_fewer_threads_takes_none(machine, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert type(turns_on([CPU])) is NoTurns


def test_gpus_and_single_cores_need_none(machine, monkeypatch):
    assert type(turns_on([CPU, GPU])) is NoTurns
    monkeypatch.setattr(cpu_turns.threads, 'physical_cores', lambda: 1)
    assert type(turns_on([CPU])) is NoTurns


def test_without_a_folder_there_are_no_turns(machine):
    (machine / f'gluon_cbam-{os.getuid()}').write_text('a file')
    assert type(turns_on([CPU])) is NoTurns

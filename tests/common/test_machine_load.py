"""The load that other processes put on the machine."""

import hashlib
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from gluon_cbam.common import machine_load
from gluon_cbam.common.machine_load import LoadMeter, MachineLoad

pytestmark = pytest.mark.skipif(machine_load._reading() is None, reason='the kernel does not tell the load')
_SECONDS = 1.0
_BURN = 'while True: pass'


@contextmanager
def burning():
    """Another process that wants a CPU."""
    process = subprocess.Popen([sys.executable, '-c', _BURN])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def burn_here(seconds):
    """Keep two threads of this process busy; hashing releases the lock of the interpreter."""
    end, block = time.monotonic() + seconds, bytes(1 << 20)

    def hash_until_end(_):
        while time.monotonic() < end:
            hashlib.sha256(block).digest()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(hash_until_end, range(2)))


def test_other_processes_are_counted():
    """On a machine that is full anyway, the others are those that fill it."""
    meter = LoadMeter()
    with burning():
        time.sleep(_SECONDS)
        load = meter.read()
    assert 0.3 < load.other_cpus <= load.cpus


def test_threads_of_this_process_are_not_counted():
    """Whatever else runs, the others cannot have used what this process did."""
    meter, began = LoadMeter(), time.monotonic()
    before = resource.getrusage(resource.RUSAGE_SELF)
    burn_here(_SECONDS)
    load, seconds = meter.read(), time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    own = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / seconds
    assert own > 0.1
    assert load.other_cpus <= max(load.cpus - own, 0) + 0.3


@pytest.mark.parametrize(('cpus', 'others', 'busy'), [(2, 0.4, False), (2, 0.6, True), (64, 1, False), (64, 7, True)])
def test_what_is_busy(cpus, others, busy):
    load = MachineLoad(cpus, others, 12.3)
    assert load.busy is load.as_dict()['busy'] is busy
    assert f'other processes use {others:.1f} of {cpus} CPUs (12 involuntary switches' in load.as_text()


def test_a_short_time_tells_nothing(monkeypatch):
    meter = LoadMeter()
    assert meter.read() is None
    monkeypatch.setattr(machine_load, '_STAT', '/no/such/file')
    assert LoadMeter().read() is None

"""Sides are processes: what they say, how they end, and in what order they work."""

import os
import sys

import pytest

from gluon_cbam.benchmarks import process
from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.benchmarks.process import BenchmarkProcess, measure
from gluon_cbam.common.errors import DataError, RunError, UsageError

# a child that notes each repetition in a file and says that it took as many seconds as its batch
STEADY = """
import json, os, sys
spec = json.loads(sys.argv[1])
def say(**what): print(json.dumps(what), flush=True)
say(images=spec['batch'], device='fake', versions={}, imported_bytes=100, threads=os.environ['OMP_NUM_THREADS'],
    kernels=os.environ.get('CBAM_KERNELS'))
for line in sys.stdin:
    open(spec['data'], 'a').write(spec['label'])
    say(seconds=spec['batch'], peak_bytes=350)
"""
FAILING = """
import json, sys
print(json.dumps({'error': 'DataError', 'message': 'a damaged file'}), flush=True)
"""
DYING = 'import sys; sys.exit(7)'


@pytest.fixture
def child(monkeypatch):
    """Has sides run some code."""
    return lambda code: monkeypatch.setattr(process, 'CHILD', (sys.executable, '-S', '-c', code))


def test_sides_work_in_turn_and_are_compared_by_medians(child, tmp_path):
    child(STEADY)
    spec = BenchmarkContext('predict', data=str(tmp_path / 'log'), batch=3, label='a')
    first, second = measure([spec, spec.replace(label='b', batch=2)], repetitions=2, warm_up=1)
    assert (tmp_path / 'log').read_text() == 'ababab'
    assert first.seconds == [3, 3]
    assert first.milliseconds.median == 3000
    assert first.images_per_second == 1
    assert first.over(second) == 1.5
    assert (first.peak_bytes, first.used_bytes) == (350, 250)


def test_time_of_a_pass_is_given_for_a_batch(child, tmp_path):
    child(STEADY.replace("images=spec['batch']", 'images=40'))
    (measured,) = measure([BenchmarkContext('validate', data=str(tmp_path / 'log'), batch=4)], 1, 0)
    assert measured.milliseconds.median == 400
    assert measured.images_per_second == 10


def test_threads_and_environment_are_the_sides_own(child, monkeypatch):
    child(STEADY)
    monkeypatch.setenv('OMP_NUM_THREADS', '9')
    with BenchmarkProcess(BenchmarkContext('predict', threads=3, environment={'CBAM_KERNELS': 'plain'})) as running:
        assert (running.facts['threads'], running.facts['kernels']) == ('3', 'plain')
    assert 'CBAM_KERNELS' not in os.environ


def test_what_a_side_raises_is_raised_here(child):
    child(FAILING)
    with pytest.raises(DataError, match=r'^gluon_cbam resnet18: a damaged file$'):
        measure([BenchmarkContext('predict', network='resnet18')])


def test_a_side_that_dies_is_named(child):
    child(DYING)
    with pytest.raises(RunError, match='resnet18: its process ended with exit code 7'):
        measure([BenchmarkContext('predict', network='resnet18')])


def test_no_process_is_left(child, tmp_path, monkeypatch):
    started = []
    popen = process.subprocess.Popen
    monkeypatch.setattr(process.subprocess, 'Popen', lambda *a, **b: started.append(popen(*a, **b)) or started[-1])
    child(STEADY.replace('say(seconds', "if spec['label'] == 'b': sys.exit(1)\n    say(seconds"))
    spec = BenchmarkContext('predict', data=str(tmp_path / 'log'), label='a')
    with pytest.raises(RunError, match='^b: '):
        measure([spec, spec.replace(label='b')])
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


def test_a_real_child_refuses_in_the_words_of_the_library():
    """Its process imports neither mxnet nor any other engine."""
    with pytest.raises(UsageError, match="unknown engine 'gluoncv': did you mean gluoncv2"):
        measure([BenchmarkContext('predict', engine='gluoncv', network='resnet18')])

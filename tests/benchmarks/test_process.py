"""Benchmark processes: their messages, their order, errors and termination."""

import os
import sys

import pytest

from gluon_cbam.benchmarks import process
from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.benchmarks.process import BenchmarkProcess, measure
from gluon_cbam.common.errors import DataError, RunError, UsageError

# a child that logs each repetition to a file and reports a duration of as many seconds as its batch
STEADY = """
import json, os, sys
context = json.loads(sys.argv[1])
def send(**value): print(json.dumps(value), flush=True)
send(images=context['batch'], device='fake', versions={}, imported_bytes=100, instructions=None,
    threads=os.environ['OMP_NUM_THREADS'], kernels=os.environ.get('CBAM_KERNELS'))
for line in sys.stdin:
    open(context['data'], 'a').write(context['label'])
    send(seconds=context['batch'], peak_bytes=350, instructions='avx2')
"""
FAILING = """
import json, sys
print(json.dumps({'error': 'DataError', 'message': 'a damaged file'}), flush=True)
"""
DYING = 'import sys; sys.exit(7)'


@pytest.fixture
def child(monkeypatch):
    """Replaces the program of the benchmark processes."""
    return lambda code: monkeypatch.setattr(process, 'CHILD', (sys.executable, '-S', '-c', code))


def test_processes_are_interleaved_and_compared_by_medians(child, tmp_path):
    child(STEADY)
    context = BenchmarkContext('predict', data=str(tmp_path / 'log'), batch=3, label='a')
    first, second = measure([context, context.replace(label='b', batch=2)], repetitions=2, warm_up=1)
    assert (tmp_path / 'log').read_text() == 'ababab'
    assert first.seconds == [3, 3]
    assert first.milliseconds.median == 3000
    assert first.images_per_second == 1
    assert first.over(second) == 1.5
    assert (first.peak_bytes, first.used_bytes) == (350, 250)
    assert first.facts['instructions'] == 'avx2', 'as of the calls'


def test_duration_is_given_for_a_batch(child, tmp_path):
    child(STEADY.replace("images=context['batch']", 'images=40'))
    (measured,) = measure([BenchmarkContext('validate', data=str(tmp_path / 'log'), batch=4)], 1, 0)
    assert measured.milliseconds.median == 400
    assert measured.images_per_second == 10


def test_threads_and_environment_of_a_process(child, monkeypatch):
    child(STEADY)
    monkeypatch.setenv('OMP_NUM_THREADS', '9')
    with BenchmarkProcess(BenchmarkContext('predict', threads=3, environment={'CBAM_KERNELS': 'plain'})) as running:
        assert (running.facts['threads'], running.facts['kernels']) == ('3', 'plain')
    assert 'CBAM_KERNELS' not in os.environ


def test_errors_of_a_process_are_raised(child):
    child(FAILING)
    with pytest.raises(DataError, match=r'^gluon_cbam resnet18: a damaged file$'):
        measure([BenchmarkContext('predict', network='resnet18')])


def test_a_context_is_left_out_if_its_error_is_taken(child, tmp_path):
    refused = []
    refusing = "if context['label'] == 'b':\n    send(error='DataError', message='no')\n    sys.exit(1)\n"
    child(STEADY.replace('send(images', f'{refusing}send(images'))
    context = BenchmarkContext('predict', data=str(tmp_path / 'log'), label='a')
    contexts = [context, context.replace(label='b'), context.replace(label='c')]
    results = measure(contexts, 2, 0, refused=lambda context, error: refused.append((context, str(error))))
    assert [result.context for result in results] == [contexts[0], contexts[2]]
    assert refused == [(contexts[1], 'b: no')]
    assert (tmp_path / 'log').read_text() == 'acac'
    with pytest.raises(DataError, match='b: no'):
        measure(contexts, 2, 0)


def test_a_process_that_dies_is_named(child):
    child(DYING)
    with pytest.raises(RunError, match='resnet18: its process ended with exit code 7'):
        measure([BenchmarkContext('predict', network='resnet18')])


def test_all_processes_are_terminated_after_an_error(child, tmp_path, monkeypatch):
    started = []
    popen = process.subprocess.Popen
    monkeypatch.setattr(process.subprocess, 'Popen', lambda *a, **b: started.append(popen(*a, **b)) or started[-1])
    child(STEADY.replace('send(seconds', "if context['label'] == 'b': sys.exit(1)\n    send(seconds"))
    context = BenchmarkContext('predict', data=str(tmp_path / 'log'), label='a')
    with pytest.raises(RunError, match='^b: '):
        measure([context, context.replace(label='b')])
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


def test_errors_of_a_real_process():
    """Its process imports neither mxnet nor any other engine."""
    with pytest.raises(UsageError, match="unknown engine 'gluon_cv': did you mean"):
        measure([BenchmarkContext('predict', engine='gluon_cv', network='resnet18')])

"""Percentiles as in NumPy, and interleaved timing."""

import time

import numpy as np
import pytest

from gluon_cbam.common.timing import Timing, interleaved, timed


@pytest.mark.parametrize('count', [1, 2, 3, 20, 101])
def test_percentiles_equal_numpy(count):
    seconds = np.random.RandomState(count).exponential(size=count).tolist()
    expected = [1000 * np.percentile(seconds, percent) for percent in (0, 5, 50, 95)]
    assert Timing.of(seconds) == pytest.approx(expected)
    assert Timing.of(seconds, 0.25) == pytest.approx([each / 4 for each in expected])


def test_repetitions_are_interleaved():
    calls = []
    seconds = iter(range(100))

    def call(name):
        return lambda: calls.append(name) or next(seconds)

    taken = interleaved({'a': call('a'), 'b': call('b')}, repetitions=3, warm_up=1)
    assert calls == ['a', 'b'] * 4
    assert taken == {'a': [2, 4, 6], 'b': [3, 5, 7]}, 'the first round does not count'


def test_rounds_are_repeated_for_the_minimum_duration(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, 'perf_counter', lambda: clock[0])

    def call():
        clock[0] += 3

    for seconds, rounds in ((0, 2), (6, 2), (7, 3), (30, 10)):
        taken = interleaved({'a': timed(call)}, repetitions=2, warm_up=1, seconds=seconds)
        assert taken == {'a': [3.0] * rounds}, seconds


def test_rest_is_not_measured(monkeypatch):
    clock, rests = [0.0], []

    def sleep(seconds):
        rests.append(seconds)
        clock[0] += seconds

    def call():
        clock[0] += 3

    monkeypatch.setattr(time, 'perf_counter', lambda: clock[0])
    monkeypatch.setattr(time, 'sleep', sleep)
    calls = {'a': timed(call), 'b': timed(call)}
    assert interleaved(calls, repetitions=2, warm_up=1, rest=0.5) == {'a': [3.0, 3.0], 'b': [3.0, 3.0]}
    assert rests == [0.5] * 6, 'after every call, so that no call directly follows another'

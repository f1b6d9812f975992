"""What counts as a repetition, and what is made of several."""

import time

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.benchmarks.timing import Subject, Timing, interleaved, repetition, timed


class Device:
    """Calls are queued in no time and done when somebody waits; its clock counts the seconds that this takes."""

    def __init__(self, seconds):
        self.seconds, self.clock, self.queued, self.waits = seconds, 0.0, 0, 0

    def call(self):
        self.queued += 1

    def wait(self):
        self.clock += self.seconds * self.queued
        self.queued, self.waits = 0, self.waits + 1

    def now(self):
        return self.clock

    def subject(self):
        return Subject(1, self.call, self.wait, 'fake')


@pytest.mark.parametrize('calls', [1, 4])
def test_a_repetition_ends_when_the_work_is_done(calls):
    device = Device(3.0)
    assert repetition(device.subject(), calls, device.now) == 3.0
    assert device.waits == 2, 'once before and once at the end, not between the calls'


def test_work_of_earlier_is_not_counted():
    device = Device(3.0)
    device.call()
    assert repetition(device.subject(), 1, device.now) == 3.0
    assert device.clock == 6.0


def test_waiting_is_for_what_mxnet_queued():
    """MXNet's engine runs a custom operator after its call has returned."""
    done = []

    class Slow(mx.operator.CustomOp):
        def forward(self, is_train, req, in_data, out_data, aux):
            time.sleep(0.02)
            self.assign(out_data[0], req[0], in_data[0])
            done.append(1)

    @mx.operator.register('slow_of_test_timing')
    class _Prop(mx.operator.CustomOpProp):
        def create_operator(self, ctx, shapes, dtypes):
            return Slow()

    seen = []
    x = mx.nd.ones((1,))
    subject = Subject(1, lambda: mx.nd.Custom(x, op_type='slow_of_test_timing'), mx.nd.waitall, 'cpu(0)')
    repetition(subject, 3, lambda: seen.append(len(done)) or 0.0)
    assert seen == [0, 3]


@pytest.mark.parametrize('count', [1, 2, 3, 20, 101])
def test_percentiles_are_numpys(count):
    seconds = np.random.RandomState(count).exponential(size=count).tolist()
    expected = [1000 * np.percentile(seconds, percent) for percent in (0, 50, 95)]
    assert Timing.of(seconds) == pytest.approx(expected)
    assert Timing.of(seconds, 0.25) == pytest.approx([each / 4 for each in expected])


def test_repetitions_come_in_turn():
    calls = []
    seconds = iter(range(100))

    def side(name):
        return lambda: calls.append(name) or next(seconds)

    taken = interleaved({'a': side('a'), 'b': side('b')}, repetitions=3, warm_up=1)
    assert calls == ['a', 'b'] * 4
    assert taken == {'a': [2, 4, 6], 'b': [3, 5, 7]}, 'the first round does not count'


def test_rounds_go_on_until_the_time_is_over(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, 'perf_counter', lambda: clock[0])

    def call():
        clock[0] += 3

    for seconds, rounds in ((0, 2), (6, 2), (7, 3), (30, 10)):
        taken = interleaved({'a': timed(call)}, repetitions=2, warm_up=1, seconds=seconds)
        assert taken == {'a': [3.0] * rounds}, seconds


def test_a_rest_is_not_counted(monkeypatch):
    clock, rests = [0.0], []

    def sleep(seconds):
        rests.append(seconds)
        clock[0] += seconds

    def call():
        clock[0] += 3

    monkeypatch.setattr(time, 'perf_counter', lambda: clock[0])
    monkeypatch.setattr(time, 'sleep', sleep)
    sides = {'a': timed(call), 'b': timed(call)}
    assert interleaved(sides, repetitions=2, warm_up=1, rest=0.5) == {'a': [3.0, 3.0], 'b': [3.0, 3.0]}
    assert rests == [0.5] * 6, 'after every call, so that no side comes right behind another'

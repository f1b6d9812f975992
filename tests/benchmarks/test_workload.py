"""The timing of a repetition."""

import time

import mxnet as mx
import pytest

from gluon_cbam.benchmarks.workload import Workload, repetition


class Device:
    """An asynchronous device: calls are queued and run in wait(), which advances the clock."""

    def __init__(self, seconds):
        self.seconds, self.clock, self.queued, self.waits = seconds, 0.0, 0, 0

    def call(self):
        self.queued += 1

    def wait(self):
        self.clock += self.seconds * self.queued
        self.queued, self.waits = 0, self.waits + 1

    def now(self):
        return self.clock

    def workload(self):
        return Workload(1, self.call, self.wait, 'fake')


@pytest.mark.parametrize('calls', [1, 4])
def test_a_repetition_includes_the_queued_work(calls):
    device = Device(3.0)
    assert repetition(device.workload(), calls, device.now) == 3.0
    assert device.waits == 2, 'once before and once at the end, not between the calls'


def test_earlier_work_is_not_counted():
    device = Device(3.0)
    device.call()
    assert repetition(device.workload(), 1, device.now) == 3.0
    assert device.clock == 6.0


def test_waitall_waits_for_queued_custom_operators():
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
    workload = Workload(1, lambda: mx.nd.Custom(x, op_type='slow_of_test_timing'), mx.nd.waitall, 'cpu(0)')
    repetition(workload, 3, lambda: seen.append(len(done)) or 0.0)
    assert seen == [0, 3]

"""A run computes in turns with other processes on the same CPUs."""

import os
import signal
from types import SimpleNamespace

import pytest

from gluon_cbam.common.errors import Interrupted, RunError
from gluon_cbam.compat import cpu_turns
from gluon_cbam.compat.cpu_turns import NoTurns
from gluon_cbam.training import TrainConfig, train
from gluon_cbam.training.loop import trainer


class Recorded(NoTurns):
    """Turns that write down what is asked of them."""

    def __init__(self):
        self.calls = []

    def take(self, interrupted=lambda: False):
        self.calls.append('take')

    def pass_on(self, keep=False):
        self.calls.append('keep' if keep else 'pass on')

    def release(self):
        self.calls.append('release')


@pytest.fixture
def turns(monkeypatch):
    recorded = Recorded()
    for module in (trainer, cpu_turns):
        monkeypatch.setattr(module, 'turns_on', lambda ctx: recorded)
    return recorded


def test_each_step_and_each_batch_of_the_validation_is_in_a_turn(settings, small_network, turns):
    train(TrainConfig(**{**settings, 'epochs': 1}))
    assert turns.calls[:24] == ['take', 'keep'] * 12
    # 48 records in batches of 8, one batch ahead of the counting
    assert turns.calls[24:-1] == ['take', *['take', 'pass on'] * 5, 'pass on']
    assert turns.calls[-1] == 'release'


def test_a_failed_run_ends_its_turn(settings, small_network, turns):
    with pytest.raises(RunError):
        train(TrainConfig(**{**settings, 'lr': 1e30}))
    assert turns.calls[-1] == 'release'


def test_a_signal_ends_the_waiting_for_a_turn(settings, small_network, turns, monkeypatch):
    def take(interrupted=lambda: False):
        turns.calls.append(interrupted())
        os.kill(os.getpid(), signal.SIGTERM)
        turns.calls.append(interrupted())

    monkeypatch.setattr(turns, 'take', take)
    with pytest.raises(Interrupted):
        train(TrainConfig(**settings))
    assert turns.calls == [False, True, 'release']


@pytest.mark.parametrize('processes, kind', [(1, Recorded), (2, NoTurns)])
def test_processes_that_wait_for_each_other_in_a_step_take_no_turns(turns, processes, kind):
    setup = SimpleNamespace(ctx=[], process_group=SimpleNamespace(size=processes))
    assert type(trainer.turns_of(setup)) is kind

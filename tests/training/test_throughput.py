"""The time of a run, measured with a simulated clock."""

import pytest

from gluon_cbam.training.logging.throughput import Throughput, duration


class Hand:
    now = 100.0

    def __call__(self):
        return self.now


def slow(hand, count):
    for number in range(count):
        hand.now += 3  # to load
        yield number


def test_waiting_and_the_time_left():
    hand = Hand()
    clock = Throughput(steps=20, epochs=4, now=hand)
    for epoch in range(2):
        for number in clock.epoch(slow(hand, 5)):
            hand.now += 1  # to train
            if number in (1, 4):
                assert clock.interval() == (
                    (2, 8, pytest.approx(0.75)) if number == 1 else (3, 12, pytest.approx(0.75))
                )
                # four seconds per step; the time between epochs is known after the first
                between = 10 * (4 - epoch) if epoch else 0
                assert clock.remaining(5 * epoch + number + 1, epoch) == (20 - 5 * epoch - number - 1) * 4 + between
        hand.now += 10  # to validate and to save
    assert clock.seconds == 60


def test_a_pause_does_not_count_as_training_but_as_time_to_come():
    hand = Hand()
    clock = Throughput(steps=8, epochs=2, now=hand)
    for number in clock.epoch(slow(hand, 4)):
        hand.now += 1
        if number in (1, 3):
            assert clock.interval() == (2, 8, pytest.approx(0.75))
        if number == 1:
            hand.now += 6  # to validate
            clock.pause()
    # half of the steps, and half of the pauses, are left
    assert clock.remaining(4, 1) == 4 * 4 + 6


def test_a_session_that_continues_counts_its_own_speed():
    hand = Hand()
    clock = Throughput(steps=100, epochs=10, now=hand)
    assert clock.remaining(step=88, epoch=9) is None
    for _ in clock.epoch(slow(hand, 2)):
        pass
    clock.interval()
    assert clock.remaining(step=90, epoch=9) == 30


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [(None, '-'), (0.4, '0:00'), (59.6, '1:00'), (7833, '2:10:33'), (2 * 86400 + 61, '2 d 0:01:01')],
)
def test_duration(seconds, text):
    assert duration(seconds) == text

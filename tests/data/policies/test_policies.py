"""RandAugment and TrivialAugment: which operations they choose, how often, and with which values."""

import math
from collections import defaultdict

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.loading.policies.naming import policy
from gluon_cbam.data.loading.policies.operations import OPERATIONS
from gluon_cbam.data.loading.policies.randaugment import RandAugment
from gluon_cbam.data.loading.policies.trivialaugment import TrivialAugment
from gluon_cbam.data.loading.preprocessing import Preprocessing

PIXELS = np.zeros((4, 6, 3), np.uint8)
FACTORS = ('color', 'contrast', 'brightness', 'sharpness')
SIGNED = ('rotate', 'shear_x', 'shear_y', 'translate_x_rel', 'translate_y_rel')
PLAIN = ('autocontrast', 'equalize', 'invert')


@pytest.fixture
def drawn(monkeypatch):
    """Draws images with a step; the values that each operation was applied with, by its name."""
    applied = defaultdict(list)
    for name in OPERATIONS:
        monkeypatch.setitem(
            OPERATIONS, name,
            lambda pixels, value, fill, name=name: applied[name].append((value, tuple(fill))) or pixels,
        )  # fmt: skip

    def draw(step, images):
        applied.clear()
        rng = np.random.default_rng(0)
        for _ in range(images):
            assert step(PIXELS, Preprocessing(32), rng) is PIXELS
        assert {fill for each in applied.values() for _, fill in each} <= {(124, 116, 104)}, 'the mean color'
        return {name: np.array([value for value, _ in each]) for name, each in applied.items()}

    return draw


@pytest.mark.parametrize(('layers', 'probability'), [(2, 0.5), (3, 1.0), (1, 0.25)])
def test_randaugment_chooses_uniformly_and_applies_a_share(drawn, layers, probability):
    values = drawn(RandAugment(layers, probability=probability), 2000)
    counts = [len(each) for each in values.values()]
    assert set(values) == {*PLAIN, *SIGNED, *FACTORS, 'posterize', 'solarize', 'solarize_add'}
    assert chisquare(counts).pvalue > 1e-3
    spread = math.sqrt(2000 * layers * probability * (1 - probability))
    assert sum(counts) == pytest.approx(2000 * layers * probability, abs=4 * spread)


# the values of timm at magnitudes 9 and 3
RANGES = {
    (9, False): {
        'rotate': {-27, 27}, 'shear_x': {-0.27, 0.27}, 'shear_y': {-0.27, 0.27}, 'translate_x_rel': {-0.405, 0.405},
        'translate_y_rel': {-0.405, 0.405}, 'posterize': {3}, 'solarize': {230}, 'solarize_add': {99},
        **dict.fromkeys(FACTORS, {1.72}),
    },
    (9, True): {'rotate': {-27, 27}, 'posterize': {1}, 'solarize': {26}, **dict.fromkeys(FACTORS, {0.19, 1.81})},
    (3, False): {'posterize': {1}, 'solarize': {76}, 'solarize_add': {33}, **dict.fromkeys(FACTORS, {0.64})},
    (3, True): {'posterize': {3}, 'solarize': {180}, 'solarize_add': {33}, **dict.fromkeys(FACTORS, {0.73, 1.27})},
}  # fmt: skip


@pytest.mark.parametrize(('magnitude', 'increasing'), RANGES)
def test_magnitudes_are_those_of_timm(drawn, magnitude, increasing):
    values = drawn(RandAugment(2, magnitude, increasing=increasing, probability=1), 600)
    for name, expected in RANGES[magnitude, increasing].items():
        assert {round(float(value), 6) for value in values[name]} == expected, name
    signs = np.concatenate([np.sign(values[name]) for name in SIGNED])
    assert (signs > 0).mean() == pytest.approx(0.5, abs=2 / math.sqrt(len(signs)))


def test_the_end_of_the_ranges(drawn):
    values = drawn(policy('rand-n4-m30-mmax30-inc1-p1'), 600)
    assert {round(float(value), 6) for value in values['rotate']} == {-90, 90}
    assert {round(float(value), 6) for value in values['brightness']} == {0.1, 3.7}
    assert set(values['posterize']) == {0}
    assert set(values['solarize']) == {0}
    assert set(drawn(policy('rand-n4-m30-mmax30-p1'), 600)['solarize_add']) == {128}


def test_the_magnitude_varies_as_a_clipped_normal(drawn):
    levels = np.abs(drawn(policy('rand-m9-mstd0.5-n4-p1'), 6000)['rotate']) / 3
    assert levels.max() == 10
    assert (levels == 10).mean() == pytest.approx(0.0228, abs=0.015)  # beyond two standard deviations
    below = levels[levels < 10]
    assert kstest((below - 9) / 0.5, 'norm').pvalue > 1e-4
    uniform = np.abs(drawn(policy('rand-m8-mstd101-n4-p1'), 6000)['rotate']) / 3
    assert kstest(uniform / 8, 'uniform').pvalue > 1e-3


def test_trivialaugment_draws_uniformly(drawn):
    values = drawn(TrivialAugment(), 12000)
    assert len(values) == 14
    assert chisquare([len(each) for each in values.values()]).pvalue > 1e-3
    steps = np.arange(31)
    signed_steps = {*steps, *-steps}
    assert {round(float(value) * 30 / 135, 6) for value in values['rotate']} == signed_steps
    assert {round(float(value) * 30 / 0.99, 6) for value in values['shear_x']} == signed_steps
    assert {round((float(value) - 1) * 30 / 0.99, 6) for value in values['color']} == signed_steps
    assert set(values['translate_y']) == {sign * int(32 * step / 30) for step in steps for sign in (-1, 1)}
    assert set(values['posterize']) == {2, 3, 4, 5, 6, 7, 8}
    assert {round(255 - float(value), 6) for value in values['solarize']} == set(np.round(8.5 * steps, 6))
    found = np.rint(np.abs(values['rotate']) * 30 / 135).astype(int)
    assert chisquare(np.bincount(found, minlength=31)).pvalue > 1e-3


@pytest.mark.parametrize(
    ('text', 'step'),
    [
        ('rand', RandAugment(2, 10, 0, 10, False, 0.5)),
        ('rand-m9-mstd0.5-inc1', RandAugment(2, 9, 0.5, 10, True, 0.5)),
        ('randaugment-n2-m9', RandAugment(2, 9, 0, 10, False, 0.5)),
        ('rand-inc0-p1-m12-mmax30-n3', RandAugment(3, 12, 0, 30, False, 1)),
        ('trivialaugment', TrivialAugment()),
        ('ta_wide', TrivialAugment()),
    ],
)
def test_names_of_policies(text, step):
    assert policy(text) == step


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('rnd-m9', "unknown policy of augmentation 'rnd-m9': did you mean rand"),
        ('trivialaugmnt', 'did you mean trivialaugment'),
        ('', 'known: rand, randaugment'),
        ('rand-msdt0.5', "'rand-msdt0.5': unknown parameter 'msdt': did you mean mstd"),
        ('rand-w0', "unknown parameter 'w': known: n, m, mstd"),
        ('rand-inc', "'inc' is no parameter with a number, such as m9"),
        ('rand-', "'' is no parameter"),
        ('rand-m-9', "'m' is no parameter"),
        ('rand-mnan', "'mnan' is no parameter"),
        ('rand-n2-n3', "'n' is given twice"),
        ('rand-m9.5', "'m' takes a whole number, got '9.5'"),
        ('rand-m11', 'm, must be in 0..10, got 11: mmax allows more, up to 30'),
        ('rand-n0', '1 to 16 operations, n, got 0'),
        ('rand-n99999', '1 to 16 operations, n, got 99999'),
        ('rand-mmax31', 'mmax, must be in 10..30, got 31'),
        ('rand-p1.5', 'p, must be in 0..1, got 1.5'),
        ('trivialaugment-n2', 'takes no parameters: leave n2 out'),
    ],
)
def test_bad_names_of_policies(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        policy(text)
    assert '\n' not in str(caught.value)

"""Squeeze and excitation against numpy."""

import checks
import mxnet as mx
import numpy as np
import pytest
from golden import recipe

from gluon_cbam import SqueezeExcitation

X = recipe.images((2, 32, 9, 7))


def test_equals_numpy(tmp_path):
    attention = checks.fill(SqueezeExcitation(32, reduction=4))
    w1, b1, w2, b2 = (
        parameter.data().asnumpy().astype('float64')
        for layer in (attention.gate.fc1, attention.gate.fc2)
        for parameter in (layer.weight, layer.bias)
    )
    hidden = np.maximum(X.mean((2, 3)) @ w1.T + b1, 0)
    gate = 1 / (1 + np.exp(-(hidden @ w2.T + b2)))
    for output in checks.three_ways(attention, X, tmp_path):
        assert np.abs(output - X * gate[:, :, None, None]).max() <= 1e-5


def test_the_gate_changes_the_map():
    attention = checks.fill(SqueezeExcitation(32, reduction=4))
    checks.assert_attends(attention, X)
    assert checks.without_gradient(attention, X) == []


def test_hidden_units():
    attention = SqueezeExcitation(64)
    assert attention.gate.fc1.weight.shape == (4, 64)
    assert sorted(attention._collect_params_with_prefix()) == [
        *('gate.fc1.bias', 'gate.fc1.weight', 'gate.fc2.bias', 'gate.fc2.weight'),
    ]


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: SqueezeExcitation(-3), 'channels must be a positive integer, got -3'),
        (lambda: SqueezeExcitation(8), 'reduction 16 leaves no hidden unit for 8 channels'),
        (lambda: SqueezeExcitation(64, reduction='4'), "reduction must be a positive integer, got '4'"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_bad_input():
    attention = SqueezeExcitation(32)
    attention.initialize()
    with pytest.raises(ValueError, match='SqueezeExcitation takes 32 channels'):
        attention(mx.nd.zeros((1, 16, 4, 4)))

"""The compiled update of SGD with momentum against numpy in float64."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.ops.library import load
from gluon_cbam.training.optim.optimizers import SGD

LR, MOMENTUM, WD, FACTOR = 0.3, 0.9, 0.01, 0.25
SETTINGS = [LR, MOMENTUM, FACTOR, WD]
PARALLEL = 2**17 + 5  # values, more than one thread works on alone


def updated(weight, gradient, state):
    """The weight and the momentum after an update."""
    state = MOMENTUM * state - LR * (FACTOR * gradient + WD * weight)
    return weight + state, state


@pytest.mark.parametrize('shape', [(1,), (37,), (PARALLEL,), (64, 32, 3, 3)])
@pytest.mark.parametrize('dtype, tolerance', [('float32', 1e-6), ('float64', 1e-14)])
def test_the_formula(dtype, tolerance, shape, operators):
    random = np.random.RandomState(0)
    values = [random.randn(*shape) for _ in range(3)]
    weight, gradient, state = (mx.nd.array(each, dtype=dtype) for each in values)
    expected, expected_state = values[0], values[2]
    for _ in range(3):
        load().nd.sgd_momentum(weight, gradient, state, mx.nd.array(SETTINGS, dtype=dtype), out=weight)
        expected, expected_state = updated(expected, values[1], expected_state)
    assert np.abs(weight.asnumpy() - expected).max() <= tolerance * np.abs(expected).max()
    assert np.abs(state.asnumpy() - expected_state).max() <= tolerance * np.abs(expected_state).max()


@pytest.mark.parametrize('kernels', ['auto', 'plain'])
def test_weights_in_the_layout_of_inference(kernels, operators, monkeypatch):
    """OneDNN changes the layout of a weight in place when the network infers, as in a validation."""
    monkeypatch.setenv('CBAM_KERNELS', kernels)
    conv = mx.gluon.nn.Conv2D(32, 3, padding=1, in_channels=16, use_bias=False)
    conv.initialize(mx.init.Normal(0.1))
    conv.hybridize(static_alloc=True, static_shape=True)
    weight, x = conv.weight, mx.nd.random.normal(shape=(2, 16, 8, 8))
    trainer = mx.gluon.Trainer([weight], SGD(learning_rate=LR, momentum=MOMENTUM, wd=WD), kvstore=None)
    expected, state = weight.data().asnumpy().astype(float), 0
    for _ in range(3):
        conv(x).wait_to_read()
        with mx.autograd.record():
            loss = (conv(x) ** 2).sum()
        loss.backward()
        expected, state = updated(expected, weight.grad().asnumpy().astype(float), state)
        trainer.step(1 / FACTOR)
        plain = mx.nd.Convolution(
            x, mx.nd.array(expected), kernel=(3, 3), pad=(1, 1), num_filter=32, no_bias=True
        ).asnumpy()
        assert np.abs(conv(x).asnumpy() - plain).max() <= 1e-5 * np.abs(plain).max()
    assert np.abs(weight.data().asnumpy() - expected).max() <= 1e-6 * np.abs(expected).max()


def test_arrays_of_other_shapes_are_refused(operators):
    arrays = [mx.nd.ones((3,)), mx.nd.ones((4,)), mx.nd.ones((3,)), mx.nd.ones((4,))]
    with pytest.raises(mx.MXNetError, match='from arrays of the same shape, got'):
        load().nd.sgd_momentum(*arrays, out=arrays[0])

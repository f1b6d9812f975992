"""Gradients: of the Keras network against its own, of the official form against finite differences in float64."""

import mxnet as mx
import numpy as np
import pytest
from golden import keras_tiny, recipe

from gluon_cbam import CBAM, CBAMNet, ChannelAttention, SpatialAttention, convert, get_model
from gluon_cbam.convert.sources import SOURCES

KERAS = SOURCES['keras']


# MXNet's float32 BatchNorm adds its batch statistics up one by one: with it in float64 alone, the rest in float32, the
# gradients agree to 4e-6; with it in float32, to 1.4e-4
TOLERANCE = {'float64': 1e-5, 'float32': 3e-4}


@pytest.fixture(scope='module', params=TOLERANCE)
def trained_once(request):
    """The Keras network after one pass in training mode: arrays, network, probabilities, loss, tolerance."""
    arrays, weights = keras_tiny()
    net = CBAMNet.from_variant('tiny', num_classes=10)
    convert.load_arrays(net, weights, 'keras', ctx=mx.current_context())
    net.cast(request.param)
    net.hybridize(static_alloc=True, static_shape=True)
    with mx.autograd.record():
        logits = net(mx.nd.array(arrays['input'].transpose(0, 3, 1, 2), dtype=request.param))
        loss = mx.gluon.loss.SoftmaxCELoss()(logits, mx.nd.array(arrays['labels'])).mean()
    loss.backward()
    mx.nd.waitall()
    return arrays, net, logits.softmax().asnumpy(), loss.asscalar(), TOLERANCE[request.param]


def relative(value, expected):
    return np.abs(value - expected).max() / np.abs(expected).max()


def test_training_pass_equals_keras(trained_once):
    arrays, net, probabilities, loss, tolerance = trained_once
    assert np.abs(probabilities - arrays['train_output']).max() <= tolerance
    assert abs(loss - arrays['train_loss']) <= tolerance
    gradients = [name for name in arrays if name.startswith('grad:')]
    assert len(gradients) == 10
    for name in gradients:
        gradient = net._collect_params_with_prefix()[KERAS.our_name(name[len('grad:') :])].grad().asnumpy()
        assert relative(gradient, KERAS.layout(arrays[name])) <= tolerance, name


def test_running_statistics_equal_keras(trained_once):
    arrays, net, *_, tolerance = trained_once
    updated = [name for name in arrays if name.startswith('train_new:')]
    assert len(updated) == 4
    for name in updated:
        value = net._collect_params_with_prefix()[KERAS.our_name(name[len('train_new:') :])].data().asnumpy()
        assert relative(value, arrays[name]) <= tolerance, name


def test_one_training_step_equals_keras(trained_once):
    """Weights after SGD are the reference's weights less the reference's gradients."""
    arrays, net, *_, tolerance = trained_once
    mx.gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.5}).step(1)
    for name in (name for name in arrays if name.startswith('grad:')):
        key = name[len('grad:') :]
        expected = KERAS.layout(arrays[f'w:{key}'] - 0.5 * arrays[name])
        value = net._collect_params_with_prefix()[KERAS.our_name(key)].data().asnumpy()
        assert relative(value, expected) <= tolerance


def double(block):
    """A block in float64 with random parameters."""
    block.initialize(force_reinit=True)
    block.cast('float64')
    for name, parameter in block._collect_params_with_prefix().items():
        parameter.set_data(mx.nd.array(recipe.fill(name, parameter.shape), dtype='float64'))
    return block


def loss_of(block, x, weight):
    return (block(x) * weight).sum()


@pytest.mark.parametrize(
    'block',
    [
        ChannelAttention(8, 2),
        ChannelAttention(8, 2, pool_types=('lp', 'lse')),
        SpatialAttention(3),
        CBAM(8, 2, 3),
        CBAM(8, 2, 3, order='spatial_channel', gate='identity'),
        CBAM(8, 2, 3, order='parallel', spatial_pool='conv1x1'),
    ],
    ids=['channel', 'lp and lse', 'spatial', 'cbam', 'spatial first', 'parallel'],
)
@pytest.mark.parametrize('hybridized', [False, True])
def test_finite_differences(block, hybridized):
    block = double(block)
    block.hybridize(hybridized)
    rng = np.random.RandomState(1)
    x = mx.nd.array(rng.randn(2, 8, 5, 4), dtype='float64')
    weight = mx.nd.array(rng.randn(*block(x).shape), dtype='float64')
    x.attach_grad()
    with mx.autograd.record():
        loss = loss_of(block, x, weight)
    loss.backward()
    parameters = [p for p in block.collect_params().values() if p.grad_req != 'null']
    checked = [(x, x.grad.asnumpy(), x), *((p.data(), p.grad().asnumpy(), p) for p in parameters)]
    for array, gradient, owner in checked:
        direction = rng.randn(*array.shape)
        values = []
        for step in (1e-5, -1e-5):
            moved = mx.nd.array(array.asnumpy() + step * direction, dtype='float64')
            if owner is x:
                with mx.autograd.train_mode():
                    values.append(loss_of(block, moved, weight).asscalar())
            else:
                kept = array.copy()
                owner.set_data(moved)
                with mx.autograd.train_mode():
                    values.append(loss_of(block, x, weight).asscalar())
                owner.set_data(kept)
        difference = (values[0] - values[1]) / 2e-5
        assert abs((gradient * direction).sum() - difference) <= 1e-4 * max(1, abs(difference)), getattr(
            owner, 'name', 'x'
        )


def test_penalty():
    """Keras' L2(c): c times the sum of squares, on the kernels of one kind of gate, and its gradient 2 c w."""
    net = get_model('cbamnet_tiny', classes=3, channel_l2=0.5)
    net.initialize()
    kernels = [
        layer.weight for stage in net.stages for layer in (stage.attention.channel.fc1, stage.attention.channel.fc2)
    ]
    with mx.autograd.record():
        penalty = net.penalty(mx.current_context())
    penalty.backward()
    assert penalty.asscalar() == pytest.approx(0.5 * sum((k.data().asnumpy() ** 2).sum() for k in kernels), rel=1e-5)
    for parameter in net.collect_params().values():
        if parameter.grad_req != 'null':
            expected = parameter.data().asnumpy() if parameter in kernels else 0
            assert np.allclose(parameter.grad().asnumpy(), expected, rtol=1e-5)
    spatial = get_model('cbamnet_tiny', classes=3, spatial_l2=2.0)
    spatial.initialize()
    expected = 2 * sum((stage.attention.spatial.conv.weight.data().asnumpy() ** 2).sum() for stage in spatial.stages)
    assert spatial.penalty(mx.current_context()).asscalar() == pytest.approx(expected, rel=1e-5)
    assert get_model('cbamnet_tiny').penalty(mx.current_context()) is None
    with pytest.raises(ValueError, match='channel_l2 must be at least 0, got -1'):
        get_model('cbamnet_tiny', channel_l2=-1)

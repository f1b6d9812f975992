"""The attention modules against the outputs of the official code, NumPy, and the equations of the paper."""

import checks
import mxnet as mx
import numpy as np
import pytest
from golden import Golden, keras_tiny, recipe

from gluon_cbam import CBAM, CBAMNet, ChannelAttention, SpatialAttention, convert
from gluon_cbam.ops.backend import FeatureMap, ReferenceBackend

X = recipe.images((2, 32, 9, 7))

OFFICIAL = {
    'official_block_avg_max': {},
    'official_block_lp': {'pool_types': ('lp',)},
    'official_block_avg_max_nospatial': {'spatial': False},
}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize('name', OFFICIAL)
def test_equals_the_official_module(name, tmp_path):
    golden = Golden(name)
    attention = CBAM(64, **OFFICIAL[name])
    convert.load_arrays(attention, golden.arrays, 'official', ctx=mx.current_context())
    for output in checks.three_ways(attention, golden.input, tmp_path):
        assert np.abs(output - golden.output).max() <= 1e-5


def test_keras_attention_maps():
    arrays, weights = keras_tiny()
    net = CBAMNet.from_variant('tiny', num_classes=10)
    convert.load_arrays(net, weights, 'keras', ctx=mx.current_context())
    x = mx.nd.array(arrays['input'][: len(arrays['inter:stage_0_mc'])].transpose(0, 3, 1, 2))
    for number, stage in enumerate(net.stages):
        features = stage.bn(stage.conv(x))
        channel = stage.attention.channel(features)
        spatial = stage.attention.spatial(features * channel)
        for gate, name in ((channel, 'mc'), (spatial, 'ms')):
            expected = arrays[f'inter:stage_{number}_{name}'].transpose(0, 3, 1, 2)
            assert np.abs(gate.asnumpy() - expected).max() <= 1e-5
        x = stage(x)


@pytest.mark.parametrize(
    'attention',
    [
        CBAM(32, reduction=4),
        CBAM(32, reduction=4, spatial=False),
        CBAM(32, reduction=4, order='spatial_channel'),
        CBAM(32, reduction=4, pool_types=('lse',)),
        CBAM(32, reduction=4, spatial_pool='conv1x1', kernel_size=3),
        CBAM(32, reduction=4, descriptors=('mean', 'max'), mlp_bias=False, spatial_norm=False),
    ],
    ids=['official', 'channel only', 'spatial first', 'lse', 'conv1x1', 'keras'],
)
def test_the_gate_changes_the_map(attention):
    checks.assert_attends(checks.fill(attention), X)
    assert checks.without_gradient(attention, X) == []


def test_an_identity_gate_is_one():
    identity = mx.gluon.nn.HybridLambda(lambda F, x: F.identity(x))
    with pytest.raises(AssertionError):
        checks.assert_attends(identity, X)
    constant = mx.gluon.nn.HybridLambda(lambda F, x: 0.5 * x)
    with pytest.raises(AssertionError):
        checks.assert_attends(constant, X)


def test_pools_equal_numpy():
    flat = X.reshape(2, 32, -1).astype('float64')
    expected = {
        'avg': flat.mean(-1),
        'max': flat.max(-1),
        'lp': np.sqrt((flat**2).sum(-1)),
        'lse': np.log(np.exp(flat).sum(-1)),
    }
    for name, pooled in expected.items():
        gate = checks.fill(ChannelAttention(32, 4, pool_types=(name,)))
        w1, b1, w2, b2 = (p.data().asnumpy() for p in (gate.fc1.weight, gate.fc1.bias, gate.fc2.weight, gate.fc2.bias))
        hidden = np.maximum(pooled @ w1.T + b1, 0)
        assert np.abs(gate(mx.nd.array(X)).asnumpy()[:, :, 0, 0] - sigmoid(hidden @ w2.T + b2)).max() < 1e-5


def test_pools_survive_extremes():
    for name in ('lp', 'lse'):
        for value in (0.0, 500.0, -500.0):
            gate = checks.fill(ChannelAttention(32, 4, pool_types=(name,)))
            x = mx.nd.full((1, 32, 3, 3), value)
            x.attach_grad()
            with mx.autograd.record():
                output = gate(x)
            output.backward()
            assert np.isfinite(output.asnumpy()).all()
            assert np.isfinite(x.grad.asnumpy()).all()


def test_orders():
    x = mx.nd.array(X)
    for order in ('channel_spatial', 'spatial_channel', 'parallel'):
        attention = checks.fill(CBAM(32, order=order))
        channel, spatial = attention.channel, attention.spatial
        if order == 'channel_spatial':
            scaled = x * channel(x)
            expected = scaled * spatial(scaled)
        elif order == 'spatial_channel':
            scaled = x * spatial(x)
            expected = scaled * channel(scaled)
        else:
            ops = ReferenceBackend(mx.nd)
            expected = x * (channel.logits(ops, FeatureMap(x)) + spatial.logits(ops, FeatureMap(x))).sigmoid()
        assert np.abs(attention(x).asnumpy() - expected.asnumpy()).max() < 1e-6


def test_spatial_gate_starts_at_one_half():
    gate = SpatialAttention()
    gate.initialize()
    assert np.array_equal(gate(mx.nd.array(X)).asnumpy(), np.full((2, 1, 9, 7), 0.5, 'float32'))
    assert gate.bn.gamma.data().asnumpy() == [0]


def test_official_initialization():
    mx.random.seed(0)
    gate = ChannelAttention(512, 2)
    gate.initialize()
    for layer in (gate.fc1, gate.fc2):
        weight = layer.weight.data().asnumpy()
        bound = 1 / np.sqrt(weight.shape[1])
        assert np.abs(weight).max() <= bound
        assert np.isclose(weight.std(), bound / np.sqrt(3), rtol=0.02)
        assert not layer.bias.data().asnumpy().any()
    spatial = SpatialAttention(kernel_size=31)
    spatial.initialize()
    assert np.isclose(spatial.conv.weight.data().asnumpy().std(), np.sqrt(2 / 31**2), rtol=0.1)


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'spatial': False},
        {'order': 'spatial_channel'},
        {'order': 'parallel'},
        {'spatial_norm': False, 'mlp_bias': False},
        {'spatial_pool': 'conv1x1'},
    ],
    ids=str,
)
def test_identity_gates_start_as_the_identity(options):
    attention = CBAM(32, reduction=4, gate='identity', **options)
    attention.initialize()
    assert np.array_equal(attention(mx.nd.array(X)).asnumpy(), X)
    trainer = mx.gluon.Trainer(attention.collect_params(), 'sgd', {'learning_rate': 0.1})
    for _ in range(2):
        with mx.autograd.record():
            loss = (attention(mx.nd.array(X)) * mx.nd.array(np.sin(X))).sum()
        loss.backward()
        trainer.step(1)
    assert not np.array_equal(attention(mx.nd.array(X)).asnumpy(), X)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: CBAM(0), 'channels must be a positive integer, got 0'),
        (lambda: CBAM(8), 'reduction 16 leaves no hidden unit for 8 channels'),
        (lambda: CBAM(64, reduction=2.5), 'got 2.5'),
        (lambda: CBAM(64, kernel_size=4), 'odd.*got 4'),
        (lambda: CBAM(64, pool_types=('avg', 'mx')), "unknown pool type 'mx'.*max"),
        (lambda: CBAM(64, pool_types=()), r'got \(\)'),
        (lambda: CBAM(64, order='channel'), "unknown order 'channel'"),
        (lambda: CBAM(64, spatial='no'), "got 'no'"),
        (lambda: CBAM(64, gate='identiy'), "unknown gate 'identiy': did you mean identity"),
        (lambda: CBAM(64, spatial=False, order='parallel'), 'needs both gates, got only the channel gate'),
        (lambda: CBAM(64, channel=False, order='spatial_channel'), 'needs both gates, got only the spatial gate'),
        (lambda: CBAM(64, channel=False, spatial=False), 'no gate is left'),
        (lambda: CBAM(64, channel='no'), 'channel'),
        (lambda: CBAM(64, spatial_pool='conv'), "unknown spatial_pool 'conv'"),
        (lambda: SpatialAttention(pool='conv1x1'), 'needs channels, got None'),
        (lambda: SpatialAttention(descriptors=('max', 'max')), r"got \('max', 'max'\)"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize('hybridized', [False, True])
def test_bad_inputs(hybridized):
    attention = CBAM(32)
    attention.initialize()
    if hybridized:
        attention.hybridize()
    with pytest.raises(ValueError, match=r'CBAM takes 32 channels.*got 16 in \(1, 16, 4, 4\)'):
        attention(mx.nd.zeros((1, 16, 4, 4)))
    with pytest.raises(ValueError, match=r'4-dimensional.*got 2 dimensions: \(1, 32\)'):
        attention(mx.nd.zeros((1, 32)))
    assert attention(mx.nd.zeros((1, 32, 4, 4))).shape == (1, 32, 4, 4)

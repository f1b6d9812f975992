"""Attention and PReLU on each ops backend against the reference: outputs, gradients, statistics, training, exports."""

import checks
import fused_ops
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import CBAM, SqueezeExcitation, use_fused_ops
from gluon_cbam.attention import ModifiedCBAM
from gluon_cbam.attention.base import Attention
from gluon_cbam.attention.modified import ACTIVATIONS
from gluon_cbam.models.modified_cbamnet import ModifiedCBAMNet
from gluon_cbam.models.resnet import BasicBlock, Bottleneck
from gluon_cbam.ops.activation import PReLU
from gluon_cbam.ops.backend import (
    FeatureMap,
    GraphBackend,
    NativeBackend,
    ReferenceBackend,
    select_backend,
)
from gluon_cbam.ops.status import VARIABLE

X = np.random.RandomState(0).randn(2, 32, 9, 7).astype('float32')
STATIC = dict(static_alloc=True, static_shape=True)


class Tiny(Attention):
    """A new attention module: it uses every operation of a backend, in an order that no module of the package has."""

    def __init__(self, channels):
        super().__init__()
        with self.name_scope():
            self.fc1 = mx.gluon.nn.Dense(4, 'relu', in_units=channels)
            self.fc2 = mx.gluon.nn.Dense(channels, in_units=4)
            self.mix = mx.gluon.nn.Conv2D(channels, 1, in_channels=channels, groups=4)
            self.conv = mx.gluon.nn.Conv2D(1, 3, padding=1, in_channels=1)

    def forward_ops(self, ops, x):
        spatial = ops.spatial_gate(ops.channel_pool(x, ['mean']), self.conv, None, 'identity')
        x = ops.scale(x, spatial=spatial)
        maximum, mean, norm = ops.global_pool(x, ['max', 'avg', 'lp'])
        x = ops.scale(x, channel=ops.channel_gate([maximum, norm], self.fc1, self.fc2, 'sigmoid'))
        x = ops.scale(x, channel=ops.as_vector(ops.F.sigmoid(self.mix(ops.as_map(mean)))))
        return ops.scale(x, spatial=ops.F.sigmoid(ops.channel_pool(x, ['max'])))


MODULES = {
    'cbam': lambda: CBAM(32, 4),
    'spatial first': lambda: CBAM(32, 4, order='spatial_channel'),
    'parallel': lambda: CBAM(32, 4, order='parallel', descriptors=('mean', 'max')),
    'parallel conv1x1': lambda: CBAM(32, 4, order='parallel', spatial_pool='conv1x1'),
    'conv1x1': lambda: CBAM(32, 4, spatial_pool='conv1x1', pool_types=('max',)),
    'channel only': lambda: CBAM(32, 4, spatial=False, pool_types=('max', 'avg')),
    'spatial only': lambda: CBAM(32, 4, channel=False),
    'lp lse': lambda: CBAM(32, 4, pool_types=('lp', 'lse', 'avg', 'max')),
    'keras': lambda: CBAM(32, 4, descriptors=('mean', 'max'), mlp_bias=False, spatial_norm=False),
    'identity gate': lambda: CBAM(32, 4, gate='identity'),
    'identity gate, spatial first': lambda: CBAM(32, 4, gate='identity', order='spatial_channel', pool_types=('avg',)),
    'identity gate, parallel': lambda: CBAM(32, 4, gate='identity', order='parallel'),
    'se': lambda: SqueezeExcitation(32, 4),
    **{activation: lambda a=activation: ModifiedCBAM(32, 4, activation=a) for activation in ACTIVATIONS},
    'basic block': lambda: BasicBlock(32, 32, 1, CBAM, '3x3', 1, 64),
    'bottleneck': lambda: Bottleneck(32, 16, 2, SqueezeExcitation, '3x3', 1, 64),
    'tiny': lambda: Tiny(32),
    'basic block of a tiny one': lambda: BasicBlock(32, 32, 1, Tiny, '3x3', 1, 64),
    'prelu': lambda: PReLU(in_channels=32),
    'prelu of one slope': PReLU,
    'no attention after': lambda: Bottleneck(32, 16, 1, lambda c: CBAM(c, order='parallel'), '1x1', 1, 64),
}


def outcome(make, kernels, hybrid, monkeypatch, images=X):
    """Name -> array: the output in inference and, in training, the output, gradients and running statistics."""
    monkeypatch.setenv(VARIABLE, kernels)
    net = checks.fill(make())
    if hybrid is not None:
        net.hybridize(**hybrid)
    x = mx.nd.array(images)
    x.attach_grad()
    found = {'output': net(x)}
    with mx.autograd.record(train_mode=False):
        y = net(x).square().sum()
    y.backward(train_mode=False)
    found['gradient of x in inference'] = x.grad.copy()
    mx.nd.waitall()  # with static memory, MXNet's next call changes the mode of operators that have not run yet
    with mx.autograd.record():
        y = net(x)
        loss = (y * mx.nd.array(np.random.RandomState(1).randn(*y.shape))).sum()
    loss.backward()
    found['output in training'] = y
    found['gradient of x'] = x.grad
    for name, parameter in net._collect_params_with_prefix().items():
        found[name] = parameter.data() if parameter.grad_req == 'null' else parameter.grad()
    return {name: array.asnumpy() for name, array in found.items()}


def assert_backends_agree(make, monkeypatch, images=X, rounding=1e-3):
    expected = outcome(make, 'plain', None, monkeypatch, images)
    largest = max(np.abs(array).max() for key, array in expected.items() if not key.startswith('output'))
    for kernels, hybrid in (('auto', None), ('auto', {}), ('auto', STATIC), ('graph', STATIC), ('plain', STATIC)):
        for key, array in outcome(make, kernels, hybrid, monkeypatch, images).items():
            if key.startswith('output'):
                assert fused_ops.error(array, expected[key]) <= 1e-5, (kernels, hybrid, key)
            else:  # what BatchNorm takes away has no gradient but rounding
                scale = max(np.abs(expected[key]).max(), rounding * largest)
                assert np.abs(array - expected[key]).max() <= 1e-4 * scale, (kernels, hybrid, key)


@pytest.mark.parametrize('name', MODULES)
def test_backends_agree(name, monkeypatch):
    assert_backends_agree(MODULES[name], monkeypatch)


@pytest.mark.parametrize(('bottleneck', 'options'), [(False, {'version_output': 'A'}), (True, {})])
def test_networks_with_prelu_agree(bottleneck, options, monkeypatch):
    """Between convolutions, before and after other layouts, at the end and in the attention."""

    def make():
        widths = 32, 32, 48, 64, 64
        return ModifiedCBAMNet((1, 2, 1, 1), widths, bottleneck, 8, image_size=48, **{'version_output': 'G', **options})

    images = np.random.RandomState(0).uniform(0, 255, (2, 3, 48, 48)).astype('float32')
    assert_backends_agree(make, monkeypatch, images, rounding=1e-2)


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_gradients_of_ties_over_channels_go_to_the_first_maximum(dtype, operators):
    values = np.random.RandomState(0).randint(0, 3, (2, 40, 5, 7))
    first = np.zeros_like(values)
    np.put_along_axis(first, values.argmax(1)[:, None], 1, 1)
    for ops in (NativeBackend(mx.nd, operators.nd), GraphBackend(mx.nd)):
        x = mx.nd.array(values, dtype=dtype)
        x.attach_grad()
        with mx.autograd.record():
            maximum = ops.channel_pool(FeatureMap(x), ['max'])
        maximum.backward()
        assert (maximum.asnumpy() == values.max(1, keepdims=True)).all()
        assert (x.grad.asnumpy() == first).all()


def test_training_agrees(monkeypatch):
    """Five steps of a network, hybridized, on every backend."""

    def train(kernels):
        monkeypatch.setenv(VARIABLE, kernels)
        net = mx.gluon.nn.HybridSequential()
        use_fused_ops(net)
        net.add(BasicBlock(8, 8, 1, lambda c: CBAM(c, 4), '3x3', 1, 64), Bottleneck(8, 4, 2, CBAM, '3x3', 1, 64))
        net.add(mx.gluon.nn.GlobalAvgPool2D(), mx.gluon.nn.Dense(3, in_units=16))
        checks.fill(net).hybridize(**STATIC)
        trainer = mx.gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.05, 'momentum': 0.9})
        random, loss = np.random.RandomState(2), mx.gluon.loss.SoftmaxCELoss()
        losses = []
        for _ in range(5):
            x, label = mx.nd.array(random.randn(6, 8, 12, 12)), mx.nd.array(random.randint(0, 3, 6))
            with mx.autograd.record():
                error = loss(net(x), label).mean()
            error.backward()
            trainer.step(1)
            losses.append(error.asscalar())
        return losses, [parameter.data().asnumpy() for parameter in net.collect_params().values()]

    (losses, arrays), others = train('plain'), [train('auto'), train('graph')]
    assert len(set(losses)) == 5
    for other_losses, other_arrays in others:
        np.testing.assert_allclose(other_losses, losses, rtol=1e-4)
        assert max(fused_ops.error(one, other) for one, other in zip(other_arrays, arrays)) <= 1e-3


def test_hooks_are_called(monkeypatch):
    """Hooks of the module inside a residual block, and of its gates."""
    monkeypatch.setenv(VARIABLE, 'auto')
    block = checks.fill(BasicBlock(32, 32, 1, lambda c: CBAM(c, 4), '3x3', 1, 64))
    x = mx.nd.array(X)
    expected = block(x).asnumpy()
    seen = {}
    for name, watched in (('module', block.attention), ('gate', block.attention.spatial)):
        handle = watched.register_forward_hook(lambda block, inputs, output, name=name: seen.update({name: output}))
        assert fused_ops.error(block(x).asnumpy(), expected) <= 1e-5
        handle.detach()
    assert seen['module'].shape == X.shape
    assert seen['gate'].shape == (2, 1, 9, 7)


def test_a_new_attention_runs_fused_and_exports_mxnets_operators(operators, running, tmp_path, monkeypatch):
    """The module has only its equations; the last operator of the block adds the residual and applies ReLU."""
    block = checks.fill(BasicBlock(32, 32, 1, Tiny, '3x3', 1, 64))
    expected = block(mx.nd.array(X)).asnumpy()
    for kernels, fused in (('auto', True), ('graph', False), ('plain', False)):
        monkeypatch.setenv(VARIABLE, kernels)
        block.hybridize()
        assert fused_ops.error(block(mx.nd.array(X)).asnumpy(), expected) <= 1e-5
        assert ('_cbam_scale_channel_spatial_add_relu' in running[-1]) is fused
        block.export(str(tmp_path / kernels))
        assert '_cbam_' not in (tmp_path / f'{kernels}-symbol.json').read_text()
        paths = (str(tmp_path / f'{kernels}-{name}') for name in ('symbol.json', '0000.params'))
        exported = mx.gluon.SymbolBlock.imports(next(paths), ['data'], next(paths))
        assert fused_ops.error(exported(mx.nd.array(X)).asnumpy(), expected) <= 1e-5


def test_selection(operators, monkeypatch):
    x = mx.nd.array(X)
    for kernels, found in (('auto', NativeBackend), ('graph', ReferenceBackend), ('plain', ReferenceBackend)):
        monkeypatch.setenv(VARIABLE, kernels)
        assert type(select_backend(mx.nd, x)) is found
        assert type(select_backend(mx.nd, x.astype('float16'))) is ReferenceBackend
        assert type(select_backend(mx.sym, mx.sym.Variable('x'))) is ReferenceBackend


@pytest.mark.parametrize('order', [('max',), ('mean',), ('max', 'mean'), ('mean', 'max')])
def test_deferred_gates_are_multiplied_on_reading(order, operators):
    """The value of a map is the same on every backend, in any order of operations."""
    channel, spatial = np.random.RandomState(1).rand(2, 32), np.random.RandomState(2).rand(2, 1, 9, 7)
    values = X * channel[:, :, None, None] * spatial
    statistics = {'max': values.max(1, keepdims=True), 'mean': values.mean(1, keepdims=True)}
    for ops in (ReferenceBackend(mx.nd), GraphBackend(mx.nd), NativeBackend(mx.nd, operators.nd)):
        gate = ops.as_vector(mx.nd.array(channel[:, :, None, None]))
        x = ops.scale(FeatureMap(mx.nd.array(X)), channel=gate)
        x = ops.scale(x, spatial=mx.nd.array(spatial))
        once = ops.scale(x, channel=0 * gate + 1, spatial=mx.nd.ones((2, 1, 9, 7)))
        pooled = ops.channel_pool(x, order)
        assert fused_ops.error(pooled.asnumpy(), np.concatenate([statistics[kind] for kind in order], 1)) <= 1e-6
        (mean,) = ops.global_pool(x, ['avg'])
        assert fused_ops.error(ops.as_map(mean).asnumpy(), values.mean((2, 3), keepdims=True)) <= 1e-6
        for found in (x, once):
            assert fused_ops.error(ops.materialize(found).asnumpy(), values) <= 1e-6

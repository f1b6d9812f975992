"""The convolution of networks: Winograd's algorithm against the definition in numpy, and when MXNet's own runs."""

import json

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn
from numpy.lib.stride_tricks import sliding_window_view

from gluon_cbam import get_model
from gluon_cbam.ops.convolution import Conv2D
from gluon_cbam.ops.status import VARIABLE
from gluon_cbam.ops.tracing import FusedBlock

STATIC = dict(static_alloc=True, static_shape=True)
# (N, C, H, W) and the outputs: whole tiles and parts of them, groups of tiles, the most and the fewest channels
SHAPES = {
    'whole tiles': ((2, 32, 12, 16), 32),
    'parts of tiles': ((3, 64, 13, 11), 96),
    'one row of tiles': ((1, 96, 3, 77), 64),
    'more tiles than a group': ((2, 32, 37, 41), 64),
    'many channels': ((4, 512, 7, 7), 256),
    '16 inputs': ((2, 16, 14, 14), 32),
}


def random(shape, seed):
    return np.random.RandomState(seed).randn(*shape).astype('float32')


def windows(x):
    """(N, C, H, W, 3, 3)."""
    return sliding_window_view(np.pad(x.astype('float64'), [(0, 0), (0, 0), (1, 1), (1, 1)]), (3, 3), axis=(2, 3))


def expected(x, weight, dy):
    """The output and the gradients of data and weights, by the definition in float64."""
    y = np.einsum('nchwij,kcij->nkhw', windows(x), weight, optimize=True)
    dx = np.einsum('nkhwij,kcij->nchw', windows(dy), weight[:, :, ::-1, ::-1], optimize=True)
    dweight = np.einsum('nchwij,nkhw->kcij', windows(x), dy, optimize=True)
    return y, dx, dweight


def error(found, wanted):
    assert found.shape == wanted.shape
    return np.abs(found - wanted).max() / np.abs(wanted).max()


class Framed(FusedBlock, nn.HybridSequential):
    """A convolution after a 1 x 1 convolution with an identity kernel, whose output has oneDNN's layout."""

    def __init__(self, channels, outputs, make=Conv2D, laid_out=True, **options):
        super().__init__()
        self._frame = laid_out
        if laid_out:
            self.add(nn.Conv2D(channels, 1, use_bias=False, in_channels=channels))
        self.add(make(outputs, 3, 1, 1, use_bias=False, in_channels=channels, **options))

    @property
    def conv(self):
        return self[-1]

    def fill(self, weight):
        self.initialize()
        if self._frame:
            self[0].weight.set_data(mx.nd.array(np.eye(weight.shape[1])[:, :, None, None]))
        self.conv.weight.set_data(mx.nd.array(weight))
        self.hybridize(**STATIC)
        return self


def run(net, x, dy):
    """The output in inference and in training, the gradients of data and weights."""
    x, dy = mx.nd.array(x), mx.nd.array(dy)
    x.attach_grad()
    inference = net(x).asnumpy()
    with mx.autograd.record():
        y = net(x)
    y.backward(dy)
    return inference, y.asnumpy(), x.grad.asnumpy(), net.conv.weight.grad().asnumpy()


@pytest.fixture
def runs_winograd(operators):
    """Skips where the processor has no AVX2."""
    if operators.instructions == 'baseline':
        pytest.skip(f'Winograd convolutions are for AVX2 and AVX-512, this is {operators.instructions}')


@pytest.mark.parametrize('laid_out', [True, False])
@pytest.mark.parametrize('name', SHAPES)
def test_equals_the_definition(name, laid_out, runs_winograd):
    shape, outputs = SHAPES[name]
    x, dy = random(shape, 0), random((shape[0], outputs, *shape[2:]), 1)
    weight = random((outputs, shape[1], 3, 3), 2) / np.sqrt(9 * shape[1]).astype('float32')
    found = run(Framed(shape[1], outputs, laid_out=laid_out).fill(weight), x, dy)
    y, *gradients = expected(x, weight, dy)
    for ours, wanted in zip(found, (y, y, *gradients)):
        assert error(ours, wanted) <= 1e-5
    theirs = run(Framed(shape[1], outputs, nn.Conv2D, laid_out).fill(weight), x, dy)
    for index in (0, 1, 3):  # data's gradient needs a multiple of 32 inputs
        assert not np.array_equal(found[index], theirs[index]), 'MXNet has done the work'


def test_transformed_weights_follow_the_weights(runs_winograd):
    """Transformed weights are kept between calls, and computed again when the weights change, in any way."""
    x = random((2, 32, 14, 14), 0)
    net = Framed(32, 32).fill(random((32, 32, 3, 3), 1))
    trainer = mx.gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.01})

    def step():
        with mx.autograd.record():
            loss = net(mx.nd.array(x)).sum()
        loss.backward()
        trainer.step(1)

    changes = [
        lambda: None,
        lambda: net.conv.weight.set_data(mx.nd.array(random((32, 32, 3, 3), 3))),
        lambda: net.conv.weight.data()[:].__imul__(2),
        lambda: net.conv.weight.data().__setitem__((slice(0, 4)), 1),
        step,
        # new arrays, which may lie where the old ones lay, after as many changes
        *[lambda: net.conv.weight.initialize(mx.init.Normal(1), force_reinit=True)] * 3,
    ]
    for change in changes:
        change()
        weight = net.conv.weight.data().asnumpy()
        frame = net[0].weight.data().asnumpy()[:, :, 0, 0]
        y, *_ = expected(np.einsum('nchw,kc->nkhw', x, frame), weight, np.zeros((2, 32, 14, 14)))
        for _ in range(3):
            assert error(net(mx.nd.array(x)).asnumpy(), y) <= 1e-5


@pytest.mark.parametrize('request_', ['add', 'null'])
def test_requests(request_, runs_winograd):
    """Gradients that are added to others, and those that are not needed."""
    x, dy = random((2, 32, 14, 14), 0), random((2, 32, 14, 14), 1)
    weight = random((32, 32, 3, 3), 2) / 16
    _, dx, dweight = expected(x, weight, dy)
    for name in ('data', 'weight'):
        net = Framed(32, 32, laid_out=False).fill(weight)
        data = mx.nd.array(x)
        data.attach_grad(request_ if name == 'data' else 'write')
        if name == 'weight':
            net.conv.weight.grad_req = request_
        for _ in range(2):
            with mx.autograd.record():
                y = net(data)
            y.backward(mx.nd.array(dy))
        times = {'add': 2, 'null': 0}[request_]
        found = {'data': data.grad, 'weight': net.conv.weight._data[0].grad}
        for which, wanted in (('data', dx), ('weight', dweight)):
            count = times if which == name else 1
            if count:
                assert error(found[which].asnumpy(), count * wanted) <= 1e-5
        if request_ == 'null' and name == 'weight':
            assert found['weight'] is None


@pytest.mark.parametrize(
    ('options', 'shape', 'dtype'),
    [
        (dict(strides=2, padding=1), (2, 32, 14, 14), 'float32'),
        (dict(padding=0), (2, 32, 16, 16), 'float32'),
        (dict(padding=2, dilation=2), (2, 32, 14, 14), 'float32'),
        (dict(padding=1, groups=2), (2, 32, 14, 14), 'float32'),
        (dict(padding=1, use_bias=True), (2, 32, 14, 14), 'float32'),
        (dict(padding=1, activation='relu'), (2, 32, 14, 14), 'float32'),
        (dict(padding=1), (2, 20, 14, 14), 'float32'),
        (dict(padding=1), (1, 32, 7, 7), 'float32'),
        (dict(padding=1), (64, 32, 2, 2), 'float32'),
        (dict(padding=1), (2, 32, 14, 14), 'float64'),
    ],
)
def test_other_convolutions_run_mxnets_operator(options, shape, dtype):
    outcomes = []
    for make in (Conv2D, nn.Conv2D):
        options = {'strides': 1, 'use_bias': False, **options}
        net = make(32, 3, in_channels=shape[1], **options)
        net.initialize(mx.init.One())
        net.cast(dtype)
        net.hybridize(**STATIC)
        x = mx.nd.array(random(shape, 0), dtype=dtype)
        x.attach_grad()
        with mx.autograd.record():
            y = net(x)
        y.backward()
        outcomes.append([y.asnumpy(), x.grad.asnumpy(), net.weight.grad().asnumpy()])
    for ours, theirs in zip(*outcomes):
        np.testing.assert_array_equal(ours, theirs)


def test_writes_an_output_that_is_a_part_of_an_array(operators):
    x, weight = random((2, 32, 14, 14), 0), random((32, 32, 3, 3), 1) / 16
    whole = mx.nd.ones((4, 32, 14, 14))
    options = dict(kernel=(3, 3), stride=(1, 1), pad=(1, 1), num_filter=32, no_bias=True)
    operators.nd.convolution(mx.nd.array(x), mx.nd.array(weight), out=whole[1:3], **options)
    wanted, *_ = expected(x, weight, x)
    assert error(whole[1:3].asnumpy(), wanted) <= 1e-5
    assert (whole[0] == 1).asnumpy().all() and (whole[3] == 1).asnumpy().all()


def test_exports_mxnets_operator(tmp_path, running, operators):
    net = get_model('cifar_cbam_resnet18', classes=10)
    net.initialize()
    net.hybridize(**STATIC)
    net(mx.nd.zeros((8, 3, 32, 32))).wait_to_read()
    net.export(str(tmp_path / 'net'))
    nodes = json.loads((tmp_path / 'net-symbol.json').read_text())['nodes']
    assert not [node['op'] for node in nodes if 'cbam' in node['op']]
    assert '_cbam_convolution' in running[0]


@pytest.mark.parametrize('kernels', ['graph', 'plain'])
def test_disabled_by_the_environment(kernels, running, operators, monkeypatch):
    monkeypatch.setenv(VARIABLE, kernels)
    net = Framed(32, 32).fill(random((32, 32, 3, 3), 0))
    net(mx.nd.zeros((2, 32, 14, 14))).wait_to_read()
    assert '_cbam_' not in running[-1]


_DIGEST = """
import gluon_cbam, hashlib
import mxnet as mx, numpy as np
from gluon_cbam.ops.convolution import Conv2D
net = mx.gluon.nn.HybridSequential()
gluon_cbam.use_fused_ops(net)
for channels in (32, 64, 64):
    net.add(Conv2D(channels, 3, 1, 1, use_bias=False, in_channels=32 if channels == 32 or len(net) == 1 else 64))
net.initialize()
for index, conv in enumerate(net):
    conv.weight.set_data(mx.nd.array(np.random.RandomState(index).randn(*conv.weight.shape) / 16))
net.hybridize(static_alloc=True, static_shape=True)
x = mx.nd.array(np.random.RandomState(9).randn(3, 32, 29, 31))
x.attach_grad()
digest = hashlib.md5(net(x).asnumpy().tobytes())
with mx.autograd.record():
    y = net(x)
y.backward()
for array in (y, x.grad, *(conv.weight.grad() for conv in net)):
    digest.update(array.asnumpy().tobytes())
print(digest.hexdigest())
"""


def test_threads_change_no_bit(runs_winograd, python):
    found = {python(_DIGEST, env={'OMP_NUM_THREADS': threads}).stdout for threads in ('1', '2', '3', '16')}
    assert len(found) == 1 and found != {''}


def test_without_avx2_mxnets_operator_runs(runs_winograd, python):
    ours = python(_DIGEST, env={'OMP_NUM_THREADS': '1', 'CBAM_INSTRUCTIONS': 'baseline'}).stdout
    theirs = python(_DIGEST, env={'OMP_NUM_THREADS': '1', 'CBAM_KERNELS': 'plain'}).stdout
    assert ours == theirs != ''

"""When the graph for inference runs, that it follows the parameters, and that all else stays as it was."""

import copy
import json
import threading

import checks
import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from gluon_cbam import CBAM, attach, get_model, use_fused_ops
from gluon_cbam.ops.activation import PReLU
from gluon_cbam.ops.convolution import Conv2D
from gluon_cbam.ops.library import FUSED_CONVOLUTION, PREFIX
from gluon_cbam.ops.status import VARIABLE
from gluon_cbam.ops.tracing import FusedBlock

FUSED = PREFIX + FUSED_CONVOLUTION
STATIC = dict(static_alloc=True, static_shape=True)
X = mx.nd.array(np.random.RandomState(0).randn(2, 32, 14, 14))


class Net(FusedBlock, nn.HybridSequential):
    """Both algorithms, all parameters."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.add(Conv2D(32, 3, 1, 1, use_bias=True, in_channels=32), nn.BatchNorm(in_channels=32))
            self.add(PReLU(in_channels=32), nn.Conv2D(48, 1, use_bias=True, in_channels=32))
            self.add(nn.BatchNorm(in_channels=48), nn.Activation('relu'), CBAM(48, 4))


def made(**flags):
    net = checks.fill(Net())
    net.hybridize(**flags)
    return net


def unfused(net, x=X):
    """The outputs of the graph that has gradients."""
    with mx.autograd.record(train_mode=False):
        return net(x).asnumpy()


def differs(net, x=X):
    """The error of the graph for inference, relative to the largest output."""
    found = net(x).asnumpy()  # first, since BatchNorm marks its statistics as changed
    wanted = unfused(net, x)
    return np.abs(found - wanted).max() / np.abs(wanted).max()


@pytest.fixture
def fused_calls(operators, monkeypatch):
    """Whether each call of a graph was one of a graph with fused convolutions."""
    monkeypatch.setenv(VARIABLE, 'auto')
    calls, kind = [], mx.nd.CachedOp

    class Recorded(kind):
        def __init__(self, symbol, flags=()):
            super().__init__(symbol, flags)
            self.is_fused = FUSED in symbol.tojson()

        def __call__(self, *args, **kwargs):
            calls.append(self.is_fused)
            return super().__call__(*args, **kwargs)

    monkeypatch.setattr(mx.nd, 'CachedOp', Recorded)
    return calls


def step(net):
    """A training step, which changes weights and, in the backward pass, running statistics."""
    trainer = mx.gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.1})
    with mx.autograd.record():
        loss = net(X).square().mean()
    loss.backward()
    trainer.step(1)


def changes_of(net, tmp_path):
    """Every way to change parameters, by name."""
    parameters = net._collect_params_with_prefix()

    def scale(name, how):
        value = parameters[name].data().asnumpy()
        how(parameters[name], mx.nd.array(value * np.linspace(1.1, 1.3, value.size).reshape(value.shape)))

    ways = {
        'set_data': lambda parameter, new: parameter.set_data(new),
        'in place': lambda parameter, new: parameter.data().__setitem__(slice(None), new),
    }
    changes = {
        f'{name}, {way}': lambda name=name, how=how: scale(name, how)
        for name in parameters
        for way, how in ways.items()
    }

    def load():
        other = made()
        step(other)
        other.save_parameters(str(tmp_path / 'net.params'))
        net.load_parameters(str(tmp_path / 'net.params'))

    def initialize():  # new arrays, which may lie where the old ones lay
        net.initialize(mx.init.Normal(1), force_reinit=True)

    def cast_and_back():
        net.cast('float64')
        net(X.astype('float64')).wait_to_read()
        net.cast('float32')

    def there_and_back():
        net.collect_params().reset_ctx(mx.cpu(1))
        net.collect_params().reset_ctx(mx.cpu(0))

    whole = [load, initialize, initialize, cast_and_back, there_and_back, lambda: step(net)]
    return {**changes, **{f'{at}: {change.__name__}': change for at, change in enumerate(whole)}}


@pytest.mark.parametrize('flags', [{}, {'static_alloc': True}, STATIC])
def test_follows_the_parameters(flags, fused_calls, tmp_path):
    net = made(**flags)
    for name, change in changes_of(net, tmp_path).items():
        before = net(X).asnumpy()
        change()
        del fused_calls[:]
        assert differs(net) <= 1e-5, name
        assert fused_calls == [True, False], name
        if 'back' not in name:
            assert np.abs(net(X).asnumpy() - before).max() > 1e-4, f'{name} changed nothing'


def test_grad_req_of_parameters_may_change(fused_calls):
    net = made(**STATIC)
    net(X)
    net.collect_params().setattr('grad_req', 'null')
    assert differs(net) <= 1e-5
    net.collect_params().setattr('grad_req', 'write')
    step(net)
    assert differs(net) <= 1e-5


def test_inputs_of_several_shapes(fused_calls):
    net = made(**STATIC)
    for shape in [(1, 32, 5, 5), (8, 32, 14, 14), (1, 32, 14, 14), (2, 32, 13, 17), (1, 32, 5, 5), (8, 32, 14, 14)]:
        assert differs(net, mx.nd.array(np.random.RandomState(1).randn(*shape))) <= 1e-5
    assert all(fused_calls[::2])


def test_gradients_are_those_of_a_network_without_inference(fused_calls):
    outcomes = []
    for infers in (False, True):
        net = made(**STATIC)
        for _ in range(2):
            if infers:
                net(X).wait_to_read()
            step(net)
        outcomes.append({name: p.data().asnumpy() for name, p in net._collect_params_with_prefix().items()})
    assert True in fused_calls
    for name, value in outcomes[0].items():
        np.testing.assert_allclose(outcomes[1][name], value, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize('kernels', ['plain', 'graph'])
def test_the_environment_switches_it_off(kernels, fused_calls, monkeypatch):
    monkeypatch.setenv(VARIABLE, kernels)
    net = made()
    net(X).wait_to_read()
    assert fused_calls == [False]


def test_calls_that_need_the_other_graph(fused_calls):
    net = made(**STATIC)
    net(X).wait_to_read()
    with mx.autograd.train_mode():
        net(X).wait_to_read()
    with mx.autograd.record():
        net(X).wait_to_read()
        with mx.autograd.pause():
            net(X).wait_to_read()
    net.register_op_hook(lambda *_: None)
    net(X).wait_to_read()
    assert fused_calls == [True, False, False, True, False]
    double = made()
    double.cast('float64')
    assert double(X.astype('float64')).dtype == np.float64
    assert not fused_calls[-1]
    subgraph = made()
    subgraph.optimize_for(X, backend='MKLDNN')
    subgraph(X).wait_to_read()
    assert not fused_calls[-1]
    count = len(fused_calls)
    net.hybridize(active=False)
    assert np.isfinite(net(X).asnumpy()).all()
    assert len(fused_calls) == count


def test_a_parameter_of_another_type_needs_the_other_graph(fused_calls):
    net = made(**STATIC)
    net(X).wait_to_read()
    for parameter in net.collect_params().values():  # which does not clear the graph
        parameter.cast('float64')
    x = X.astype('float64')
    assert differs(net, x) == 0
    assert fused_calls == [True, False, False]


def test_hybridizing_again_takes_the_new_settings(fused_calls):
    net = made()
    first = net(X).asnumpy()
    net.hybridize(**STATIC)
    graph = net._inference_graph
    np.testing.assert_array_equal(net(X).asnumpy(), first)
    assert net._inference_graph is not graph
    assert ('static_alloc', True) in net._flags
    assert fused_calls == [True, True]


def test_a_network_of_another_package_keeps_its_graph(fused_calls):
    foreign = nn.HybridSequential()
    foreign.add(Net())
    checks.fill(foreign).hybridize()
    foreign(X).wait_to_read()
    assert fused_calls == [False]
    use_fused_ops(foreign)
    assert differs(foreign) <= 1e-5
    assert fused_calls == [False, True, False]


def test_attached_networks_run_fused(fused_calls):
    net = nn.HybridSequential()
    net.add(nn.HybridSequential(), nn.Dense(3))
    net[0].add(nn.Conv2D(16, 3, padding=1, in_channels=32), nn.BatchNorm(in_channels=16))
    net.initialize()
    net(X).wait_to_read()
    attach(net, '0.1', lambda channels: CBAM(channels, 4), X.shape)
    checks.fill(net).hybridize()
    assert differs(net) <= 1e-5
    assert fused_calls == [True, False]


def test_exports_are_the_same_before_and_after(fused_calls, tmp_path):
    written = []
    for infers in (False, True):
        with mx.name.NameManager():  # the same names
            net = get_model('cifar_cbam_resnet18', classes=10)
        checks.fill(net).hybridize(**STATIC)
        x = mx.nd.ones((1, 3, 32, 32))
        with mx.autograd.record():
            net(x)
        if infers:
            fused = net(x).asnumpy()
        net.export(str(tmp_path / 'net'))
        net.save_parameters(str(tmp_path / 'saved'))
        written.append([(tmp_path / name).read_bytes() for name in ('net-symbol.json', 'net-0000.params', 'saved')])
    assert fused_calls == [False, False, True]
    assert written[0] == written[1]
    again = mx.gluon.SymbolBlock.imports(str(tmp_path / 'net-symbol.json'), ['data'], str(tmp_path / 'net-0000.params'))
    assert np.abs(again(x).asnumpy() - fused).max() <= 1e-5 * np.abs(fused).max()


def test_copies_are_independent(fused_calls):
    net = made(**STATIC)
    twin = copy.deepcopy(net)
    before = net(X).asnumpy()
    np.testing.assert_array_equal(twin(X).asnumpy(), before)
    twin[0].weight.set_data(2 * twin[0].weight.data())
    twin[1].running_var.set_data(2 * twin[1].running_var.data())
    assert np.abs(twin(X).asnumpy() - before).max() > 1e-3
    np.testing.assert_array_equal(net(X).asnumpy(), before)


def test_threads_get_the_same_outputs(fused_calls):
    net = made()
    inputs = [mx.nd.array(np.random.RandomState(seed).randn(2, 32, 14, 14)) for seed in range(4)]
    expected = [net(x).asnumpy() for x in inputs]
    failures = []

    def run(x, wanted):
        for _ in range(10):
            if not np.array_equal(net(x).asnumpy(), wanted):
                failures.append(x)

    threads = [threading.Thread(target=run, args=pair) for pair in zip(inputs, expected)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


_DIGEST = """
import gluon_cbam, hashlib
import mxnet as mx, numpy as np
net = gluon_cbam.get_model('cifar_cbam_resnet18', classes=10, widen=0.5)
mx.random.seed(0)
net.initialize()
net.hybridize(static_alloc=True, static_shape=True)
x = mx.nd.array(np.random.RandomState(9).randn(3, 3, 32, 32))
for _ in range(2):
    digest = hashlib.md5(net(x).asnumpy().tobytes()).hexdigest()
assert net._inference_graph._fused_op is not None
print(digest)
"""


def test_numbers_of_threads_and_workers_change_no_bit(operators, python):
    settings = [{'OMP_NUM_THREADS': '1'}, {'OMP_NUM_THREADS': '3'}, {'MXNET_CPU_WORKER_NTHREADS': '4'}]
    settings += [{'MXNET_ENGINE_TYPE': 'NaiveEngine'}]
    found = {python(_DIGEST, env={'CBAM_KERNELS': 'auto', **each}).stdout for each in settings}
    assert len(found) == 1 and found != {''}


def test_summary_of_a_network(fused_calls, capsys):
    net = checks.fill(Net())
    net.summary(X)
    assert 'Conv2D' in capsys.readouterr().out
    net.hybridize()
    net(X).wait_to_read()
    with pytest.raises(AssertionError, match='must not be hybridized'):
        net.summary(X)


def test_nothing_is_left_in_the_json_of_a_network(fused_calls):
    net = made()
    net(X).wait_to_read()
    assert FUSED not in {node['op'] for node in json.loads(net._cached_graph[1].tojson())['nodes']}

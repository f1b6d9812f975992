"""Graphs that run have the compiled operators, and graphs that are exported do not; no class of MXNet is changed."""

import json

import checks
import mxnet as mx
import numpy as np
import pytest
import stock_mxnet

from gluon_cbam import CBAM, attach, get_model, use_fused_ops
from gluon_cbam.attention import ModifiedCBAM
from gluon_cbam.models.resnet import BasicBlock
from gluon_cbam.ops import tracing
from gluon_cbam.ops.library import PREFIX
from gluon_cbam.ops.status import VARIABLE

X = mx.nd.array(np.random.RandomState(0).randn(2, 16, 12, 12))


class Foreign(mx.gluon.HybridBlock):
    """A network of another package around an attention of this one."""

    def __init__(self, attention=CBAM):
        super().__init__()
        with self.name_scope():
            self.conv = mx.gluon.nn.Conv2D(16, 3, padding=1, in_channels=16)
            self.attention = attention(16, 4)
            self.fc = mx.gluon.nn.Dense(3)  # its shape is deferred to the first call

    def hybrid_forward(self, F, x):
        return self.fc(self.attention(self.conv(x)))


def has_ours(text):
    return PREFIX in text


def test_runs_compiled_and_exports_mxnets_operators(operators, running, tmp_path, python):
    net = Foreign()
    use_fused_ops(net)
    net.initialize(mx.init.Xavier())
    net.hybridize(static_alloc=True, static_shape=True)
    expected = net(X).asnumpy()
    assert [has_ours(graph) for graph in running] == [True, True]  # for gradients, and for inference
    net.export(str(tmp_path / 'net'))
    symbol_file, parameter_file = (str(tmp_path / f'net-{name}') for name in ('symbol.json', '0000.params'))
    assert not has_ours((tmp_path / 'net-symbol.json').read_text())
    net.save(str(tmp_path / 'saved'))
    assert not any(has_ours(file.read_text()) for file in tmp_path.glob('saved*') if file.suffix != '.params')

    net.hybridize()
    assert np.abs(net(X).asnumpy() - expected).max() <= 1e-6
    assert [has_ours(graph) for graph in running] == [True] * 4

    mx.nd.save(str(tmp_path / 'x'), [X])
    mx.nd.save(str(tmp_path / 'y'), [mx.nd.array(expected)])
    stock = python(
        f'{stock_mxnet.PREPARE}\n'
        'import sys, mxnet as mx\n'
        f'net = mx.gluon.SymbolBlock.imports({symbol_file!r}, ["data"], {parameter_file!r})\n'
        f'x, y = mx.nd.load({str(tmp_path / "x")!r})[0], mx.nd.load({str(tmp_path / "y")!r})[0]\n'
        'assert (net(x) - y).abs().max().asscalar() <= 1e-5\n'
        'assert not [name for name in sys.modules if name.startswith("gluon_cbam")]\n'
        'print("equal")'
    )
    assert stock.stdout == 'equal\n', stock.stderr


def test_graphs_of_other_packages_have_mxnets_operators(running, tmp_path):
    net = checks.fill(BasicBlock(16, 16, 1, lambda c: CBAM(c, 4), '3x3', 1, 64))
    expected = net(X).asnumpy()
    assert not has_ours(net(mx.sym.Variable('data')).tojson())
    net.hybridize()
    net(X)
    assert not has_ours(net(mx.sym.Variable('data')).tojson())
    net.export(str(tmp_path / 'net'))
    again = mx.gluon.SymbolBlock.imports(str(tmp_path / 'net-symbol.json'), ['data'], str(tmp_path / 'net-0000.params'))
    again.hybridize()
    assert np.abs(again(X).asnumpy() - expected).max() <= 1e-5
    assert not has_ours(running[-1])


def test_a_subgraph_backend_gets_mxnets_operators(running):
    net = checks.fill(CBAM(16, 4))
    expected = net(X).asnumpy()
    net.optimize_for(X, backend='MKLDNN')
    assert np.abs(net(X).asnumpy() - expected).max() <= 1e-5
    assert not any(has_ours(graph) for graph in running)


def test_export_before_a_call_raises_mxnets_error(tmp_path):
    net = get_model('cbamnet_tiny')
    net.initialize()
    net.hybridize()
    with pytest.raises(RuntimeError, match='run forward with this block at least once before calling export'):
        net.export(str(tmp_path / 'net'))
    assert not list(tmp_path.iterdir())


def test_nothing_leaks_after_a_failure(operators, running, monkeypatch):
    """After a failure while a graph is built, the kept graph and the next one are correct."""
    net = checks.fill(CBAM(16, 4))
    expected = net(X).asnumpy()
    net.hybridize()
    recorded = mx.nd.CachedOp

    def fail(*_):
        raise MemoryError('no room')

    monkeypatch.setattr(mx.nd, 'CachedOp', fail)
    with pytest.raises(MemoryError):
        net(X)
    assert not net._cached_graph
    assert not tracing.is_traced_for_cpu(mx.sym.Variable('x'))
    monkeypatch.setattr(mx.nd, 'CachedOp', recorded)
    assert np.abs(net(X).asnumpy() - expected).max() <= 1e-5
    assert has_ours(running[-1])
    assert not has_ours(net._cached_graph[1].tojson())


def test_the_graph_backend_has_no_compiled_operators(running, monkeypatch):
    monkeypatch.setenv(VARIABLE, 'graph')
    net = checks.fill(CBAM(16, 4))
    net.hybridize()
    net(X)
    operators = {node['op'] for node in json.loads(running[-1])['nodes']}
    assert not has_ours(running[-1])
    assert 'mean' not in operators, 'the definition ran'
    kept = {node['op'] for node in json.loads(net._cached_graph[1].tojson())['nodes']}
    assert 'mean' in kept, 'the definition is what is exported'


def test_no_class_of_mxnet_is_changed(python):
    """After the import and use of everything: networks, attention, attached attention, PReLU, convolutions."""
    process = python(
        f'{stock_mxnet.PREPARE}\n'
        'from mxnet.gluon import HybridBlock, SymbolBlock, nn\n'
        'classes = [HybridBlock, SymbolBlock, *(c for c in vars(nn).values() if isinstance(c, type))]\n'
        'before = [dict(vars(kind)) for kind in classes]\n'
        'import gluon_cbam, mxnet as mx\n'
        'foreign = nn.HybridSequential()\n'
        'foreign.add(nn.Conv2D(16, 3, in_channels=3), gluon_cbam.CBAM(16))\n'
        'attached = nn.HybridSequential()\n'
        'attached.add(nn.Conv2D(16, 3, in_channels=3))\n'
        'gluon_cbam.attach(attached, "0", input_shape=(1, 3, 32, 32))\n'
        'for net in (gluon_cbam.get_model("cbam_resnet18"), foreign, attached):\n'
        '    net.initialize()\n'
        '    net.hybridize()\n'
        '    net(mx.nd.zeros((1, 3, 32, 32))).wait_to_read()\n'
        'print([c.__name__ for c, known in zip(classes, before) if dict(vars(c)) != known])\n'
    )
    assert process.stdout == '[]\n', process.stderr


def gradients(net, hybrid):
    checks.fill(net)
    if hybrid:
        net.hybridize(static_alloc=True, static_shape=True)
    x = X.copy()
    x.attach_grad()
    with mx.autograd.record():
        y = net(x)
    y.backward(mx.nd.array(np.random.RandomState(1).randn(*y.shape)))
    return {
        'x': x.grad,
        'y': y,
        **{n: p.grad() for n, p in net._collect_params_with_prefix().items() if p.grad_req != 'null'},
    }


@pytest.mark.parametrize('attention', [CBAM, ModifiedCBAM])
@pytest.mark.parametrize('fused', [False, True])
def test_a_parent_of_another_package_trains_and_exports(attention, fused, operators, running, tmp_path):
    """Gradients include those of PReLU's slopes, for which MXNet's operator is wrong in graphs."""

    def made():
        net = Foreign(attention)
        net.fc = mx.gluon.nn.Dense(3, in_units=16 * 12 * 12)
        if fused:
            use_fused_ops(net)
        return net

    expected, net = gradients(made(), hybrid=False), made()
    for name, array in gradients(net, hybrid=True).items():
        scale = expected[name].abs().max().asscalar()
        assert (array - expected[name]).abs().max().asscalar() <= 1e-4 * scale + 1e-6, name
    assert has_ours(running[-1]) is fused
    net.export(str(tmp_path / 'net'))
    assert not has_ours((tmp_path / 'net-symbol.json').read_text())


def test_attached_attention_runs_on_fused_ops(operators, running, tmp_path):
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.HybridSequential(), mx.gluon.nn.Dense(3))
    net[0].add(mx.gluon.nn.Conv2D(16, 3, padding=1, in_channels=16))
    net.initialize()
    net.hybridize()
    before = net(X).asnumpy()
    assert attach(net, '0.0', lambda channels: CBAM(channels, gate='identity'), X.shape) == ['0.0']
    net.collect_params('.*cbam').initialize()
    assert np.abs(net(X).asnumpy() - before).max() <= 1e-5
    assert has_ours(running[-1])
    net.export(str(tmp_path / 'net'))
    assert not has_ours((tmp_path / 'net-symbol.json').read_text())
    net[0](X)  # a part of it as well
    assert has_ours(running[-1])

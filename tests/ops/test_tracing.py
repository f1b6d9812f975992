"""What runs has the compiled operators, and what is exported has not."""

import json

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import CBAM, get_model
from gluon_cbam.models.resnet import BasicBlock
from gluon_cbam.ops import tracing
from gluon_cbam.ops.library import _PREFIX
from gluon_cbam.ops.status import VARIABLE

X = mx.nd.array(np.random.RandomState(0).randn(2, 16, 12, 12))


class Foreign(mx.gluon.HybridBlock):
    """Somebody else's network around our attention."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.conv = mx.gluon.nn.Conv2D(16, 3, padding=1, in_channels=16)
            self.attention = CBAM(16, 4)
            self.fc = mx.gluon.nn.Dense(3)  # its shape is deferred to the first call

    def hybrid_forward(self, F, x):
        return self.fc(self.attention(self.conv(x)))


def has_ours(text):
    return _PREFIX in text


def test_runs_compiled_and_exports_plainly(operators, running, tmp_path, python):
    net = Foreign()
    net.initialize(mx.init.Xavier())
    net.hybridize(static_alloc=True, static_shape=True)
    expected = net(X).asnumpy()
    assert [has_ours(graph) for graph in running] == [True]
    net.export(str(tmp_path / 'net'))
    symbol_file, parameter_file = (str(tmp_path / f'net-{name}') for name in ('symbol.json', '0000.params'))
    assert not has_ours((tmp_path / 'net-symbol.json').read_text())
    net.save(str(tmp_path / 'saved'))
    assert not any(has_ours(file.read_text()) for file in tmp_path.glob('saved*') if file.suffix != '.params')

    net.hybridize()
    assert np.abs(net(X).asnumpy() - expected).max() <= 1e-6
    assert [has_ours(graph) for graph in running] == [True, True]

    mx.nd.save(str(tmp_path / 'x'), [X])
    mx.nd.save(str(tmp_path / 'y'), [mx.nd.array(expected)])
    stock = python(
        'import numpy; numpy.bool = bool\n'
        'import sys, mxnet as mx\n'
        f'net = mx.gluon.SymbolBlock.imports({symbol_file!r}, ["data"], {parameter_file!r})\n'
        f'x, y = mx.nd.load({str(tmp_path / "x")!r})[0], mx.nd.load({str(tmp_path / "y")!r})[0]\n'
        'assert (net(x) - y).abs().max().asscalar() <= 1e-5\n'
        'assert not [name for name in sys.modules if name.startswith("gluon_cbam")]\n'
        'print("equal")'
    )
    assert stock.stdout == 'equal\n', stock.stderr


def test_graphs_that_others_make_are_plain(running, tmp_path):
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


def test_a_backend_gets_the_plain_graph(running):
    net = checks.fill(CBAM(16, 4))
    expected = net(X).asnumpy()
    net.optimize_for(X, backend='MKLDNN')
    assert np.abs(net(X).asnumpy() - expected).max() <= 1e-5
    assert not any(has_ours(graph) for graph in running)


def test_export_before_a_call_says_what_mxnet_says(tmp_path):
    net = get_model('cbamnet_tiny')
    net.initialize()
    net.hybridize()
    with pytest.raises(RuntimeError, match='run forward with this block at least once before calling export'):
        net.export(str(tmp_path / 'net'))
    assert not list(tmp_path.iterdir())


def test_nothing_leaks_after_a_failure(operators, running, monkeypatch):
    """The graph was made and could not be used: what is kept, and what is built next, is right."""
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
    assert not tracing.is_building(mx.sym.Variable('x'))
    monkeypatch.setattr(mx.nd, 'CachedOp', recorded)
    assert np.abs(net(X).asnumpy() - expected).max() <= 1e-5
    assert has_ours(running[-1])
    assert not has_ours(net._cached_graph[1].tojson())


def test_graph_form_has_no_operators_of_ours(running, monkeypatch):
    monkeypatch.setenv(VARIABLE, 'graph')
    net = checks.fill(CBAM(16, 4))
    net.hybridize()
    net(X)
    operators = {node['op'] for node in json.loads(running[-1])['nodes']}
    assert not has_ours(running[-1])
    assert 'mean' not in operators, 'the definition ran'
    kept = {node['op'] for node in json.loads(net._cached_graph[1].tojson())['nodes']}
    assert 'mean' in kept, 'the definition is what is exported'

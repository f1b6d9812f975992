"""Attention in networks of other packages."""

import mxnet as mx
import numpy as np
import pytest

import gluon_cbam
from gluon_cbam import CBAM, attach

X = mx.nd.array(np.random.RandomState(0).randn(2, 3, 64, 64))


def gluoncv_resnet(**options):
    from gluoncv.model_zoo import get_model

    mx.random.seed(1)
    net = get_model('resnet18_v1b', **options)
    net.initialize()
    return net


def test_an_identity_gate_keeps_the_outputs(tmp_path):
    net = gluoncv_resnet()
    before = net(X).asnumpy()
    net.save_parameters(str(tmp_path / 'plain.params'))
    paths = attach(net, 'layer?.*.bn2', lambda channels: CBAM(channels, gate='identity'))
    assert paths == [f'layer{stage}.{block}.bn2' for stage in (1, 2, 3, 4) for block in (0, 1)]
    net.collect_params('.*cbam').initialize()
    assert np.array_equal(net(X).asnumpy(), before)
    net.hybridize(static_alloc=True, static_shape=True)
    # the graph of inference folds BatchNorm into convolutions, so that it rounds differently
    assert np.abs(net(X).asnumpy() - before).max() <= 3e-6 * np.abs(before).max()
    net.load_parameters(str(tmp_path / 'plain.params'), allow_missing=True)
    gate = net.layer1[0].bn2._children['attention'].channel.fc2.bias
    gate.set_data(gate.data() + 1)
    assert np.abs(net(X).asnumpy() - before).max() > 1e-3


def test_attached_cbam_equals_the_cbam_network():
    """A plain ResNet with attached CBAM and the parameters of the CBAM network equals that network."""
    mx.random.seed(0)
    ours = gluon_cbam.get_model('cbam_resnet18', classes=3)
    ours.initialize()
    plain = gluon_cbam.get_model('resnet18', classes=3)
    attach(plain, 'layer?.*.bn2')
    theirs = plain._collect_params_with_prefix()
    plain.initialize()
    for name, parameter in ours._collect_params_with_prefix().items():
        theirs[name.replace('.attention.', '.bn2.attention.')].set_data(parameter.data())
    expected = ours(X).asnumpy()  # its attention and the addition are one operator, which rounds differently
    assert np.abs(plain(X).asnumpy() - expected).max() <= 1e-5 * np.abs(expected).max()


def test_training_saving_and_exporting(tmp_path):
    net = gluoncv_resnet(classes=4)
    net(X)
    attach(net, 'layer4')
    net.collect_params('.*cbam').initialize()
    net.hybridize()
    with mx.autograd.record():
        loss = net(X).sum()
    loss.backward()
    added = net.collect_params('.*cbam')
    assert sum(parameter.shape == (32, 512) for parameter in added.values()) == 1
    assert all(p.grad().asnumpy().any() for n, p in added.items() if n.endswith(('dense1_weight', 'dense1_bias')))
    net.export(str(tmp_path / 'net'))
    exported = mx.gluon.SymbolBlock.imports(
        str(tmp_path / 'net-symbol.json'), ['data'], str(tmp_path / 'net-0000.params')
    )
    assert np.abs(exported(X).asnumpy() - net(X).asnumpy()).max() <= 1e-5
    net.save_parameters(str(tmp_path / 'net.params'))
    again = gluoncv_resnet(classes=4)
    attach(again, 'layer4')
    again.load_parameters(str(tmp_path / 'net.params'))
    assert np.abs(again(X).asnumpy() - net(X).asnumpy()).max() <= 1e-5


def test_bad_arguments():
    net = gluoncv_resnet()
    with pytest.raises(ValueError, match=r"no block matches 'stage\*': the network has conv1, bn1"):
        attach(net, 'stage*')
    with pytest.raises(ValueError, match=r'the output of fc is no \(N, C, H, W\) map'):
        attach(net, 'fc')
    attach(net, 'layer1')
    with pytest.raises(ValueError, match='layer1 has attention already'):
        attach(net, 'layer1')


def test_gluoncv_finds_our_networks(python):
    code = (
        'import gluon_cbam.gluoncv\n'
        'from gluoncv.model_zoo import get_model, get_model_list\n'
        'net = get_model("cbam_resnet50", classes=7)\n'
        'print(type(net).__module__, set(gluon_cbam.list_models()) <= set(get_model_list()))\n'
        'print(type(get_model("resnet50_v1b")).__module__)\n'
        'print(len(gluon_cbam.gluoncv.register()) > 20)'
    )
    process = python(code)
    assert process.stdout.splitlines() == [
        'gluon_cbam.models.resnet True', 'gluoncv.model_zoo.resnetv1b', 'True',
    ], process.stderr  # fmt: skip

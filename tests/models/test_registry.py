"""Every network of the registry: names, forward, gradients, and the same numbers three ways."""

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import CBAM, get_model, list_models
from gluon_cbam.models import variant
from gluon_cbam.models.complexity import _walk


def test_names():
    names = list_models()
    assert len(names) == len(set(names)) == 21
    assert list_models('cbam_*') == [f'cbam_resnet{depth}' for depth in (18, 34, 50, 101, 152)]
    assert list_models('nothing*') == []


def test_unknown_name_hints():
    with pytest.raises(ValueError, match="unknown network 'cbam_resnet5': did you mean cbam_resnet50"):
        get_model('cbam_resnet5')


@pytest.mark.parametrize('name', list_models())
def test_network(name, tmp_path):
    mx.random.seed(1)
    net = get_model(name, classes=7)
    net.initialize()
    size = min(variant(name).image_size, 64)
    x = np.random.RandomState(0).randn(2, 3, size, size).astype('float32')
    assert any(isinstance(block, CBAM) for block in _walk(net)) == ('cbam' in name)
    for parameter_name, parameter in net._collect_params_with_prefix().items():
        if parameter_name.endswith('spatial.bn.gamma'):
            parameter.set_data(mx.nd.ones((1,)))  # it starts at 0, where the convolution before it gets no gradient
    assert checks.without_gradient(net, x) == []
    first, *others = checks.three_ways(net, x, tmp_path)
    assert first.shape == (2, 7)
    assert np.isfinite(first).all()
    for output in others:
        assert np.abs(output - first).max() <= 1e-5 * np.abs(first).max()
    larger = mx.nd.zeros((1, 3, size + 9, size + 4))
    assert net(larger).shape == (1, 7)


def test_pretrained_file(tmp_path):
    path = str(tmp_path / 'net.params')
    first = get_model('cbamnet_tiny', classes=4)
    first.initialize()
    first.save_parameters(path)
    second = get_model('cbamnet_tiny', pretrained=path, classes=4)
    x = mx.nd.random.normal(shape=(1, 3, 16, 16))
    assert np.array_equal(first(x).asnumpy(), second(x).asnumpy())
    with pytest.raises(ValueError, match='parameters do not fit ResNet: .* missing'):
        get_model('cifar_resnet18', pretrained=path, classes=4)
    with pytest.raises(ValueError, match='no parameter file'):
        get_model('cbamnet_tiny', pretrained=str(tmp_path / 'none.params'))
    with pytest.raises(ValueError, match="no weights are published for 'resnet18'"):
        get_model('resnet18', pretrained=True)


def test_batchnorm_statistics_move_in_the_backward_pass():
    """MXNet's CPU BatchNorm writes its running statistics in backward(); whoever compares them has to wait for it."""
    net = get_model('cbamnet_tiny', classes=2)
    net.initialize()
    running = net.stages[0].bn.running_mean
    with mx.autograd.record():
        loss = net(mx.nd.ones((2, 3, 8, 8))).sum()
    loss.backward()
    mx.nd.waitall()
    assert running.data().asnumpy().any()

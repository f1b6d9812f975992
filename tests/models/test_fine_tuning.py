"""Other classes and input channels than the weights: what fits is kept, the rest is newly initialized and logged."""

import logging

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import get_model


@pytest.fixture(params=['cifar_cbam_resnet18', 'cbamnet_tiny'])
def pretrained(request, tmp_path):
    mx.random.seed(3)
    net = get_model(request.param, classes=6)
    net.initialize()
    net.save_parameters(str(tmp_path / 'net.params'))
    values = {name: parameter.data().asnumpy() for name, parameter in net._collect_params_with_prefix().items()}
    return request.param, str(tmp_path / 'net.params'), values


@pytest.mark.parametrize(('options', 'new'), [
    ({'classes': 4}, ['fc.weight', 'fc.bias']),
    ({'classes': 6, 'in_channels': 1}, ['conv']),
    ({'classes': 2, 'in_channels': 5}, ['conv', 'fc.weight', 'fc.bias']),
])  # fmt: skip
def test_parameters_that_fit_are_kept(pretrained, options, new, caplog):
    name, path, values = pretrained
    with caplog.at_level(logging.WARNING, 'gluon_cbam'):
        net = get_model(name, pretrained=path, **options)
    first = 'conv1.weight' if name == 'cifar_cbam_resnet18' else 'stages.0.conv.weight'
    new = [first if part == 'conv' else part for part in new]
    for key, parameter in net._collect_params_with_prefix().items():
        if key in new:
            assert parameter.shape != values[key].shape
            assert f'{key} {tuple(parameter.shape)} instead of {values[key].shape}' in caplog.text
            assert np.isfinite(parameter.data().asnumpy()).all()
        else:
            assert np.array_equal(parameter.data().asnumpy(), values[key]), key
            assert f'{key} (' not in caplog.text
    x = mx.nd.random.normal(shape=(2, options.get('in_channels', 3), 32, 32))
    assert net(x).shape == (2, options['classes'])


def test_nothing_is_logged_when_everything_fits(pretrained, caplog):
    name, path, _ = pretrained
    get_model(name, pretrained=path, classes=6)
    assert not caplog.text


def test_the_top_may_be_left_out(tmp_path):
    full = get_model('cbamnet_tiny', classes=3)
    full.initialize()
    full.save_parameters(str(tmp_path / 'net.params'))
    body = get_model('cbamnet_tiny', pretrained=str(tmp_path / 'net.params'), include_top=False)
    x = mx.nd.random.normal(shape=(1, 3, 16, 16))
    assert np.array_equal(body(x).asnumpy(), full.stages(x).asnumpy())


def test_other_parameters_must_fit(pretrained):
    name, path, _ = pretrained
    with pytest.raises(ValueError, match='of the wrong shape: .*attention.channel.fc1'):
        get_model(name, pretrained=path, classes=6, reduction=4)

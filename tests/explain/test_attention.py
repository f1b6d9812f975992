"""Attention maps equal the gates that the feature map is multiplied with."""

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn
from scipy.signal import correlate2d
from scipy.special import expit

import gluon_cbam
from gluon_cbam import attention, explain

CHANNELS = 8
MODULES = {
    'cbam': lambda: attention.CBAM(CHANNELS, 4),
    'channel alone': lambda: attention.CBAM(CHANNELS, 4, spatial=False),
    'spatial alone': lambda: attention.CBAM(CHANNELS, 4, channel=False),
    'spatial first': lambda: attention.CBAM(CHANNELS, 4, order='spatial_channel'),
    'parallel': lambda: attention.CBAM(CHANNELS, 4, order='parallel'),
    'identity': lambda: attention.CBAM(CHANNELS, 4, gate='identity'),
    'modified': lambda: attention.ModifiedCBAM(CHANNELS, 4),
    'se': lambda: attention.SqueezeExcitation(CHANNELS, 4),
    'bam': lambda: attention.BAM(CHANNELS, 4),
}


@pytest.fixture(scope='module')
def images():
    return np.random.RandomState(0).randn(2, CHANNELS, 5, 6).astype(np.float32)


def network(module):
    """A module as the only block of a network, no parameter of which is what it starts as."""
    net = nn.HybridSequential()
    net.register_child(module, 'gate')
    net.initialize()
    net(mx.nd.ones((1, CHANNELS, 5, 6)))
    random = np.random.RandomState(1)
    for name, parameter in net.collect_params().items():
        values = random.randn(*parameter.shape)
        parameter.set_data(mx.nd.array(np.abs(values) + 0.5 if name.endswith('var') else values * 0.5))
    return net


@pytest.mark.parametrize('name', MODULES)
def test_input_times_gates_is_the_output(name, images):
    net = network(MODULES[name]())
    (maps,) = explain.attention_maps(net, images, whole=True)
    assert maps.path == 'gate'
    gate = np.ones_like(images) if maps.whole is None else maps.whole
    if maps.whole is None:
        if maps.channel is not None:
            gate = gate * maps.channel[:, :, None, None]
        if maps.spatial is not None:
            gate = gate * maps.spatial[:, None]
    factor = 1 + gate if name == 'bam' else gate
    np.testing.assert_allclose(images * factor, net(mx.nd.array(images)).asnumpy(), rtol=1e-5, atol=1e-6)
    assert (gate > 0).all() and (gate < (4 if name == 'identity' else 1)).all()


@pytest.mark.parametrize('name', ['parallel', 'bam'])
def test_maps_of_a_gate_of_both_are_its_means(name, images):
    (maps,) = explain.attention_maps(network(MODULES[name]()), images, whole=True)
    np.testing.assert_allclose(maps.channel, maps.whole.mean(axis=(2, 3)), rtol=1e-5)
    np.testing.assert_allclose(maps.spatial, maps.whole.mean(axis=1), rtol=1e-5)
    assert explain.attention_maps(network(MODULES[name]()), images)[0].whole is None


def test_cbam_equals_its_equations_in_numpy(images):
    """Equations 2 and 3 of the paper, from the parameters."""
    net = network(MODULES['cbam']())
    (maps,) = explain.attention_maps(net, images)
    values = {name: parameter.data().asnumpy() for name, parameter in net._collect_params_with_prefix().items()}

    def mlp(x):
        hidden = np.maximum(x @ values['gate.channel.fc1.weight'].T + values['gate.channel.fc1.bias'], 0)
        return hidden @ values['gate.channel.fc2.weight'].T + values['gate.channel.fc2.bias']

    channel = expit(mlp(images.mean(axis=(2, 3))) + mlp(images.max(axis=(2, 3))))
    np.testing.assert_allclose(maps.channel, channel, rtol=1e-5)
    first = images * channel[:, :, None, None]
    described = np.stack([first.max(axis=1), first.mean(axis=1)], axis=1)
    kernel = values['gate.spatial.conv.weight'][0]
    padded = np.stack(
        [sum(correlate2d(plane, k, mode='same') for plane, k in zip(planes, kernel)) for planes in described]
    )
    gamma, beta, mean, var = (values[f'gate.spatial.bn.{n}'] for n in ('gamma', 'beta', 'running_mean', 'running_var'))
    np.testing.assert_allclose(
        maps.spatial, expit((padded - mean) / np.sqrt(var + 1e-5) * gamma + beta), rtol=1e-5, atol=1e-6
    )


def test_every_attention_of_the_networks_has_its_path_and_size():
    images = np.zeros((1, 3, 32, 32), np.float32)
    expected = {
        ('cbam_mobilenet0.7', 27, 'units.26.attention', (1, 716), (1, 1, 1)),
        ('cifar_se_resnet18', 8, 'layer4.1.attention', (1, 512), None),
        ('cifar_bam_resnet18', 3, 'attention3', (1, 256), (1, 8, 8)),
        ('cbamnet_tiny', 2, 'stages.1.attention', (1, 128), (1, 16, 16)),
    }
    for name, count, last, channel, spatial in expected:
        net = gluon_cbam.get_model(name, classes=10)
        net.initialize()
        found = explain.attention_maps(net, images)
        assert len(found) == count
        assert found[-1].path == last and f'{last}.' in ''.join(net._collect_params_with_prefix())
        assert found[-1].channel.shape == channel
        assert (found[-1].spatial is None) == (spatial is None)
        assert spatial is None or found[-1].spatial.shape == spatial


def test_attention_attached_to_a_network_of_gluoncv():
    from gluoncv.model_zoo import get_model

    net = get_model('cifar_resnet20_v1')
    net.initialize()
    paths = gluon_cbam.attach(
        net, 'features.[234].*.body', lambda channels: gluon_cbam.CBAM(channels, 4, gate='identity'), (1, 3, 32, 32)
    )
    net.collect_params('.*cbam').initialize()
    net.hybridize()
    found = explain.attention_maps(net, np.random.RandomState(0).rand(2, 3, 32, 32))  # shapes not known before
    assert [maps.path for maps in found] == [f'{path}.attention' for path in paths]
    assert len(found) == 9 and found[-1].channel.shape == (2, 64) and found[-1].spatial.shape == (2, 8, 8)
    np.testing.assert_allclose(found[0].channel, 1)


def test_a_network_without_attention_has_none():
    net = nn.HybridSequential()
    net.add(nn.Conv2D(2, 1, in_channels=3))
    net.initialize()
    assert explain.attention_maps(net, np.zeros((1, 3, 4, 4))) == []


@pytest.mark.parametrize(
    'images, words',
    [
        (np.zeros((3, 8, 8)), 'must be a batch'),
        (np.zeros((0, 3, 8, 8)), 'must be a batch'),
        (np.zeros((1, 4, 8, 8)), 'takes 3 channels'),
    ],
)
def test_images_that_do_not_fit(images, words):
    net = gluon_cbam.get_model('cbamnet_tiny', classes=2)
    net.initialize()
    with pytest.raises(ValueError, match=words):
        explain.attention_maps(net, images)


def test_networks_that_cannot_be_explained():
    with pytest.raises(gluon_cbam.common.errors.UsageError, match='not initialized'):
        explain.attention_maps(gluon_cbam.get_model('cbamnet_tiny'), np.zeros((1, 3, 8, 8)))
    with pytest.raises(gluon_cbam.common.errors.UsageError, match='HybridBlock'):
        explain.attention_maps(nn.Sequential(), np.zeros((1, 3, 8, 8)))

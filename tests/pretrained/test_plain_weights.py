"""Networks with attention that start from the weights of the network without it."""

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import get_model, weights
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.inference.network import load_network
from gluon_cbam.models.registry import plain_network

CARD = {'classes': 7, 'preprocessing': {'image_size': 16, 'mean': [0.5] * 3, 'std': [0.5] * 3}}
X = mx.nd.array(np.random.RandomState(0).randn(2, 3, 16, 16))


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    """A narrow plain network with every parameter random, in a file with a card."""
    path = tmp_path_factory.mktemp('plain') / 'plain.params'
    options = {'widen': 0.25, 'in_channels': 3}
    net = checks.fill(get_model('cifar_resnet18', classes=7, **options))
    weights.save(net, path, network='cifar_resnet18', options=options, **CARD)
    return net, path


def parameters(net):
    return {name: value.data().asnumpy() for name, value in net._collect_params_with_prefix().items()}


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('cbam_resnet50', 'resnet50'),
        ('cifar_bam_resnet101', 'cifar_resnet101'),
        ('se_wide_resnet18_x1_5', 'wide_resnet18_x1_5'),
        ('cbam_resnext50_32x4d', 'resnext50_32x4d'),
        ('se_mobilenet0.7', 'mobilenet0.7'),
        ('resnet50', None),
        ('cbamnet_tiny', None),
    ],
)
def test_the_plain_network_of_a_name(name, expected):
    assert plain_network(name) == expected


@pytest.mark.parametrize('attention', ['cbam', 'se', 'bam'])
@pytest.mark.parametrize('with_card', [True, False])
def test_every_plain_parameter_is_set_and_the_identity_keeps_the_outputs(plain, tmp_path, attention, with_card):
    """The outputs of the network are those of the plain network, to rounding, before anything is trained."""
    net, path = plain
    arguments = {}
    if not with_card:
        net.save_parameters(str(tmp_path / 'net.params'))
        path, arguments = tmp_path / 'net.params', {'classes': 7, 'widen': 0.25}
    started = get_model(f'cifar_{attention}_resnet18', pretrained=str(path), gate='identity', **arguments)
    mine, theirs = parameters(started), parameters(net)
    assert all(np.array_equal(mine[name], value) for name, value in theirs.items())
    assert all('attention' in name for name in set(mine) - set(theirs))
    expected = net(X).asnumpy()
    assert np.abs(started(X).asnumpy() - expected).max() <= 1e-5 * np.abs(expected).max()


def test_without_the_option_the_attention_starts_as_in_a_new_network(plain):
    net, path = plain
    started = get_model('cifar_cbam_resnet18', pretrained=str(path), classes=3)
    assert started.fc.weight.shape == (3, 128)
    assert np.array_equal(started.layer1[0].conv1.weight.data().asnumpy(), net.layer1[0].conv1.weight.data().asnumpy())
    assert started.layer1[0].attention.channel.fc2.weight.data().asnumpy().any()
    assert not np.allclose(started(X).asnumpy()[:, :3], net(X).asnumpy()[:, :3])


def test_anything_else_that_does_not_fit_is_listed(plain, tmp_path):
    net, path = plain
    values = {name: value.data() for name, value in net._collect_params_with_prefix().items()}
    name = 'layer2.0.conv1.weight'
    without = {key: value for key, value in values.items() if key != name}
    faults = {
        f'1 missing: {name}': without,
        f'1 unexpected: {name}s': {**values, f'{name}s': values[name]},
        f'1 of the wrong shape: {name}': {**values, name: mx.nd.ones((1, 2))},
    }
    for number, (message, arrays) in enumerate(faults.items()):
        mx.nd.save(str(tmp_path / f'{number}.params'), arrays)
        with pytest.raises(DataError, match=message):
            get_model('cifar_cbam_resnet18', pretrained=str(tmp_path / f'{number}.params'), classes=7, widen=0.25)
    attention = 'layer1.0.attention.channel.fc1.bias'
    mx.nd.save(str(tmp_path / 'both.params'), {**values, attention: mx.nd.ones(1)})
    with pytest.raises(DataError, match='missing: layer1.0.attention'):
        get_model('cifar_cbam_resnet18', pretrained=str(tmp_path / 'both.params'), classes=7, widen=0.25)
    for other in ('cifar_cbam_resnet34', 'cbam_resnet18', 'cbamnet_tiny'):
        with pytest.raises(DataError, match=f'holds weights of cifar_resnet18, not of {other}'):
            get_model(other, pretrained=str(path))
    with pytest.raises(DataError, match='not of cifar_cbam_resnet18'):
        load_network('cifar_cbam_resnet18', [mx.cpu()], str(path))
    with pytest.raises(UsageError, match='are of resnet50, not of cbam_resnet18'):
        get_model('cbam_resnet18', pretrained='resnet50')


def test_the_log_says_what_came_from_where(plain, caplog):
    net, path = plain
    with caplog.at_level('INFO', 'gluon_cbam.weights'):
        started = get_model('cifar_se_resnet18', pretrained=str(path))
    theirs, mine = len(parameters(net)), len(parameters(started))
    assert f'{theirs} parameters are from cifar_resnet18 ({path}), {mine - theirs} of the attention' in caplog.text


def test_other_names_of_classes_are_understood():
    for name in ('num_classes', 'num_class', 'n_classes'):
        with pytest.warns(UserWarning, match=f'{name}=5 is taken as classes=5: use classes='):
            net = get_model('cifar_resnet18', widen=0.25, **{name: 5})
        assert net.fc.weight.shape[0] == 5
    with pytest.raises(UsageError, match='classes=4 and num_classes=5 contradict each other'):
        get_model('cifar_resnet18', classes=4, num_classes=5)

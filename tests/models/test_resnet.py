"""ResNets against the official code's outputs and the paper's counts."""

import checks
import mxnet as mx
import numpy as np
import pytest
from golden import Golden

from gluon_cbam import convert, get_model
from gluon_cbam.models.complexity import complexity

GOLDEN = {
    'official_imagenet_cbam_18': ('cbam_resnet18', 1000),
    'official_imagenet_cbam_50': ('cbam_resnet50', 1000),
    'official_imagenet_plain_18': ('resnet18', 1000),
    'official_cifar10_cbam_18': ('cifar_cbam_resnet18', 10),
}


@pytest.mark.parametrize('name', GOLDEN)
def test_equals_the_official_network(name, tmp_path):
    golden, (network, classes) = Golden(name), GOLDEN[name]
    net = get_model(network, classes=classes)
    convert.load_arrays(net, golden.arrays, 'official', ctx=mx.current_context())
    for output in checks.three_ways(net, golden.input, tmp_path):
        assert np.abs(output - golden.output).max() <= 1e-5
    assert complexity(net, golden.input.shape).parameters == golden.count


def test_official_initialization():
    mx.random.seed(0)
    net = get_model('cbam_resnet18')
    net.initialize()
    block = net.layer2[0]
    for conv in (net.conv1, block.conv1, block.conv2):
        weight = conv.weight.data().asnumpy()
        assert np.isclose(weight.std(), np.sqrt(2 / (weight.shape[0] * weight[0, 0].size)), rtol=0.05)
    assert np.isclose(net.fc.weight.data().asnumpy().std(), np.sqrt(2 / 512), rtol=0.05)
    assert np.abs(block.downsample[0].weight.data().asnumpy()).max() <= 1 / np.sqrt(64)
    assert (block.bn1.gamma.data().asnumpy() == 1).all()
    assert (block.attention.spatial.bn.gamma.data().asnumpy() == 0).all()
    assert block.bn1._kwargs['eps'] == block.attention.spatial.bn._kwargs['eps'] == 1e-5
    assert block.bn1._kwargs['momentum'] == 0.9
    assert block.attention.spatial.bn._kwargs['momentum'] == 0.99


def test_attention_is_used():
    """The outputs depend on the parameters of the attention."""
    net = get_model('cifar_cbam_resnet18', classes=10)
    net.initialize()
    x = mx.nd.random.normal(shape=(1, 3, 32, 32))
    before = net(x).asnumpy()
    for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
        for block in stage:
            for parameter in (block.attention.channel.fc2.bias, block.attention.spatial.bn.beta):
                kept = parameter.data().copy()
                parameter.set_data(kept + 1)
                assert np.abs(net(x).asnumpy() - before).max() > 1e-4, parameter.name
                parameter.set_data(kept)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'bottleneck_stride': '2x2'}, "unknown bottleneck_stride '2x2'"),
        ({'classes': 0}, 'classes must be a positive integer, got 0'),
        ({'in_channels': -1}, 'in_channels must be a positive integer, got -1'),
        ({'reductoin': 8}, "cbam_resnet18 has no option 'reductoin': did you mean reduction"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        get_model('cbam_resnet18', **options)


def test_input_channels():
    net = get_model('cifar_resnet18', in_channels=1)
    net.initialize()
    assert net(mx.nd.zeros((1, 1, 32, 32))).shape == (1, 1000)
    with pytest.raises(ValueError, match='takes 1 channels'):
        net(mx.nd.zeros((1, 3, 32, 32)))


def test_width_by_option():
    """The row's unless it is given, and then the same as a row that has it."""
    wide = complexity(get_model('wide_resnet18_x1_5'), (1, 3, 64, 64))
    assert complexity(get_model('resnet18', widen=1.5), (1, 3, 64, 64)) == wide
    assert complexity(get_model('wide_resnet18_x1_5', widen=1.5), (1, 3, 64, 64)) == wide
    narrow = get_model('cbam_resnet18', widen=0.25, reduction=4)
    assert narrow.stage_channels == (16, 32, 64, 128)
    assert narrow.layer4[1].attention.channel.fc1.weight.shape == (32, 128)
    with pytest.raises(ValueError, match='widen must leave the first stage a channel of its 64, got 0.01'):
        get_model('resnet18', widen=0.01)


def test_width_of_the_stem():
    """Counted by hand: convolutions without biases, and gamma and beta of each BatchNorm."""
    whole = complexity(get_model('cifar_resnet18'), (1, 3, 32, 32)).parameters
    narrow = complexity(get_model('cifar_resnet18', stem_width=16), (1, 3, 32, 32)).parameters
    assert whole - narrow == (64 - 16) * (3 * 9 + 2) + (64 - 16) * 64 * 9 - 64 * 16 - 2 * 64  # a shortcut appears
    deep = get_model('resnet50_v1s', stem_width=24)
    assert [deep.conv1[index].weight.shape[0] for index in (0, 3, 6)] == [24, 24, 48]
    for name, shape in (('resnet18', (8, 3, 7, 7)), ('cifar_cbam_resnet18', (8, 3, 3, 3))):
        net = get_model(name, stem_width=8, classes=10)
        assert net.conv1.weight.shape == shape
        net.initialize()
        assert net(mx.nd.zeros((1, 3, 32, 32))).shape == (1, 10)
    with pytest.raises(ValueError, match='stem_width must be a positive integer, got 0'):
        get_model('resnet18', stem_width=0)

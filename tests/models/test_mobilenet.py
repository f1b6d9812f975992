"""MobileNet against MXNet's own, and the place of its attention."""

import checks
import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon.model_zoo import vision

from gluon_cbam import MobileNet, get_model


@pytest.mark.parametrize('alpha', [0.7, 1.0])
def test_equals_mxnets_own(alpha, tmp_path):
    theirs = vision.MobileNet(alpha, classes=10)
    theirs.initialize()
    theirs(mx.nd.zeros((1, 3, 32, 32)))  # only now its parameters have shapes
    checks.fill(theirs)
    ours = get_model(f'mobilenet{alpha}', classes=10)
    ours.initialize()
    from_them, to_us = (list(net.collect_params().values()) for net in (theirs, ours))
    assert len(from_them) == len(to_us) == 27 * 5 + 2
    for their, our in zip(from_them, to_us):
        assert their.name.rpartition('_')[2] == our.name.rpartition('_')[2]
        our.set_data(their.data())
    x = np.random.RandomState(0).randn(2, 3, 64, 64).astype('float32')
    expected = theirs(mx.nd.array(x)).asnumpy()
    for output in checks.three_ways(ours, x, tmp_path):
        assert np.abs(output - expected).max() <= 1e-5 * np.abs(expected).max()


def test_a_module_after_every_convolution():
    net = get_model('cbam_mobilenet0.7')
    assert len(net.units) == 27
    assert net.units[0].attention.channel.fc1.weight.shape == (1, 22)
    for unit in net.units:
        channels = unit.conv._channels
        assert unit.attention.channel.fc1.weight.shape == (max(1, channels // 16), channels)


def test_the_gate_scales_the_input_of_the_relu():
    net = checks.fill(get_model('cbam_mobilenet0.7', classes=5))
    unit, x = net.units[4], mx.nd.random.normal(shape=(2, 44, 6, 6))
    assert unit.conv._channels == 89
    normed = unit.bn(unit.conv(x))
    assert np.array_equal(unit(x).asnumpy(), unit.attention(normed).relu().asnumpy())


def test_narrow_layers_keep_a_hidden_unit():
    net = get_model('se_mobilenet0.7', reduction=100)
    assert net.units[0].attention.gate.fc1.weight.shape == (1, 22)
    assert net.units[-1].attention.gate.fc1.weight.shape == (7, 716)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: get_model('mobilenet1.0', reduction=8), "mobilenet1.0 has no option 'reduction'"),
        (lambda: get_model('se_mobilenet1.0', kernel_size=3), "se_mobilenet1.0 has no option 'kernel_size'"),
        (lambda: get_model('se_mobilenet1.0', reduction=0), 'reduction must be a positive integer, got 0'),
        (lambda: get_model('cbam_mobilenet1.0', kernel_size=4), 'odd.*got 4'),
        (lambda: get_model('mobilenet1.0', in_channels=0), 'in_channels must be a positive integer, got 0'),
        (lambda: MobileNet(0.01), 'alpha must leave the stem a channel of its 32, got 0.01'),
        (lambda: MobileNet(1.0, attention='sea'), "unknown attention 'sea': did you mean se"),
        (lambda: MobileNet(1.0, reduction=8), "a network without attention has no option 'reduction'"),
    ],
)
def test_bad_options(make, message):
    with pytest.raises(ValueError, match=message):
        make()

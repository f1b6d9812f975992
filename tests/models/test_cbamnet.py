"""CBAMNet against the Keras network's outputs, counts and errors."""

import checks
import mxnet as mx
import numpy as np
import pytest
from golden import keras_tiny

from gluon_cbam import CBAMNet, convert
from gluon_cbam.models.complexity import complexity


def test_equals_the_keras_network(tmp_path):
    arrays, weights = keras_tiny()
    net = CBAMNet.from_variant('tiny', num_classes=10, input_shape=(32, 32, 3))
    convert.load_arrays(net, weights, 'keras', ctx=mx.current_context())
    for logits in checks.three_ways(net, arrays['input'].transpose(0, 3, 1, 2), tmp_path):
        assert np.abs(logits - arrays['logits']).max() <= 1e-5
        assert np.abs(mx.nd.array(logits).softmax().asnumpy() - arrays['output']).max() <= 1e-5


@pytest.mark.parametrize(
    ('net', 'parameters'),
    [
        (CBAMNet.from_variant('tiny', num_classes=10), 83_024 - 384),
        (CBAMNet.from_variant('tiny'), 210_734 - 384),
        (CBAMNet.from_variant('small', num_classes=10), 396_979 - 896),
        (CBAMNet.from_variant('base'), 2_081_809 - 1_792),
        (CBAMNet(classes=100, dims=(32, 64, 128, 256), reduction=16), 427_312 - 960),
    ],
    ids=['tiny 10', 'tiny 1000', 'small 10', 'base 1000', 'own dims'],
)
def test_counts(net, parameters):
    assert complexity(net, (1, 3, 32, 32)).parameters == parameters


def test_without_the_top():
    net = CBAMNet(dims=(16, 32, 64), include_top=False)
    net.initialize()
    assert net(mx.nd.zeros((2, 3, 33, 47))).shape == (2, 64, 4, 5)
    assert not any('fc.' in name and name.startswith('fc') for name in net._collect_params_with_prefix())


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: CBAMNet(classes=0), 'classes.*got 0'),
        (lambda: CBAMNet(dims=()), r'dims.*got \(\)'),
        (lambda: CBAMNet(dims=(64, -8)), 'got -8'),
        (lambda: CBAMNet(dims=(64, 100)), 'divisible by the reduction 8, got 100'),
        (lambda: CBAMNet(reduction=0), 'reduction.*got 0'),
        (lambda: CBAMNet(kernel_size=6), 'got 6'),
        (lambda: CBAMNet.from_variant('huge'), "unknown variant 'huge': known: tiny, small, base"),
        (lambda: CBAMNet.from_variant('tiny', input_shape=(32, 32)), r'got \(32, 32\)'),
        (lambda: CBAMNet.from_variant('base', input_shape=(7, 32, 3)), 'at least 8 x 8, got 7 x 32'),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_inputs_too_small_for_the_pools():
    net = CBAMNet(dims=(16, 32, 64))
    net.initialize()
    assert net(mx.nd.zeros((1, 3, 8, 8))).shape == (1, 1000)
    with pytest.raises(ValueError, match='at least 8 x 8, got 8 x 7'):
        net(mx.nd.zeros((1, 3, 8, 7)))
    with pytest.raises(ValueError, match='takes 3 channels'):
        net(mx.nd.zeros((1, 4, 8, 8)))


def test_input_shape_may_be_open():
    net = CBAMNet.from_variant('tiny', num_classes=2, input_shape=(None, None, 1))
    net.initialize()
    assert net(mx.nd.zeros((1, 1, 20, 12))).shape == (1, 2)

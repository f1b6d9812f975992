"""Conversion is strict: everything is set once, or nothing is."""

import mxnet as mx
import numpy as np
import pytest
from golden import Golden, keras_tiny, official_bam

from gluon_cbam import CBAM, CBAMNet, convert, get_model


def snapshot(net):
    return {name: parameter.data().asnumpy() for name, parameter in net._collect_params_with_prefix().items()}


@pytest.fixture
def attention():
    block = CBAM(64)
    block.initialize()
    return block, dict(Golden('official_block_avg_max').arrays)


def renamed(arrays, old, new):
    arrays[new] = arrays.pop(old)


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda arrays: arrays.pop('ChannelGate.mlp.1.bias'), '1 missing: channel.fc1.bias'),
        (lambda arrays: arrays.update(foo=np.zeros(3)), '1 unexpected: foo'),
        (
            lambda arrays: arrays.update({'ChannelGate.mlp.1.bias': np.zeros(5)}),
            r'channel.fc1.bias \(5,\) instead of \(4,\)',
        ),
        (lambda arrays: arrays.update({'module.ChannelGate.mlp.1.bias': np.zeros(4)}), '1 given twice'),
        (
            lambda arrays: renamed(arrays, 'SpatialGate.spatial.bn.weight', 'spatial'),
            '1 missing: spatial.bn.gamma; 1 unexpected',
        ),
    ],
    ids=['missing', 'unexpected', 'shape', 'twice', 'renamed'],
)
def test_misfits_change_nothing(attention, spoil, message):
    block, arrays = attention
    before = snapshot(block)
    spoil(arrays)
    with pytest.raises(ValueError, match=message):
        convert.load_arrays(block, arrays, 'official')
    for name, value in snapshot(block).items():
        assert np.array_equal(value, before[name])


def test_every_value_arrives(attention):
    block, arrays = attention
    convert.load_arrays(block, arrays, 'official')
    loaded = sorted(value.sum() for value in snapshot(block).values())
    assert np.allclose(loaded, sorted(value.sum() for value in arrays.values()), atol=1e-5)


def test_data_parallel_prefix_and_counters():
    golden = Golden('official_block_avg_max')
    arrays = {f'module.{name}': value for name, value in golden.arrays.items()}
    arrays['module.SpatialGate.spatial.bn.num_batches_tracked'] = np.int64(3)
    block = CBAM(64)
    convert.load_arrays(block, arrays, 'official')
    assert np.abs(block(mx.nd.array(golden.input)).asnumpy() - golden.output).max() <= 1e-5


def test_wrong_source_and_network():
    with pytest.raises(ValueError, match="unknown source 'officail': did you mean official"):
        convert.load_arrays(CBAM(64), {}, 'officail')
    with pytest.raises(ValueError, match='keras parameters do not fit ResNet'):
        convert.load_arrays(get_model('cifar_resnet18', classes=10), keras_tiny()[1], 'keras')


def test_keras_kernels_are_transposed():
    """Square kernels would hide a missing transposition: compare one element."""
    _, weights = keras_tiny()
    net = CBAMNet.from_variant('tiny', num_classes=10)
    convert.load_arrays(net, weights, 'keras')
    kernel = weights['stage_1_conv/kernel']
    assert net.stages[1].conv.weight.data().asnumpy()[5, 7, 0, 2] == kernel[0, 2, 7, 5]


def test_several_contexts():
    contexts = [mx.cpu(0), mx.cpu(1)]
    block = CBAM(64)
    convert.load_arrays(block, Golden('official_block_avg_max').arrays, 'official', ctx=contexts)
    first, second = (block.channel.fc1.weight.data(ctx).asnumpy() for ctx in contexts)
    assert np.array_equal(first, second)


def test_bam_of_the_official_network():
    """Each of the three modules arrives after its stage: elsewhere its shapes do not fit."""
    net = get_model('bam_resnet18')
    plain = Golden('official_imagenet_plain_18')
    modules = {
        f'bam{number}.{name}': value
        for number, channels in enumerate((64, 128, 256), start=1)
        for name, value in official_bam(channels, channels // 16).items()
    }
    convert.load_arrays(net, {**plain.arrays, **modules}, 'official')
    first, last = modules['bam1.channel_att.gate_c.gate_c_fc_0.weight'], net.attention3.spatial.conv4.bias
    assert np.array_equal(net.attention1.channel.fc1.weight.data().asnumpy(), first)
    assert np.array_equal(last.data().asnumpy(), modules['bam3.spatial_att.gate_s.gate_s_conv_final.bias'])
    with pytest.raises(ValueError, match='official parameters do not fit ResNet: .* missing: attention1'):
        convert.load_arrays(net, plain.arrays, 'official')

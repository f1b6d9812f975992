"""BAM against numpy, under the official code's names, and against gluoncv2."""

import checks
import mxnet as mx
import numpy as np
import pytest
from golden import official_bam, recipe

from gluon_cbam import BAM, convert

X = recipe.images((2, 32, 11, 13))


def in_numpy(x, arrays):
    """The official module in float64, at inference."""
    a = {name.rpartition('gate_')[2]: value.astype('float64') for name, value in arrays.items()}

    def norm_relu(value, name):
        weight, bias, mean, variance = (
            a[f'{name}.{part}'].reshape(-1, *[1] * (value.ndim - 2))
            for part in ('weight', 'bias', 'running_mean', 'running_var')
        )
        return np.maximum((value - mean) / np.sqrt(variance + 1e-5) * weight + bias, 0)

    def conv(value, name):
        weight, (height, width) = a[f'{name}.weight'], value.shape[-2:]
        reach = 4 * (weight.shape[-1] // 2)
        padded = np.pad(value, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
        taps = [
            np.einsum('nchw,oc->nohw', padded[:, :, 4 * i : 4 * i + height, 4 * j : 4 * j + width], weight[:, :, i, j])
            for i in range(weight.shape[-2])
            for j in range(weight.shape[-1])
        ]
        return sum(taps) + a[f'{name}.bias'][:, None, None]

    x = x.astype('float64')
    hidden = norm_relu(x.mean((2, 3)) @ a['c_fc_0.weight'].T + a['c_fc_0.bias'], 'c_bn_1')
    channel = hidden @ a['c_fc_final.weight'].T + a['c_fc_final.bias']
    spatial = x
    for name in ('reduce0', 'di_0', 'di_1'):
        spatial = norm_relu(conv(spatial, f's_conv_{name}'), f's_bn_{name}')
    spatial = conv(spatial, 's_conv_final')
    return x * (1 + 1 / (1 + np.exp(-channel[:, :, None, None] * spatial)))


def test_equals_the_official_module(tmp_path):
    arrays = official_bam(32, 2)
    expected = in_numpy(X, arrays)
    attention = BAM(32)
    named = {f'module.{name}': value for name, value in arrays.items()}
    convert.load_arrays(attention, named, 'official', ctx=mx.current_context())
    for output in checks.three_ways(attention, X, tmp_path):
        assert np.abs(output - expected).max() <= 1e-5


def test_equals_gluoncv2():
    bamresnet = pytest.importorskip('gluoncv2.models.bamresnet')
    theirs = checks.fill(bamresnet.BamBlock(32, bn_use_global_stats=False))
    arrays = {
        f'features.3.0.bam.{name}': parameter.data().asnumpy()
        for name, parameter in theirs._collect_params_with_prefix().items()
    }
    holder = mx.gluon.nn.HybridSequential()
    holder.attention2 = BAM(32)
    convert.load_arrays(holder, arrays, 'imgclsmob', ctx=mx.current_context())
    x = mx.nd.array(X)
    assert np.abs(holder.attention2(x).asnumpy() - theirs(x).asnumpy()).max() <= 1e-6


def test_gates_are_between_one_and_two():
    attention = checks.fill(BAM(32, reduction=4))
    x = mx.nd.array(X)
    gates = attention(x).asnumpy() / X
    assert gates.min() > 1
    assert gates.max() < 2
    other = attention(x + 0.5 * x.flip(axis=0)).asnumpy() / (X + 0.5 * X[::-1])
    assert np.abs(gates - other).max() > 1e-4, 'the gates do not follow the input'
    logits = np.log((gates - 1) / (2 - gates))[0].reshape(32, -1)
    singular = np.linalg.svd(logits, compute_uv=False)
    assert singular[1] < 1e-3 * singular[0], 'the gates are not channel x space'
    assert checks.without_gradient(attention, X) == []


def test_official_initialization():
    mx.random.seed(0)
    attention = BAM(512, reduction=2)
    attention.initialize()
    weight = attention.channel.fc1.weight.data().asnumpy()
    assert np.abs(weight).max() <= 1 / np.sqrt(512)
    assert np.isclose(weight.std(), 1 / np.sqrt(3 * 512), rtol=0.02)
    weight = attention.spatial.conv2.weight.data().asnumpy()
    assert np.isclose(weight.std(), np.sqrt(2 / (256 * 9)), rtol=0.02)
    assert not attention.spatial.conv1.bias.data().asnumpy().any()
    for norm in (attention.channel.bn, attention.spatial.bn3):
        assert (norm._kwargs['eps'], norm._kwargs['momentum']) == (1e-5, 0.9)
        assert (norm.gamma.data().asnumpy() == 1).all()


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: BAM(0), 'channels must be a positive integer, got 0'),
        (lambda: BAM(8), 'reduction 16 leaves no hidden unit for 8 channels: use at most 8'),
        (lambda: BAM(64, dilation=0), 'dilation must be a positive integer, got 0'),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_bad_input():
    attention = BAM(32)
    attention.initialize()
    with pytest.raises(ValueError, match='BAM takes 32 channels'):
        attention(mx.nd.zeros((1, 16, 4, 4)))

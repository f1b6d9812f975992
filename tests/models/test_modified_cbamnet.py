"""Modified-CBAMnet against the outputs of its symbol, and its options."""

import checks
import mxnet as mx
import numpy as np
import pytest
from golden import ModifiedGolden

from gluon_cbam import convert, get_model
from gluon_cbam.attention import ModifiedCBAM
from gluon_cbam.models.complexity import complexity
from gluon_cbam.models.modified_cbamnet import HEADS

# file -> network, options
GOLDEN = {
    '18_A': ('modified_cbamnet18', {'version_output': 'A'}),
    '18_C': ('modified_cbamnet18', {'version_output': 'C'}),
    '18_E': ('modified_cbamnet18', {}),
    '18_ibn_E': ('modified_cbamnet18', {'ibn': True}),
    '18_input0_G': ('modified_cbamnet18', {'version_input': 0, 'version_output': 'G'}),
    '50_E': ('modified_cbamnet50', {}),
    '101_ibn_elu_DX': (
        'modified_cbamnet101', {'ibn': True, 'version_act': 'elu', 'reduction': 8, 'version_output': 'DX'},
    ),
}  # fmt: skip
# head E, 512 dimensions, 112 x 112
COUNTS = {18: 24_200_064, 34: 34_454_456, 50: 44_037_448, 100: 65_902_874, 101: 103_446_706, 152: 122_800_996}
SMALL = {'image_size': 32, 'embedding': 8}


@pytest.mark.parametrize('name', GOLDEN)
def test_equals_the_symbol(name, tmp_path):
    golden, (network, options) = ModifiedGolden(name), GOLDEN[name]
    net = get_model(network, embedding=golden.output.shape[1], **options)
    convert.load_arrays(net, golden.arrays, 'modified', ctx=mx.current_context())
    assert complexity(net, golden.input.shape).parameters == golden.count
    for output in checks.three_ways(net, golden.input, tmp_path):
        assert np.abs(output - golden.output).max() <= 2e-6


@pytest.mark.parametrize('depth', COUNTS)
def test_counts(depth):
    assert complexity(get_model(f'modified_cbamnet{depth}'), (1, 3, 112, 112)).parameters == COUNTS[depth]


@pytest.mark.parametrize('head', HEADS)
def test_every_head(head):
    mx.random.seed(0)
    net = get_model('modified_cbamnet18', version_output=head, **SMALL)
    net.initialize()
    x = np.random.RandomState(0).randint(0, 256, (2, 3, 32, 32)).astype('float32')
    first = net(mx.nd.array(x)).asnumpy()
    assert first.shape == (2, 512 if head.startswith('A') else 8) == (2, net.outputs)
    assert np.array_equal(net(mx.nd.array(x)).asnumpy(), first), 'dropout is off outside training'
    names = [block.name for block in net.head._children.values()]
    assert len(names) == len([step for step in HEADS[head] if step != 'pool'])
    drops = [block for block in net.head._children.values() if isinstance(block, mx.gluon.nn.Dropout)]
    rates = {'E': [0.4], 'F': [0.4]}
    assert [block._rate for block in drops] == rates.get(head, [0.2] if head.endswith('X') else [])
    fixed = [name for name, p in net.head._collect_params_with_prefix().items() if name == 'fc1.gamma']
    assert bool(fixed) == (head[0] in 'CDEIJ')


def test_the_stride_of_bottlenecks():
    """In the last convolution; in the one before it, outputs would be the same but for BatchNorm in training."""
    unit = get_model('modified_cbamnet101').layer2[0]
    assert [step.conv._kwargs['stride'] for step in (unit.c1x1_a, unit.c3x3, unit.c1x1_b)] == [(1, 1), (1, 1), (2, 2)]


def test_the_classes_are_ignored():
    assert get_model('modified_cbamnet18', classes=7, embedding=32).outputs == 32


@pytest.mark.parametrize('activation', ['leaky', 'elu', 'gelu', 'selu'])
def test_activations(activation):
    """The channel gate in numpy, from the formulas of the activations."""
    mx.random.seed(0)
    block = ModifiedCBAM(8, 2, activation)
    block.initialize(mx.init.Normal(0.5))
    block.spatial.weight.set_data(mx.nd.zeros((1, 2, 3, 3)))  # a spatial gate of 0.5
    x = np.random.RandomState(0).randn(2, 8, 5, 5).astype('float32')
    erf = np.vectorize(__import__('math').erf)
    act = {
        'leaky': lambda v: np.where(v > 0, v, 0.25 * v),
        'elu': lambda v: np.where(v > 0, v, 0.25 * np.expm1(v)),
        'gelu': lambda v: v / 2 * (1 + erf(v / np.sqrt(2))),
        'selu': lambda v: 1.0507009873554805 * np.where(v > 0, v, 1.6732632423543772 * np.expm1(v)),
    }[activation]

    def mlp(net, pooled):
        first, second = (layer.weight.data().asnumpy()[:, :, 0, 0] for layer in (net.fc1, net.fc2))
        return act(pooled @ first.T) @ second.T

    summed = mlp(block.avg, x.mean(axis=(2, 3))) + mlp(block.max, x.max(axis=(2, 3)))
    expected = 0.5 * x / (1 + np.exp(-summed))[:, :, None, None]
    assert np.abs(block(mx.nd.array(x)).asnumpy() - expected).max() <= 1e-5


def test_the_attention_changes_the_outputs():
    mx.random.seed(0)
    block = ModifiedCBAM(32)
    block.initialize(mx.init.Normal(0.5))
    checks.assert_attends(block, np.random.RandomState(0).randn(2, 32, 7, 7).astype('float32') + 3)


def test_the_first_input_sets_the_size_of_the_large_stem():
    net = get_model('modified_cbamnet18', version_input=0, embedding=8)
    net.initialize()
    assert net.image_size is None
    assert net(mx.nd.zeros((1, 3, 64, 64))).shape == (1, 8)
    assert net.image_size == 64
    with pytest.raises(ValueError, match=r'of 4 cells, the input \(1, 3, 65, 64\) gives 6: build it with'):
        net(mx.nd.zeros((1, 3, 65, 64)))


def test_sizes():
    net = get_model('modified_cbamnet18', embedding=8)
    net.initialize()
    with pytest.raises(ValueError, match=r'of 49 cells, the input \(1, 3, 128, 128\) gives 64: .*image_size=128'):
        net(mx.nd.zeros((1, 3, 128, 128)))
    with pytest.raises(ValueError, match='takes 3 channels'):
        net(mx.nd.zeros((1, 1, 112, 112)))
    pooled = get_model('modified_cbamnet18', version_output='B', embedding=8)
    pooled.initialize()
    for size in (32, 41):
        assert pooled(mx.nd.zeros((1, 3, size, size))).shape == (1, 8)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'version_output': 'K'}, "unknown version_output 'K': known: A, B, C"),
        ({'version_output': 'EX'}, "unknown version_output 'EX'"),
        ({'version_act': 'relu'}, "unknown version_act 'relu': did you mean prelu"),
        ({'version_input': -1}, 'version_input must be 0 .* got -1'),
        ({'embedding': 0}, 'embedding must be a positive integer, got 0'),
        ({'ibn': 'yes'}, "ibn must be True or False, got 'yes'"),
        ({'reduction': 128}, 'reduction 128 leaves no hidden unit for 64 channels'),
        ({'image_size': 0}, 'image_size must be a positive integer, got 0'),
        ({'embeding': 8}, "modified_cbamnet18 has no option 'embeding': did you mean embedding"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        get_model('modified_cbamnet18', **options)

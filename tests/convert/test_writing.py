"""Writing parameters in the names and layouts of each source, bit for bit."""

import checks
import mxnet as mx
import numpy as np
import pytest
from golden import Golden, ModifiedGolden, keras_tiny

from gluon_cbam import CBAM, CBAMNet, convert, get_model


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].dtype == np.float32
        assert found[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('18_A', {'version_output': 'A'}),
        ('18_ibn_E', {'ibn': True, 'embedding': 128}),
        ('18_input0_G', {'version_input': 0, 'version_output': 'G', 'embedding': 64}),
    ],
)
def test_modified(name, options):
    golden = ModifiedGolden(name)
    net = get_model('modified_cbamnet18', **options)
    convert.load_arrays(net, golden.arrays, 'modified')
    assert_same(convert.to_arrays(net, 'modified'), golden.arrays)


def test_modified_takes_the_names_of_checkpoints_and_no_doubles():
    golden = ModifiedGolden('18_A')
    prefixed = {f'{"aux" if name in golden.auxiliary else "arg"}:{name}': v for name, v in golden.arrays.items()}
    prefixed['arg:fc7_weight'] = np.zeros((3, 512), 'float32')  # of the loss that insightface trains with
    net = get_model('modified_cbamnet18', version_output='A')
    convert.load_arrays(net, prefixed, 'modified')
    assert_same(convert.to_arrays(net, 'modified'), golden.arrays)
    with pytest.raises(ValueError, match=r'1 given twice: arg:bn1_gamma \(also gives head.bn1.gamma\)'):
        convert.load_arrays(net, {**golden.arrays, 'arg:bn1_gamma': golden.arrays['bn1_gamma']}, 'modified')
    del prefixed['aux:bn1_moving_var']
    with pytest.raises(ValueError, match=r'1 missing: head.bn1.running_var$'):
        convert.load_arrays(net, prefixed, 'modified')


def test_bottlenecks_have_names_of_their_own():
    """Both kinds of unit use c3x3, for different things; no name may be used for two parameters."""
    from gluon_cbam.convert.writing import their_names

    names = their_names(get_model('modified_cbamnet101', ibn=True), 'modified')
    assert len(set(names.values())) == len(names)
    assert names['layer1.unit1.c3x3.bn.gamma'] == 'stage1_unit1_c3x3_batchnorm_gamma'
    assert names['layer3.unit23.c1x1.ibn.instance.beta'] == 'stage3_unit23_c1x1_ibn_in1_beta'
    assert names['layer4.unit1.c1x1_b.act.alpha'] == 'stage4_unit1_c1x1_b_prelu_gamma'
    assert names['layer4.unit1.bn_c1x1_b.bn.running_var'] == 'stage4_unit1_bn_c1x1_b_batchnorm_moving_var'


def test_a_run_sets_fixed_gammas():
    """why_convert_before_running: MXNet writes 1 into the gamma of a BatchNorm that fixes it, whenever it runs."""
    golden = ModifiedGolden('18_C')
    net = get_model('modified_cbamnet18', version_output='C', embedding=32)
    convert.load_arrays(net, golden.arrays, 'modified')
    net(mx.nd.zeros((1, 3, 32, 32))).wait_to_read()
    changed = [n for n, v in convert.to_arrays(net, 'modified').items() if not np.array_equal(v, golden.arrays[n])]
    assert changed == ['fc1_gamma']


@pytest.mark.parametrize(
    ('network', 'source'),
    [
        ('cifar_bam_resnet18', 'official'),
        ('cifar_se_resnet18', 'imgclsmob'),
        ('cifar_cbam_resnet50', 'imgclsmob'),
        ('cifar_resnet18', 'official'),
    ],
)
def test_there_and_back(network, source):
    """Our parameters under a source's names load into the same network again; no two share a name."""
    first, second = checks.fill(get_model(network, classes=3)), get_model(network, classes=3)
    convert.load_arrays(second, convert.to_arrays(first, source), source)
    expected = {name: parameter.data().asnumpy() for name, parameter in first._collect_params_with_prefix().items()}
    assert_same({n: p.data().asnumpy() for n, p in second._collect_params_with_prefix().items()}, expected)


def test_layouts_go_back():
    arrays = convert.to_arrays(checks.fill(get_model('cifar_se_resnet18', classes=3)), 'imgclsmob')
    assert arrays['features.1.0.se.conv1.weight'].shape == (4, 64, 1, 1)


@pytest.mark.parametrize(
    ('network', 'source'),
    [('cifar_se_resnet18', 'official'), ('cifar_bam_resnet18', 'imgclsmob'), ('mobilenet0.7', 'official')],
)
def test_networks_that_a_source_cannot_name(network, source):
    with pytest.raises(ValueError, match=f'{source} has no names for'):
        convert.to_arrays(checks.fill(get_model(network, classes=3)), source)


def test_official():
    golden = Golden('official_cifar10_cbam_18')
    net = get_model('cifar_cbam_resnet18', classes=10)
    convert.load_arrays(net, golden.arrays, 'official')
    expected = {name: value for name, value in golden.arrays.items() if not name.endswith('num_batches_tracked')}
    assert_same(convert.to_arrays(net, 'official'), expected)
    block = CBAM(64)
    golden = Golden('official_block_avg_max')
    convert.load_arrays(block, golden.arrays, 'official')
    expected = {name: value for name, value in golden.arrays.items() if not name.endswith('num_batches_tracked')}
    assert_same(convert.to_arrays(block, 'official'), expected)


def test_keras():
    _, weights = keras_tiny()
    net = CBAMNet.from_variant('tiny', num_classes=10)
    convert.load_arrays(net, weights, 'keras')
    assert_same(convert.to_arrays(net, 'keras'), weights)


@pytest.mark.slow
def test_imgclsmob():
    provider = pytest.importorskip('gluoncv2.model_provider')
    theirs = provider.get_model('cbam_resnet50')
    theirs.initialize(mx.init.Xavier())
    arrays = {key: parameter.data().asnumpy() for key, parameter in theirs._collect_params_with_prefix().items()}
    net = get_model('cbam_resnet50')
    convert.load_arrays(net, arrays, 'imgclsmob')
    assert_same(convert.to_arrays(net, 'imgclsmob'), arrays)


@pytest.mark.parametrize(
    ('network', 'source'),
    [
        ('cifar_cbam_resnet18', 'modified'),
        ('cifar_cbam_resnet18', 'keras'),
        ('cbamnet_tiny', 'official'),
        ('cbamnet_tiny', 'imgclsmob'),
        ('modified_cbamnet18', 'official'),
    ],
)
def test_a_source_without_this_network(network, source):
    net = get_model(network)
    net.initialize()
    with pytest.raises(ValueError, match=f'{source} has no names for .* parameters of '):
        convert.to_arrays(net, source)
    with pytest.raises(ValueError, match="unknown source 'modifed': did you mean modified"):
        convert.to_arrays(net, 'modifed')

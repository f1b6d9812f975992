"""Every network of the registry: names and counts; and of each kind the smallest: forward, gradients, three ways."""

import re
from dataclasses import asdict, replace
from itertools import product

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import get_model, list_models
from gluon_cbam.common.errors import EnvironmentProblem
from gluon_cbam.models import variant
from gluon_cbam.models.complexity import complexity
from gluon_cbam.models.registry import family, option_names

PAPER, ALL = ('', 'se_', 'cbam_'), ('', 'se_', 'cbam_', 'bam_')
CONTRACT = {
    *(f'{form}resnet{depth}' for form, depth in product(ALL, (18, 34, 50, 101, 152))),
    *(f'{form}resnet{depth}_v1s' for form, depth in product(PAPER, (50, 101, 152))),
    *(f'cifar_{form}resnet{depth}' for form, depth in product(ALL, (18, 34, 50, 101))),
    *(f'{form}wide_resnet18_x{widen}' for form, widen in product(PAPER, ('1_5', '2_0'))),
    *(f'{form}resnext{depth}_32x4d' for form, depth in product(PAPER, (50, 101))),
    *(f'{form}mobilenet{alpha}' for form, alpha in product(PAPER, ('0.7', '1.0'))),
    'vgg16_atrous',
    *(f'cbamnet_{size}' for size in ('tiny', 'small', 'base')),
    *(f'modified_cbamnet{depth}' for depth in (18, 34, 49, 50, 74, 90, 100, 101, 152, 200, 269)),
}
# tests/models/detection runs them
DETECTORS = {
    'centernet',
    'faster_rcnn_c4',
    'faster_rcnn_fpn',
    'mask_rcnn_fpn',
    'ssd_300',
    'ssd_300_lite',
    'ssd_300_vgg16',
    'ssd_512',
    'ssd_512_vgg16',
    'stairnet_300',
    'stairnet_300_lite',
    'stairnet_300_vgg16',
    'yolo3',
}

# tests/models/segmentation runs them
SEGMENTERS = {'fcn', 'deeplabv3'}


def kind(name):
    """The kind of a network: its name without numbers, and the strings of its row."""
    words = (value for value in asdict(variant(name)).values() if isinstance(value, (str, bool, type(None))))
    return re.sub(r'[\d.]+', '', name), *(value for value in words if value != name)


SMALLEST = {kind(name): name for name in reversed(list_models()) if name not in DETECTORS | SEGMENTERS}
"""Kind -> the network of it with the smallest number."""


def size_of(name):
    """Small, but for networks whose row says for what size they are built."""
    row = variant(name)
    return row.image_size if 'image_size' in option_names(name) else max(32, getattr(row, 'smallest', 1))


def shallow(name):
    """The network of a row with one block per stage, and two in the first, where neither shape nor size changes."""
    row = variant(name)
    fewer = {field: (2, 1, 1, 1) for field in ('layers', 'units') if hasattr(row, field)}
    return family(row).build(replace(row, **fewer), classes=7)


def test_names():
    names = list_models()
    assert len(names) == len(set(names))
    assert set(names) == CONTRACT | DETECTORS | SEGMENTERS
    assert {name for name in names if getattr(variant(name), 'detects', False)} == DETECTORS
    assert list_models('cbam_resn*') == [
        *('cbam_resnet18', 'cbam_resnet34'),
        *(f'cbam_resnet{depth}{stem}' for depth in (50, 101, 152) for stem in ('', '_v1s')),
        *(f'cbam_resnext{depth}_32x4d' for depth in (50, 101)),
    ]
    assert list_models('cbam_resn') == list_models('cbam_resn*')  # the beginning of names, too
    assert list_models('resnet50') == ['resnet50', 'resnet50_v1s']
    assert list_models('nothing*') == list_models('nothing') == []


def test_the_smallest_of_each_kind_are_chosen():
    assert set(SMALLEST.values()) <= set(list_models())
    chosen = SMALLEST.values()
    assert {'resnet18', 'se_resnet50', 'cifar_bam_resnet18', 'cbam_wide_resnet18_x1_5', 'mobilenet0.7'} <= set(chosen)
    assert not {'resnet34', 'cbam_resnet101', 'resnext101_32x4d'} & set(chosen)


def test_unknown_name_hints():
    with pytest.raises(ValueError, match="unknown network 'cbam_resnet5': did you mean cbam_resnet50"):
        get_model('cbam_resnet5')


@pytest.mark.parametrize('name', list_models())
def test_builds_and_counts(name):
    counted = complexity(get_model(name, classes=7, in_channels=2), (1, 2, size_of(name), size_of(name)))
    assert 0 <= counted.attention_macs < counted.macs
    assert (counted.attention_parameters > 0) == bool(re.search('se_|bam', name))
    assert counted.attention_parameters < counted.parameters


@pytest.mark.parametrize('name', SMALLEST.values())
def test_network(name, tmp_path):
    mx.random.seed(1)
    net = shallow(name)
    net.initialize()
    size = size_of(name)
    x = np.random.RandomState(0).randn(2, 3, size, size).astype('float32')
    for parameter_name, parameter in net._collect_params_with_prefix().items():
        if parameter_name.endswith('spatial.bn.gamma'):
            parameter.set_data(mx.nd.ones((1,)))  # it starts at 0, where the convolution before it gets no gradient
    assert checks.without_gradient(net, x) == []
    first, *others = checks.three_ways(net, x, tmp_path)
    assert first.shape == (2, 7) or 'embedding' in option_names(name)
    assert np.isfinite(first).all()
    for output in others:
        assert np.abs(output - first).max() <= 1e-5 * np.abs(first).max()
    if size == 32:
        assert net(mx.nd.zeros((1, 3, size + 9, size + 4))).shape == (1, first.shape[1])


@pytest.mark.parametrize('name', sorted({variant(name).module: name for name in SMALLEST.values()}.values()))
def test_float16(name):
    """MXNet has no dense layers in half precision on a CPU, see why_half_precision below: the network says so."""
    net = shallow(name)
    net.initialize()
    net.cast('float16')
    x = mx.nd.zeros((2, 3, size_of(name), size_of(name)))
    for dtype in ('float16', 'float32'):
        with pytest.raises(EnvironmentProblem, match=r"cast to float16.*net.cast\('float32'\), or gluon_cbam.quantize"):
            net(x.astype(dtype))
    net.hybridize()
    with pytest.raises(EnvironmentProblem, match='use a GPU, or'):
        net(x.astype('float16'))
    net.cast(np.float32)
    assert np.isfinite(net(x).asnumpy()).all()


def test_why_half_precision_is_refused_on_a_cpu():
    """If MXNet computes it one day, the check is not needed any more."""
    dense = mx.gluon.nn.Dense(2, in_units=3)
    dense.initialize()
    dense.cast('float16')
    with pytest.raises(mx.MXNetError, match='FP16 gemm on cpu|float16 fully connected layer'):
        dense(mx.nd.ones((1, 3), dtype='float16')).asnumpy()


def test_pretrained_file(tmp_path):
    path = str(tmp_path / 'net.params')
    first = get_model('cbamnet_tiny', classes=4)
    first.initialize()
    first.save_parameters(path)
    second = get_model('cbamnet_tiny', pretrained=path, classes=4)
    x = mx.nd.random.normal(shape=(1, 3, 16, 16))
    assert np.array_equal(first(x).asnumpy(), second(x).asnumpy())
    with pytest.raises(ValueError, match='parameters do not fit ResNet: .* missing'):
        get_model('cifar_resnet18', pretrained=path, classes=4)
    with pytest.raises(ValueError, match='no parameter file'):
        get_model('cbamnet_tiny', pretrained=str(tmp_path / 'none.params'))
    with pytest.raises(ValueError, match="no weights are published for 'cifar_resnet101'"):
        get_model('cifar_resnet101', pretrained=True)


def test_batchnorm_statistics_move_in_the_backward_pass():
    """MXNet's CPU BatchNorm writes its running statistics in backward(): wait for it before comparing them."""
    net = get_model('cbamnet_tiny', classes=2)
    net.initialize()
    running = net.stages[0].bn.running_mean
    with mx.autograd.record():
        loss = net(mx.nd.ones((2, 3, 8, 8))).sum()
    loss.backward()
    mx.nd.waitall()
    assert running.data().asnumpy().any()

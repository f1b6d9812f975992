"""GluonCV's SSD, built from its own classes: its files give its outputs here."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import convert, get_model
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.convert.files import converted
from gluon_cbam.convert.gluoncv_ssd import _blocks
from gluon_cbam.models import variant

NETWORKS = {
    'resnet18_v1': ('ssd_512', {'backbone': 'resnet18'}),
    'resnet50_v1': ('ssd_512', {'backbone': 'resnet50', 'bottleneck_stride': '1x1'}),
    'mobilenet1_0': ('ssd_512', {'backbone': 'mobilenet1.0'}),
    'vgg16_atrous': ('ssd_300_vgg16', {}),
}


def gluoncv_ssd(name, data='voc', size=512):
    """Their network with every parameter random, and scores that are far apart."""
    presets = pytest.importorskip('gluoncv.model_zoo.ssd.presets')
    net = getattr(presets, f'ssd_{size}_{name}_{data}')(pretrained=False, pretrained_base=False)
    net.initialize()
    net(mx.nd.zeros((1, 3, 257 if 'vgg' in name else 128, 257 if 'vgg' in name else 128)))
    random = np.random.RandomState(0)
    for path, parameter in net._collect_params_with_prefix().items():
        shape = parameter.shape
        if path.endswith(('gamma', 'var')):
            value = random.uniform(0.7, 1.3, shape)
        elif path.endswith('weight'):
            value = random.normal(0, (1.5 / np.prod(shape[1:])) ** 0.5, shape)
        elif 'anchors' in path or 'init_scale' in path:
            continue
        elif 'norm4' in path:
            value = random.uniform(15, 25, shape)
        else:
            value = random.normal(0, 0.2, shape)
        parameter.set_data(mx.nd.array(value))
    return net


def scaled(net, x):
    """Their network with logits and offsets of moderate size, so that scores differ."""
    for predictors in (net.class_predictors, net.box_predictors):
        for block, each in zip(predictors, net.features(x)):
            factor = 2 / float(block(each).asnumpy().std())
            for parameter in block.collect_params().values():
                parameter.set_data(parameter.data() * factor)
    return net


@pytest.mark.parametrize(
    'name', [pytest.param(name, marks=[] if name == 'mobilenet1_0' else pytest.mark.slow) for name in NETWORKS]
)
def test_raw_outputs_and_detections_are_theirs(name, tmp_path):
    network, options = NETWORKS[name]
    size = variant(network).image_size
    x = mx.nd.array(np.random.RandomState(1).normal(0, 1, (1, 3, size, size)))
    theirs = scaled(gluoncv_ssd(name, size=size), x)
    path = tmp_path / 'theirs.params'
    theirs.save_parameters(str(path))
    ours = converted(path, network, 'gluoncv', options)
    maps = theirs.features(x)
    for value, wanted in zip(ours.maps(mx.nd, x), maps):
        assert np.abs(value.asnumpy() - wanted.asnumpy()).max() <= 1e-4 * np.abs(wanted.asnumpy()).max()
    ids, scores, boxes = (value.asnumpy()[0] for value in theirs(x))
    found = ours(x).asnumpy()[0]
    assert (ids >= 0).sum() > 20
    assert np.abs(found[:, 1] - scores[:, 0]).max() <= 1e-4
    same = found[:, 0] == ids[:, 0]
    assert same.mean() > 0.97  # of nearly equal scores, the order may differ
    assert np.abs(found[same, 2:] - boxes[same]).max() <= 1e-4 * size


@pytest.mark.slow
def test_logits_of_a_large_vgg_are_theirs():
    """The smallest images, for their time; the anchors are those of 512 pixels."""
    x = mx.nd.array(np.random.RandomState(1).normal(0, 1, (1, 3, 257, 257)))
    theirs = scaled(gluoncv_ssd('vgg16_atrous'), x)
    arrays = {name: value.data().asnumpy() for name, value in theirs._collect_params_with_prefix().items()}
    ours = get_model('ssd_512_vgg16')
    convert.load_arrays(ours, arrays, 'gluoncv')
    maps = theirs.features(x)
    for predictors, value in zip((theirs.class_predictors, theirs.box_predictors), ours.raw(mx.nd, x)):
        wanted = np.concatenate(
            [block(each).transpose((0, 2, 3, 1)).asnumpy().ravel() for block, each in zip(predictors, maps)]
        )
        assert np.abs(value.asnumpy().ravel() - wanted).max() <= 1e-4 * np.abs(wanted).max()


def test_anchors_of_other_data_need_an_option(tmp_path):
    theirs = gluoncv_ssd('resnet18_v1', 'coco')
    path = tmp_path / 'coco.params'
    theirs.save_parameters(str(path))
    options = {'backbone': 'resnet18'}
    converted(path, 'ssd_512', 'gluoncv', options, classes=80)  # the same sizes as for Pascal VOC
    arrays = {name: value.data().asnumpy() for name, value in theirs._collect_params_with_prefix().items()}
    name = 'anchor_generators.1.anchors'
    arrays[name] = arrays[name] * 1.1
    net = get_model('ssd_512', classes=80, **options)
    with pytest.raises(DataError, match=r"the anchors of map 1 differ .* try --option 'anchor_sizes=\[51.2, 112.64, "):
        convert.load_arrays(net, arrays, 'gluoncv')
    del arrays[name]
    with pytest.raises(DataError, match='the anchors of map 1 differ'):
        convert.load_arrays(net, arrays, 'gluoncv')


def test_sizes_of_the_file_can_be_taken():
    sizes = [51.2, 133.12, 215.04, 296.96, 378.88, 460.8, 542.72]
    theirs = gluoncv_ssd('resnet50_v1', 'coco')
    arrays = {name: value.data().asnumpy() for name, value in theirs._collect_params_with_prefix().items()}
    options = {'classes': 80, 'bottleneck_stride': '1x1'}
    with pytest.raises(DataError, match='anchor_sizes=') as caught:
        convert.load_arrays(get_model('ssd_512', **options), arrays, 'gluoncv')
    assert str(sizes) in str(caught.value)
    net = get_model('ssd_512', anchor_sizes=sizes, **options)
    convert.load_arrays(net, arrays, 'gluoncv')
    expected = np.concatenate(
        [block.anchors.data().asnumpy()[0, 0, :side, :side].reshape(-1, 4)
         for block, side in zip(theirs.anchor_generators, (32, 16, 8, 4, 2, 1))]
    )  # fmt: skip
    assert np.abs(net.anchor_array(512, 512) - expected).max() <= 1e-4


def test_what_does_not_fit_is_listed(tmp_path):
    theirs = gluoncv_ssd('resnet18_v1')
    arrays = {name: value.data().asnumpy() for name, value in theirs._collect_params_with_prefix().items()}
    net = get_model('ssd_512', backbone='resnet18')
    missing = {name: value for name, value in arrays.items() if 'stage3_conv1_weight' not in name}
    for changed, message in (
        (missing, 'missing'),
        ({**arrays, 'features.extra_weight': np.ones(3)}, '1 unexpected: features.extra_weight'),
    ):
        with pytest.raises(DataError, match=message):
            convert.load_arrays(net, changed, 'gluoncv')
    with pytest.raises(DataError, match='parameters are SSD.s, and ResNet is none: give --network ssd_512'):
        convert.load_arrays(get_model('resnet18', classes=3), arrays, 'gluoncv')
    with pytest.raises(DataError, match='of the wrong shape|missing'):
        convert.load_arrays(get_model('ssd_512', backbone='resnet34'), arrays, 'gluoncv')
    with pytest.raises(UsageError, match='gluoncv has no names for'):
        net.initialize()
        convert.to_arrays(net, 'gluoncv')


def test_blocks_of_a_stage():
    assert _blocks([3, 3, 3, 3]) == [(f'{block}.conv{n}', f'{block}.bn{n}') for block in (0, 1) for n in (1, 2)]
    projected = _blocks([1, 3, 1, 1, 1, 3, 1])
    assert projected[3] == ('0.downsample.0', '0.downsample.1')
    assert [conv for conv, _ in projected[4:]] == ['1.conv1', '1.conv2', '1.conv3']

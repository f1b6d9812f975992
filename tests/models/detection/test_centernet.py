"""CenterNet: its detections against loops in numpy, both modes, exports, backbones, attention."""

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.models import build
from gluon_cbam.models.complexity import complexity
from gluon_cbam.models.detection.centernet import Upsampling
from gluon_cbam.models.detection.peaks import Peaks

TINY = {'classes': 3, 'backbone': 'cbam_resnet18', 'widen': 0.25, 'up_channels': [32, 24, 16], 'head_channels': 16}


def tiny(**options):
    return checks.fill(build('centernet', **{**TINY, **options}))


def images(size=64, count=2, seed=0):
    return mx.nd.array(np.random.RandomState(seed).normal(0, 1, (count, 3, size, size)))


def raw(net, x):
    with mx.autograd.train_mode():
        return [output.asnumpy() for output in net(x)]


def expected(heatmap, sizes, offsets, peaks, stride):
    """The detections of an image: rows of class, score, corners."""
    classes, height, width = heatmap.shape
    found = []
    for label, row, column in np.ndindex(classes, height, width):
        around = heatmap[label, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        score = 1 / (1 + np.exp(-float(heatmap[label, row, column])))
        if heatmap[label, row, column] < around.max() or score <= peaks.score:
            continue
        center = np.array([column, row]) + offsets[:, row, column]
        half = np.maximum(sizes[:, row, column], 0) / 2
        found.append([label, score, *(stride * (center - half)), *(stride * (center + half))])
    found.sort(key=lambda row: -row[1])
    return np.array(found[: peaks.keep]).reshape(-1, 6)


@pytest.mark.parametrize(('shape', 'keep', 'score'), [((3, 7, 9), 100, 0.01), ((2, 12, 10), 5, 0.5), ((1, 1, 2), 9, 0)])
def test_detections_are_those_of_loops(shape, keep, score):
    random, peaks = np.random.RandomState(0), Peaks(keep, score)
    heatmap = random.normal(-2, 3, (2, *shape)).astype('float32')
    sizes, offsets = (random.normal(2, 2, (2, 2, *shape[1:])).astype('float32') for _ in range(2))
    found = peaks(mx.nd, *map(mx.nd.array, (heatmap, sizes, offsets)), 4).asnumpy()
    assert found.shape == (2, keep, 6)
    for image in range(2):
        wanted = expected(heatmap[image], sizes[image], offsets[image], peaks, 4)
        assert len(wanted) > 0
        assert np.abs(found[image, : len(wanted)] - wanted).max() <= 1e-4
        assert (found[image, len(wanted) :] == -1).all()


def test_more_places_than_float32_can_number():
    """An odd place beyond 2 ** 24: the last cell of the last class."""
    heatmap = mx.nd.full((1, 5, 2048, 2048), -20)
    heatmap[0, 4, 2047, 2046] = 3
    maps = mx.nd.ones((1, 2, 2048, 2048))
    (found,) = Peaks(1)(mx.nd, heatmap, maps, maps, 4).asnumpy()[0]
    assert found[[0, 2, 3]].tolist() == [4, 4 * 2046.5, 4 * 2047.5]


@pytest.mark.parametrize('first', ['training', 'inference'])
def test_modes_in_any_order(first):
    net, x = tiny(), images()
    net.hybridize(static_alloc=True, static_shape=True)
    if first == 'training':
        raw(net, x)
    detections = net(x).asnumpy()
    assert [output.shape for output in raw(net, x)] == [(2, 3, 16, 16), (2, 2, 16, 16), (2, 2, 16, 16)]
    assert detections.shape == (2, 100, 6)
    assert np.array_equal(net.detections(mx.nd, x).asnumpy()[..., 0], net(x).asnumpy()[..., 0])


@pytest.mark.parametrize('size', [64, 80])
def test_exports_at_any_size(size, tmp_path):
    net = tiny()
    ours, hybridized, exported = checks.three_ways(net, images(size).asnumpy(), tmp_path)
    assert np.abs(ours - hybridized).max() <= 1e-3
    assert np.abs(exported - hybridized).max() <= 1e-4
    other, path = images(96, count=1), str(tmp_path / 'net')
    imported = mx.gluon.SymbolBlock.imports(f'{path}-symbol.json', ['data'], f'{path}-0000.params')
    assert np.abs(imported(other).asnumpy() - net(other).asnumpy()).max() <= 1e-4


def test_every_parameter_learns():
    net, x = tiny(attention='cbam', attention_in='both', backbone='resnet18', reduction=4), images()
    random = np.random.RandomState(1)
    with mx.autograd.record():
        loss = sum((output * mx.nd.array(random.normal(size=output.shape))).sum() for output in net(x))
    loss.backward()
    for name, parameter in net._collect_params_with_prefix().items():
        if parameter.grad_req != 'null':
            assert np.isfinite(parameter.grad().asnumpy()).all()
            assert parameter.grad().asnumpy().any(), name


@pytest.mark.parametrize(
    ('backbone', 'options', 'widths'),
    [
        ('resnet18', {}, [256, 128, 64]),
        ('mobilenet1.0', {}, [256, 128, 64]),
        ('cifar_resnet18', {}, [64]),
        ('resnet18', {'dilated': True}, [64]),
        ('cbamnet_base', {}, []),
    ],
)
def test_backbones(backbone, options, widths):
    net = build('centernet', classes=2, backbone=backbone, **options)
    assert [block.deconv._channels for block in net.upsampling] == widths
    assert net.map_size(128, 64) == (32, 16)


def test_attention_is_before_the_classifier_of_the_heat_map():
    plain = build('centernet', backbone='resnet18')
    attended = build('centernet', backbone='resnet18', attention='cbam', attention_in='heads')
    added = set(attended._collect_params_with_prefix()) - set(plain._collect_params_with_prefix())
    assert {name.rpartition('attention')[0] for name in added} == {'heatmap.'}
    counts = [complexity(net, (1, 3, 64, 64)) for net in (plain, attended)]
    assert counts[1].attention_parameters == counts[1].parameters - counts[0].parameters > 0


def test_a_transposed_convolution_interpolates_at_first():
    block = Upsampling(1, 1)
    block.initialize()
    rows, columns = (np.arange(6) / 5)[:, None], (np.arange(6) / 5)[None]
    found = block.deconv(mx.nd.array((rows + 2 * columns)[None, None])).asnumpy()[0, 0, 1:-1, 1:-1]
    places = (np.arange(1, 11) - 0.5) / 2 / 5  # a ramp stays one
    assert np.abs(found - (places[:, None] + 2 * places[None])).max() < 0.2


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'backbone': 'cbamnet_tiny'}, r'the last stage must have a stride of 4, 8, 16 or 32, got \(1, 2\)'),
        ({'backbone': 'centernet'}, 'centernet cannot be a backbone'),
        ({'up_channels': [64, 64]}, r'up_channels must be 3 positive integers, got \[64, 64\]'),
        ({'up_channels': [64, 64, 0]}, 'up_channels must be a positive integer, got 0'),
        ({'head_channels': 0}, 'head_channels must be a positive integer, got 0'),
        ({'keep': 0}, 'keep must be a positive integer, got 0'),
        ({'score_threshold': 1}, r'score_threshold must be in \[0, 1\), got 1'),
        ({'score_threshold': 'nan'}, r"score_threshold must be in \[0, 1\), got 'nan'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        build('centernet', **options)

"""YOLOv3: its detections against loops in numpy, both modes, exports, backbones, anchors, attention."""

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.models import build
from gluon_cbam.models.complexity import complexity

TINY = {'classes': 3, 'backbone': 'cbam_resnet18', 'widen': 0.25, 'head_channels': [32, 16, 8]}


def tiny(**options):
    return checks.fill(build('yolo3', **{**TINY, **options}))


def images(size=64, count=2, seed=0):
    return mx.nd.array(np.random.RandomState(seed).normal(0, 1, (count, 3, size, size)))


def raw(net, x):
    with mx.autograd.train_mode():
        return [output.asnumpy() for output in net(x)]


def sigmoid(values):
    return 1 / (1 + np.exp(-values.astype(np.float64)))


def overlap(first, second):
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    both = np.prod(np.maximum(sides, 0))
    return both / (np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]) - both)


def expected(maps, net):
    """The detections of an image by loops over cells and anchors: rows of class, score, corners."""
    found = []
    for values, stride, sizes in zip(maps, (32, 16, 8), net.anchor_sizes):
        outputs = values.reshape(3, 8, *values.shape[1:])
        for anchor, row, column in np.ndindex(3, *values.shape[1:]):
            tx, ty, tw, th, has, *classes = outputs[anchor, :, row, column].astype(np.float64)
            center = stride * (np.array([column, row]) + sigmoid(np.array([tx, ty])))
            half = np.array(sizes[anchor]) * np.exp([tw, th]) / 2
            box = np.concatenate([center - half, center + half])
            scores = sigmoid(np.array(has)) * sigmoid(np.array(classes))
            found += [(label, score, box) for label, score in enumerate(scores) if score > 0.01]
    found.sort(key=lambda each: -each[1])
    kept = []
    for label, score, box in found[:400]:
        if all(label != other[0] or overlap(box, other[2]) <= 0.45 for other in kept):
            kept.append((label, score, box))
    return np.array([[label, score, *box] for label, score, box in kept[:100]])


@pytest.mark.parametrize('size', [64, 70])
def test_detections_are_those_of_loops(size):
    net, x = tiny(), images(size)
    found = net(x).asnumpy()
    maps = [each.asnumpy() for each in net.maps(mx.nd, x)]
    assert [each.shape[1:] for each in maps] == [(24, *each) for each in net.map_sizes(size, size)]
    for image in range(2):
        wanted = expected([each[image] for each in maps], net)
        assert len(wanted) > 20
        assert np.abs(found[image, : len(wanted)] - wanted).max() <= 1e-3
        assert (found[image, len(wanted) :] == -1).all()


def test_candidates_are_what_detections_are_chosen_from():
    net, x = tiny(score_threshold=0, nms_threshold=1.0, nms_top=252 * 3, keep=252 * 3), images(count=1)
    boxes, scores = (each.asnumpy()[0] for each in net.candidates(mx.nd, x, *net.constants(x)))
    assert (boxes.shape, scores.shape) == ((252, 4), (252, 3))
    found = net(x).asnumpy()[0]
    anchors, labels = np.unravel_index(np.argsort(-scores, axis=None, kind='stable'), scores.shape)
    assert np.abs(found[:, 1] - scores[anchors, labels]).max() <= 1e-6
    same = found[:, 0] == labels  # of equal scores, the order may differ
    assert same.mean() > 0.98
    assert np.abs(found[same, 2:] - boxes[anchors][same]).max() <= 1e-3


@pytest.mark.parametrize('first', ['training', 'inference'])
def test_modes_in_any_order(first):
    net, x = tiny(), images()
    net.hybridize(static_alloc=True, static_shape=True)
    if first == 'training':
        raw(net, x)
    detections = net(x).asnumpy()
    assert [output.shape for output in raw(net, x)] == [(2, 252, 4), (2, 252, 4)]
    assert detections.shape == (2, 100, 6)


@pytest.mark.parametrize('size', [64, 80])
def test_exports_at_any_size(size, tmp_path):
    net = tiny()
    _, hybridized, exported = checks.three_ways(net, images(size).asnumpy(), tmp_path)
    assert np.abs(exported - hybridized).max() <= 1e-3
    other, path = images(96, count=1), str(tmp_path / 'net')
    imported = mx.gluon.SymbolBlock.imports(f'{path}-symbol.json', ['data'], f'{path}-0000.params')
    assert np.abs(imported(other).asnumpy() - net(other).asnumpy()).max() <= 1e-3


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


def test_objects_are_rare_at_first():
    net = build('yolo3', **TINY)
    net.initialize()
    logits, _ = raw(net, images())
    assert np.median(sigmoid(logits[..., 0])) < 0.05
    assert np.median(sigmoid(logits[..., 1:])) > 0.3


def test_anchors_are_in_pixels_and_can_be_given():
    sizes = [[4 * number + 4, 3 * number + 5] for number in range(9)]  # width and height
    net = build('yolo3', **TINY, anchor_sizes=sum(sizes, []))
    for size in (64, 96):
        cells = net.cells(size, size).asnumpy()
        assert cells[:3].tolist() == [[0, 0, 32, *map(float, each)] for each in sizes[6:]]
        last = size - 8
        assert cells[-3:].tolist() == [[last, last, 8, *map(float, each)] for each in sizes[:3]]


def test_attention_is_before_the_convolution_of_each_head():
    plain, attended = (
        build('yolo3', backbone='resnet18', attention=attention, attention_in='heads') for attention in (None, 'cbam')
    )
    added = set(attended._collect_params_with_prefix()) - set(plain._collect_params_with_prefix())
    assert {name.rpartition('attention')[0] for name in added} == {'heads.0.', 'heads.1.', 'heads.2.'}
    counts = [complexity(net, (1, 3, 64, 64)) for net in (plain, attended)]
    assert counts[1].attention_parameters == counts[1].parameters - counts[0].parameters > 0


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'backbone': 'cifar_resnet18'}, r'stages of strides 8, 16 and 32 are needed, got \(1, 2, 4, 8\)'),
        ({'anchor_sizes': [10, 20]}, r'anchor_sizes must be 18 positive numbers, width and .* got \[10, 20\]'),
        ({'anchor_sizes': [10, -20] * 9}, 'anchor_sizes must be 18 positive numbers'),
        ({'anchor_sizes': 'large'}, "anchor_sizes must be 18 positive numbers, .* got 'large'"),
        ({'head_channels': [64, 64]}, r'head_channels must be 3 positive integers, got \[64, 64\]'),
        ({'keep': 500}, 'keep must be at most nms_top'),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        build('yolo3', **options)


def test_too_many_scores():
    net = build('yolo3', classes=2000, backbone='resnet18')
    with pytest.raises(ValueError, match='10647 anchors of 416 x 416 pixels and 2000 classes are too many'):
        net.cells(416, 416)

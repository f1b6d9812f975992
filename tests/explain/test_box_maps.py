"""Maps of single detections, against a backward pass through the blocks of the network."""

from functools import partial

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.explain import attention_maps, box_maps
from gluon_cbam.models import build
from gluon_cbam.models.detection.faster_rcnn_c4 import FasterRCNNC4
from gluon_cbam.models.features import Features


@pytest.fixture(scope='module')
def net():
    return checks.fill(build('ssd_300', classes=3, backbone='cbam_resnet18', widen=0.25))


@pytest.fixture(scope='module')
def image():
    return mx.nd.array(np.random.RandomState(0).normal(0, 1, (1, 3, 64, 64)))


def by_hand(net, image, label, corners):
    """The map of a detection on the map that the first head reads, by autograd; None if another head has found it."""
    first = net.maps(mx.nd, image)[0]
    first.attach_grad()
    anchors = net.anchors(64, 64)
    with mx.autograd.record(train_mode=False):
        logits, offsets = (part.reshape((-1, size)) for part, size in zip(net.heads[0](first), (4, 4)))
        scores = mx.nd.softmax(logits)[:, 1 + label]
    center = (
        offsets.asnumpy()[:, :2] * 0.1 * anchors.asnumpy()[: len(offsets), 2:] + anchors.asnumpy()[: len(offsets), :2]
    )
    distance = np.abs(center - (corners[:2] + corners[2:]) / 2).max(axis=1)
    chosen = int(distance.argmin())
    if distance[chosen] > 0.01:
        return None, None
    scores.backward(mx.nd.one_hot(mx.nd.array([chosen]), len(scores))[0])
    heat = np.maximum((first.asnumpy() * first.grad.asnumpy()).sum(axis=1)[0], 0)
    return heat / (heat.max() or 1), float(scores.asnumpy()[chosen])


TINY = {'classes': 3, 'backbone': 'cbam_resnet18', 'widen': 0.25}
OTHERS = {
    'yolo3': {'head_channels': [32, 16, 8]},
    'centernet': {'up_channels': [32, 24, 16], 'head_channels': 16},
    'faster_rcnn_fpn': {'proposals': 30, 'region_channels': 16, 'pyramid_channels': 16, 'head_channels': 24},
    'faster_rcnn_c4': {'proposals': 30, 'region_channels': 16},
}
OTHERS['mask_rcnn_fpn'] = {**OTHERS['faster_rcnn_fpn'], 'mask_channels': 8}
# of each, the layers that are explained by default, and their places among the maps of the backbone
LAYERS = {
    'yolo3': {'backbone.layer4': 0, 'backbone.layer3': 1, 'backbone.layer2': 2},
    'centernet': {'backbone.layer4': 0},
    'faster_rcnn_fpn': {'backbone.layer4': 3},
    'faster_rcnn_c4': {'backbone.layer3': 0},
    'mask_rcnn_fpn': {'backbone.layer4': 3},
}


def log_scores_of_roi(net, image, found):
    """As :func:`log_scores`, of the RoI that has the score of the detection, wherever other images have theirs."""
    rois, scores, _ = net.scored_rois(mx.nd, image)
    away = np.abs(scores[0, :, found.label].asnumpy() - found.score)
    assert away.min() < 1e-6
    roi = rois[:, int(away.argmin())].asnumpy()

    def score(images):
        numbered = np.concatenate([np.arange(len(images))[:, None], roi.repeat(len(images), axis=0)], axis=1)
        logits, _ = net.predictor(net.vectors(mx.nd, net.maps(mx.nd, images), mx.nd.array(numbered)))
        logits = logits.asnumpy().astype('float64')
        return logits[:, 1 + found.label] - np.log(np.exp(logits).sum(axis=1))

    return score


def log_scores(net, found, images):
    """The logarithm of the score of the anchor or peak of a detection, for each image; the last is as it was."""
    logits = net.raw(mx.nd, images)[0].asnumpy().astype('float64')
    if hasattr(net, 'peaks'):
        scores = -np.log1p(np.exp(-logits[:, found.label].reshape(len(logits), -1)))
    else:
        scores = -np.log1p(np.exp(-logits[..., 0])) - np.log1p(np.exp(-logits[..., 1 + found.label]))
    away = np.abs(np.exp(scores[-1]) - found.score)
    assert away.min() < 1e-6
    return scores[:, away.argmin()]


def maps_of(net, image):
    """The maps of the backbone: of C4, the third stage alone, as the fourth is computed from RoIs."""
    return net.maps(mx.nd, image) if isinstance(net, FasterRCNNC4) else net.backbone(image)


def by_differences(net, image, found, number, monkeypatch):
    """The map of a detection on a map of the backbone, by scaling all channels of a cell up and down a little."""
    log_score = log_scores_of_roi(net, image, found) if hasattr(net, 'scored_rois') else partial(log_scores, net, found)
    maps, step = maps_of(net, image), 4e-3 if hasattr(net, 'peaks') else 1e-3  # below, rounding; above, kinks of ReLU
    rows, columns = maps[number].shape[2:]
    cells = np.eye(rows * columns).reshape(-1, 1, rows, columns)
    factors = np.concatenate([1 + step * cells, 1 - step * cells, np.ones((1, 1, rows, columns))])
    many = [each.repeat(len(factors), axis=0) for each in maps]
    many[number] = many[number] * mx.nd.array(factors)
    with monkeypatch.context() as patched:
        patched.setattr(Features, '__call__', lambda self, x: many, raising=False)
        if isinstance(net, FasterRCNNC4):
            patched.setattr(FasterRCNNC4, 'maps', lambda self, F, x: many)
        scores = log_score(image.repeat(len(factors), axis=0))
    up, down, _ = np.split(scores, [rows * columns, 2 * rows * columns])
    heat = np.maximum((up - down).reshape(rows, columns), 0)
    return heat / (heat.max() or 1)


@pytest.mark.parametrize('name', OTHERS)
def test_maps_equal_finite_differences_of_the_score(name, image, monkeypatch):
    net = checks.fill(build(name, **TINY, **OTHERS[name]))
    found = [each for label in range(3) for each in box_maps(net, image, most=3, label=label)]
    one_of_each = {(each.layer, each.label): each for each in found if each.heat.any()}
    layers = LAYERS[name]
    assert {layer for layer, _ in one_of_each} <= set(layers)
    assert len(one_of_each) >= 2
    for (layer, _), each in one_of_each.items():
        heat = by_differences(net, image, each, layers[layer], monkeypatch)
        np.testing.assert_allclose(each.heat, heat, rtol=0, atol=0.05)


def test_maps_equal_a_backward_pass_by_hand(net, image):
    found = box_maps(net, image, most=20)
    assert len(found) > 5
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)
    checked = 0
    for each in found:
        heat, score = by_hand(net, image, each.label, each.corners)
        if heat is not None and abs(score - each.score) < 1e-5:
            np.testing.assert_allclose(each.heat, heat, rtol=0, atol=1e-4)
            checked += heat.any()
    assert checked >= 3


def test_detections_are_those_of_the_network(net, image):
    rows = net(image)[0].asnumpy()
    found = box_maps(net, image, most=4)
    np.testing.assert_allclose([[each.label, each.score, *each.corners] for each in found], rows[:4], rtol=1e-6)
    assert {each.layer for each in found} == {found[0].layer}
    assert found[0].grid is not None


def test_a_class_and_a_layer_can_be_chosen(net, image):
    rows = net(image)[0].asnumpy()
    label = int(rows[rows[:, 0] >= 0][-1, 0])
    found = box_maps(net, image, most=2, label=label, layer='backbone.layer1')
    assert {each.label for each in found} == {label}
    assert {each.layer for each in found} == {'backbone.layer1'}


def test_features_of_rois_are_no_maps_of_the_image(image):
    net = checks.fill(build('faster_rcnn_c4', **TINY, **OTHERS['faster_rcnn_c4']))
    with pytest.raises(UsageError, match='output of backbone.layer4 is not a map'):
        box_maps(net, image, layer='backbone.layer4')
    net = checks.fill(build('faster_rcnn_c4', **TINY, **{**OTHERS['faster_rcnn_c4'], 'proposals': 1}))
    with pytest.raises(UsageError, match='proposals=1'):
        box_maps(net, image)


@pytest.mark.parametrize('name', ['faster_rcnn_fpn', 'faster_rcnn_c4', 'mask_rcnn_fpn'])
def test_gates_of_rois_are_no_gates_of_the_image(image, name):
    options = {**TINY, **OTHERS[name], 'backbone': 'resnet18', 'attention': 'cbam', 'attention_in': 'both'}
    found = attention_maps(checks.fill(build(name, **options)), image)
    assert 'backbone.layer3.0.attention' in [each.path for each in found]
    assert all(len(each.channel) == len(each.spatial) == 1 for each in found)


def test_what_cannot_be_explained_is_refused(net, image):
    with pytest.raises(UsageError, match='one image are explained at a time, got 2'):
        box_maps(net, mx.nd.concat(image, image, dim=0))
    with pytest.raises(UsageError, match='unknown layer'):
        box_maps(net, image, layer='layer9')
    with pytest.raises(UsageError, match='finds no boxes'):
        box_maps(build('cbamnet_tiny'), image)

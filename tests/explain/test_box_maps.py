"""Maps of single detections, against a backward pass through the blocks of the network."""

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.explain import box_maps
from gluon_cbam.models import build


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


def test_what_cannot_be_explained_is_refused(net, image):
    with pytest.raises(UsageError, match='one image are explained at a time, got 2'):
        box_maps(net, mx.nd.concat(image, image, dim=0))
    with pytest.raises(UsageError, match='unknown layer'):
        box_maps(net, image, layer='layer9')
    with pytest.raises(UsageError, match='finds no boxes'):
        box_maps(build('cbamnet_tiny'), image)

"""Faster R-CNN: both modes in any order, exports, backbones, attention."""

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import get_model
from gluon_cbam.common.errors import EnvironmentProblem
from gluon_cbam.models import build
from gluon_cbam.models.detection import faster_rcnn, roi_pooling
from gluon_cbam.models.registry import backbone_of

FORMS = {
    'faster_rcnn_fpn': {'pyramid_channels': 16, 'head_channels': 24},
    'faster_rcnn_c4': {},
}
SMALL = {
    'classes': 3, 'backbone': 'cbam_resnet18', 'widen': 0.25, 'region_channels': 16, 'proposals': 30, 'samples': 16,
    'training_proposals': 50,
}  # fmt: skip
OBJECTS = [[[1, 10, 10, 70, 60], [-1] * 5], [[0, 40, 40, 90, 90], [2, 5, 20, 30, 80]], [[-1] * 5] * 2]


def tiny(name, **options):
    net = build(name, **{**SMALL, **FORMS[name], **options})
    checks.fill(net)
    return net


def images(count=3, height=96, width=96, seed=0):
    return mx.nd.array(np.random.RandomState(seed).normal(0, 1, (count, 3, height, width)))


def training_inputs(count=3, seed=0):
    random = np.random.RandomState(seed)
    order = np.stack([random.permutation(SMALL['training_proposals'] + 2) for _ in range(count)])
    return mx.nd.array(OBJECTS[:count]), mx.nd.array(order)


def raw(net, x):
    with mx.autograd.train_mode():
        return [output.asnumpy() for output in net(x, *training_inputs(len(x)))]


@pytest.mark.parametrize('name', FORMS)
@pytest.mark.parametrize('first', ['training', 'inference'])
def test_modes_in_any_order(name, first):
    net, x = tiny(name), images()
    plain = net(x).asnumpy()
    net.hybridize(static_alloc=True, static_shape=True)
    if first == 'training':
        raw(net, x)
    detections = net(x).asnumpy()
    logits, offsets, classes, boxes, labels, targets = raw(net, x)
    anchors = len(net.anchors(96, 96))
    assert anchors == {'faster_rcnn_fpn': 3 * (24**2 + 12**2 + 6**2 + 3**2 + 2**2), 'faster_rcnn_c4': 15 * 6**2}[name]
    assert (logits.shape, offsets.shape) == ((3, anchors), (3, anchors, 4))
    assert (classes.shape, boxes.shape, labels.shape, targets.shape) == ((3, 16, 4), (3, 16, 4), (3, 16), (3, 16, 4))
    assert (labels[:2] > 0).any(axis=1).all()
    assert not (labels[2] > 0).any()
    assert detections.shape == (3, 100, 6)
    assert (detections[:, 0, 0] >= 0).all()
    assert set(np.unique(detections[..., 0])) <= {-1, 0, 1, 2}
    assert np.abs(plain - detections).max() <= 1e-3
    assert np.array_equal(net(x).asnumpy(), net(x).asnumpy())
    assert all(np.array_equal(*pair) for pair in zip(raw(net, x), raw(net, x)))


@pytest.mark.parametrize('name', FORMS)
def test_detections_of_an_image_do_not_depend_on_its_batch(name):
    net, x = tiny(name), images()
    together = net(x).asnumpy()
    for number in range(3):
        assert np.abs(net(x[number : number + 1]).asnumpy()[0] - together[number]).max() <= 1e-3


@pytest.mark.parametrize('name', FORMS)
def test_exports_at_any_size(name, tmp_path):
    net, x = tiny(name), images(2)
    *_, exported = checks.three_ways(net, x.asnumpy(), tmp_path)
    assert np.abs(exported - net(x).asnumpy()).max() <= 1e-3
    imported = mx.gluon.SymbolBlock.imports(
        str(tmp_path / 'net-symbol.json'), ['data'], str(tmp_path / 'net-0000.params')
    )
    other = images(1, 70, 130)
    assert np.abs(imported(other).asnumpy() - net(other).asnumpy()).max() <= 1e-3


@pytest.mark.parametrize('name', FORMS)
def test_every_parameter_learns(name):
    net = tiny(name, backbone='resnet18', attention='cbam', attention_in='both', reduction=4)
    random = np.random.RandomState(1)
    with mx.autograd.record():
        outputs = net(images(), *training_inputs())
        loss = sum((output * mx.nd.array(random.normal(size=output.shape))).sum() for output in outputs[:4])
    loss.backward()
    kept = {
        path: parameter.grad().asnumpy()
        for path, parameter in net._collect_params_with_prefix().items() if parameter.grad_req != 'null'
    }  # fmt: skip
    assert all(np.isfinite(gradient).all() for gradient in kept.values())
    still = [path for path, gradient in kept.items() if not gradient.any()]
    assert still == []


def test_no_more_rois_than_proposals():
    net = tiny('faster_rcnn_c4', samples=512)
    assert net.samples == 50
    *_, boxes, labels, _ = raw(net, images(1))
    assert boxes.shape == (1, 50, 4) and labels.shape == (1, 50)


def test_padding_gives_no_detections():
    net = tiny('faster_rcnn_fpn', proposals=3000)  # more than there are
    found = net(images(1)).asnumpy()[0]
    found = found[found[:, 0] >= 0]
    assert len(found) > 3
    assert found[:, 2:].any(axis=1).all()


def test_attention_is_where_it_is_asked_for():
    for place, wanted in (('backbone', {'backbone'}), ('heads', {'head', 'regions'}),
                          ('both', {'backbone', 'head', 'regions'})):  # fmt: skip
        net = build('faster_rcnn_fpn', classes=3, backbone='resnet18', attention='se', attention_in=place)
        assert {name.split('.')[0] for name in net._collect_params_with_prefix() if '.attention.' in name} == wanted


def test_statistics_of_the_backbone_stay():
    for option, changes in ((True, False), (False, True)):
        net = tiny('faster_rcnn_fpn', use_global_stats=option)
        before = net.backbone.network.bn1.running_mean.data().asnumpy()
        with mx.autograd.record():
            loss = sum(output.sum() for output in net(images(), *training_inputs())[:4])
        loss.backward()  # which updates the statistics
        assert np.array_equal(before, net.backbone.network.bn1.running_mean.data().asnumpy()) != changes


@pytest.mark.parametrize(
    ('backbone', 'options'), [('mobilenet1.0', {}), ('resnet18', {'dilated': True}), ('bam_resnet18', {})]
)
def test_backbones(backbone, options):
    known = {**SMALL, **FORMS['faster_rcnn_fpn'], **options, 'backbone': backbone}
    if backbone == 'mobilenet1.0':
        del known['widen']
    net = build('faster_rcnn_fpn', **known)
    net.initialize()
    assert net(images(1)).shape == (1, 100, 6)
    assert len(net.anchors(96, 96)) == 3 * (24**2 + 12**2 + 6**2 + 3**2 + 2**2)
    assert backbone_of('faster_rcnn_fpn', known)[0] == backbone


def test_backbone_weights_fit_under_their_names():
    own = get_model('resnet18', classes=10)._collect_params_with_prefix()
    for name in FORMS:
        kept = build(name, backbone='resnet18')._collect_params_with_prefix()
        missing = [path for path in own if f'backbone.{path}' not in kept]
        assert missing == ['fc.weight', 'fc.bias']


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('faster_rcnn_c4', {'backbone': 'mobilenet1.0'}, 'needs a ResNet whose third stage has a stride of 16'),
        ('faster_rcnn_fpn', {'stem': 'cifar'}, 'has no option|nor the attention has an option'),
        ('faster_rcnn_fpn', {'anchor_sizes': 32}, 'anchor_sizes must be .*, got 32'),
        ('faster_rcnn_fpn', {'anchor_sizes': [32, 64]}, r'anchor_sizes must be .* each of 5 maps, got \[32, 64\]'),
        ('faster_rcnn_fpn', {'samples': 0}, 'samples must be'),
        ('faster_rcnn_fpn', {'proposals': -1}, 'proposals must be'),
        ('faster_rcnn_fpn', {'keep': 2000}, 'keep must be at most nms_top 1000, got 2000'),
        ('faster_rcnn_fpn', {'attention_in': 'neck'}, "unknown attention_in 'neck'"),
    ],
)
def test_refusals(name, options, message):
    with pytest.raises(Exception, match=message):
        build(name, **options)


def test_half_precision_is_refused_on_a_cpu():
    net = tiny('faster_rcnn_fpn')
    net.cast('float16')
    with pytest.raises(EnvironmentProblem, match='was cast to float16'):
        net(images(1).astype('float16'))


def test_batches_that_are_too_large_are_refused(monkeypatch):
    net = tiny('faster_rcnn_fpn')
    monkeypatch.setattr(faster_rcnn, 'MOST', 60)
    with pytest.raises(ValueError, match='less than 60 RoIs, got 2 images with 30 each'):
        net(images(2))
    assert roi_pooling.MOST > 10**5

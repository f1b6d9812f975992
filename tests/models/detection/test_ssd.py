"""SSD: both modes in any order, exports, backbones, attention, counts."""

import warnings

import checks
import mxnet as mx
import numpy as np
import pytest

import gluon_cbam
from gluon_cbam import get_model, quantize
from gluon_cbam.attention import ATTENTIONS
from gluon_cbam.attention.base import Attention
from gluon_cbam.common.errors import UsageError
from gluon_cbam.models import build
from gluon_cbam.models.complexity import complexity

TINY = {'classes': 3, 'backbone': 'cbam_resnet18', 'widen': 0.25}


def tiny(name='ssd_300', **options):
    net = build(name, **{**TINY, **options})
    checks.fill(net)
    return net


def images(size=64, count=2, seed=0):
    return mx.nd.array(np.random.RandomState(seed).normal(0, 1, (count, 3, size, size)))


def raw(net, x):
    with mx.autograd.train_mode():
        return [output.asnumpy() for output in net(x)]


@pytest.mark.parametrize('first', ['training', 'inference'])
@pytest.mark.parametrize('hybridized', [False, True])
def test_modes_in_any_order(first, hybridized):
    net, x = tiny(), images()
    for parameter in net.collect_params('.*running_(mean|var)').values():
        parameter.grad_req = 'null'
    if hybridized:
        net.hybridize(static_alloc=True, static_shape=True)
    if first == 'training':
        raw(net, x)
    detections = net(x).asnumpy()
    logits, offsets = raw(net, x)
    assert (logits.shape, offsets.shape) == ((2, 390, 4), (2, 390, 4))
    assert detections.shape == (2, 100, 6)
    assert set(np.unique(detections[..., 0])) <= {-1, 0, 1, 2}
    once, again = net(x).asnumpy(), net(x).asnumpy()
    assert np.array_equal(once, again)


def test_detections_are_those_of_the_raw_outputs():
    net, x = tiny(), images()
    expected = net.suppression(mx.nd, *net.raw(mx.nd, x), net.anchors(64, 64), 3)
    assert np.array_equal(expected.asnumpy(), net(x).asnumpy())


@pytest.mark.parametrize('name', ['ssd_300', 'ssd_512', 'ssd_300_lite'])
@pytest.mark.parametrize('size', [64, 96, 130])
def test_exports_at_any_size(name, size, tmp_path):
    net, x = tiny(name), images(size)
    with warnings.catch_warnings():
        warnings.filterwarnings('error', category=UserWarning, message='.*(not found|unregistered)')
        net.hybridize(static_alloc=True, static_shape=True)
        ours = net(x).asnumpy()
        net.export(str(tmp_path / 'net'))
    imported = mx.gluon.SymbolBlock.imports(
        str(tmp_path / 'net-symbol.json'), ['data'], str(tmp_path / 'net-0000.params')
    )
    assert np.abs(imported(x).asnumpy() - ours).max() <= 1e-4
    other = images(80, count=1)
    assert np.abs(imported(other).asnumpy() - net(other).asnumpy()).max() <= 1e-4


@pytest.mark.parametrize(
    ('name', 'size', 'options'),
    [
        ('ssd_300', 96, {'backbone': 'resnet18', 'reduction': 4}),
        ('ssd_300_vgg16', 257, {'backbone': 'vgg16_atrous', 'widen': 0.125, 'reduction': 1}),
        ('ssd_512_vgg16', 257, {'backbone': 'vgg16_atrous', 'widen': 0.125, 'reduction': 1}),
    ],
)
def test_every_parameter_learns(name, size, options):
    net = tiny(name, attention='cbam', attention_in='both', attend_boxes=True, **options)
    x = images(size)
    random = np.random.RandomState(1)
    with mx.autograd.record():
        loss = sum((output * mx.nd.array(random.normal(size=output.shape))).sum() for output in net(x))
    loss.backward()
    for path, parameter in net._collect_params_with_prefix().items():
        if parameter.grad_req != 'null':
            assert np.isfinite(parameter.grad().asnumpy()).all()
            assert parameter.grad().asnumpy().any(), path


@pytest.mark.parametrize(
    ('backbone', 'options', 'strides', 'extra'),
    [
        ('resnet18', {}, (8, 16, 32), 3),
        ('mobilenet0.7', {}, (8, 16, 32), 3),
        ('cifar_resnet18', {}, (8,), 5),
        ('resnet18', {'dilated': True}, (8,), 5),
        ('cbamnet_tiny', {}, (2,), 7),
        ('vgg16_atrous', {'widen': 0.25}, (8, 16), 4),
        ('cbamnet_small', {}, (4,), 6),
    ],
)
def test_backbones(backbone, options, strides, extra):
    net = build('ssd_300', classes=2, backbone=backbone, **options)
    assert net.backbone.strides == strides
    assert len(net.extras) == extra
    shapes = mx.sym.Group(net.maps(mx.sym, mx.sym.Variable('data'))).infer_shape(data=(1, 3, 300, 300))[1]
    rounded = [shape[2] for shape in shapes]
    assert rounded[0] in (37, 38)  # CBAMNet rounds down
    assert (len(rounded), rounded[-1]) == (6, 1)


def test_the_networks_of_the_paper():
    """SSD on a VGG16: the first map is scaled, layers have biases and no BatchNorm, and small images are refused."""
    net = tiny('ssd_300_vgg16', backbone='vgg16_atrous', widen=0.0625)
    assert not any('bn' in name for name in net._collect_params_with_prefix())
    assert [each.conv2._kwargs['kernel'] for each in net.extras] == [(3, 3)] * 4
    assert [each.conv2._kwargs['pad'] for each in net.extras] == [(1, 1), (1, 1), (0, 0), (0, 0)]
    x = images(257, count=1)
    (plain,), first = gluon_cbam.features(net.backbone.network, (3,))(x), net.maps(mx.nd, x)[0].asnumpy()
    values, scale = plain.asnumpy().astype(float), net.first_norm.scale.data().asnumpy()
    assert np.abs(values / np.sqrt((values**2).sum(1, keepdims=True) + 1e-5) * scale - first).max() <= 1e-5
    assert net(x).shape == (1, 100, 6)
    with pytest.raises(ValueError, match='SSD takes inputs of at least 257 x 257, got 256 x 300'):
        net(mx.nd.zeros((1, 3, 256, 300)))
    net.initialize(force_reinit=True)
    assert set(net.first_norm.scale.data().asnumpy().ravel()) == {20}


def test_attention_in_the_backbone_is_the_named_network():
    named = build('ssd_300', backbone='cbam_resnet18')
    attended = build('ssd_300', backbone='resnet18', attention='cbam')
    shapes = [{name: p.shape for name, p in net._collect_params_with_prefix().items()} for net in (named, attended)]
    assert shapes[0] == shapes[1]


def test_a_module_of_the_user_in_both_places(monkeypatch):
    """Its options are options of the detector, too."""

    class Halving(Attention):
        def __init__(self, channels, share=0.5, **kwargs):
            super().__init__(**kwargs)
            self.share, self._in_channels = share, channels

        def forward_ops(self, ops, x):
            (mean,) = ops.global_pool(x, ['avg'])
            return ops.scale(x, channel=0 * mean + self.share)

    monkeypatch.setitem(ATTENTIONS, 'halving', Halving)
    net = tiny(backbone='resnet18', attention='halving', attention_in='both', share=0.25)
    assert {block.share for block in (net.heads[0].attention, net.backbone.network.layer1[0].attention)} == {0.25}
    plain = tiny(backbone='resnet18')
    x = mx.nd.ones((1, 32, 4, 4))
    logits, offsets = net.heads[0](x)
    others = plain.heads[0](x)
    bias = plain.heads[0].class_predictor.bias.data().tile(16)
    assert np.allclose(((others[0] - bias) * 0.25 + bias).asnumpy(), logits.asnumpy(), atol=1e-5)
    assert np.array_equal(offsets.asnumpy(), others[1].asnumpy())


@pytest.mark.parametrize('attention', ['se', 'cbam', 'bam'])
def test_attention_in_the_heads_adds_its_parameters_only(attention):
    plain, attended = tiny(backbone='resnet18'), tiny(backbone='resnet18', attention=attention, attention_in='heads')
    names = set(attended._collect_params_with_prefix())
    added = names - set(plain._collect_params_with_prefix())
    assert {name.split('.')[0] + name.split('.')[2] for name in added} == {'headsattention'}
    assert len({name.split('.')[1] for name in added}) == 6
    counts = [complexity(net, (1, 3, 64, 64)) for net in (plain, attended)]
    assert counts[1].attention_parameters == counts[1].parameters - counts[0].parameters > 0


def test_without_its_attention_a_head_is_the_plain_one():
    plain, x = tiny(backbone='resnet18'), images()
    attended = tiny(backbone='resnet18', attention='cbam', attention_in='heads')
    theirs = plain._collect_params_with_prefix()
    for name, parameter in attended._collect_params_with_prefix().items():
        if name in theirs:
            parameter.set_data(theirs[name].data())
    (logits, offsets), (other_logits, other_offsets) = raw(plain, x), raw(attended, x)
    assert np.array_equal(offsets, other_offsets)  # the boxes read the plain maps
    assert np.abs(logits - other_logits).max() > 1e-3
    for head in attended.heads:
        object.__setattr__(head, 'attention', None)
    assert all(np.array_equal(a, b) for a, b in zip(raw(plain, x), raw(attended, x)))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'backbone': 'resnet5'}, "unknown network 'resnet5'"),
        ({'backbone': 'ssd_512'}, 'ssd_512 cannot be a backbone'),
        ({'backbone': 'modified_cbamnet18'}, 'modified_cbamnet18 cannot be a backbone'),
        ({'attention': 'cbm'}, "unknown attention 'cbm'"),
        ({'attention_in': 'head'}, "unknown attention_in 'head'"),
        ({'backbone': 'cbam_resnet18', 'attention': 'se'}, 'cbam_resnet18 has cbam attention'),
        ({'backbone': 'cbamnet_tiny', 'attention': 'cbam'}, 'cbamnet_tiny has attention of its own'),
        ({'backbone': 'resnet18', 'dilation': 2}, "neither resnet18 nor the attention has an option 'dilation'"),
        ({'keep': 500}, 'keep must be at most nms_top'),
        ({'anchor_sizes': 30}, 'anchor_sizes must be 7 positive numbers that grow, got 30'),
        ({'classes': 0}, 'classes must be a positive integer'),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        build('ssd_300', **options)


def test_too_many_scores():
    net = build('ssd_300', classes=2000, backbone='resnet18')
    with pytest.raises(ValueError, match='8732 anchors of 300 x 300 pixels and 2000 classes are too many'):
        net.anchors(300, 300)


def test_quantization_refuses_detectors():
    with pytest.raises(UsageError, match='SSD is a detector, which cannot be quantized yet: use it in float32'):
        quantize(tiny(), images())


def test_default_classes_are_those_of_voc():
    assert get_model('ssd_300', backbone='resnet18').classes == 20

"""GluonCV's Faster R-CNN, built from its own classes: its files give its outputs here."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import convert, get_model
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.convert.files import converted

CLASSES = ['a', 'b', 'c']


def filled(net, x, fpn):
    """Every parameter random, and logits and offsets of moderate size, so that boxes and scores differ."""
    net.initialize()
    net(x)
    random = np.random.RandomState(0)
    for path, parameter in net._collect_params_with_prefix().items():
        shape = parameter.shape
        if 'anchor' in path or not path.endswith(('weight', 'bias', 'gamma', 'beta', 'mean', 'var')):
            continue
        if path.endswith('gamma'):
            value = random.uniform(0.3, 0.6, shape)
        elif path.endswith('var'):
            value = random.uniform(0.7, 1.3, shape)
        elif path.endswith('weight'):
            value = random.normal(0, (1.5 / np.prod(shape[1:])) ** 0.5, shape)
        else:
            value = random.normal(0, 0.1, shape)
        parameter.set_data(mx.nd.array(value))
    head = net.rpn.rpn_head if fpn else net.rpn
    for block, deviation in ((head.score, 2), (head.loc, 0.3), (net.class_predictor, 2), (net.box_predictor, 1)):
        scale(block, net, x, deviation)
    return net


def scale(block, net, x, deviation):
    """Give the outputs of a block a mean of 0 and a standard deviation."""
    found = []
    hook = block.register_forward_hook(lambda _, inputs, output: found.append(output.asnumpy()))
    net(x)
    hook.detach()
    outputs = max(found, key=lambda each: each.size).swapaxes(0, 1)
    outputs = outputs.reshape(len(outputs), -1)
    mean, factor = outputs.mean(axis=1), deviation / outputs.std(axis=1).mean()
    block.bias.set_data((block.bias.data() - mx.nd.array(mean)) * factor)
    block.weight.set_data(block.weight.data() * factor)


def gluoncv_rcnn(monkeypatch, x, fpn, masks=False):
    """Their network on their ResNet-18, with few proposals and a narrow head."""
    pytest.importorskip('gluoncv')
    from gluoncv.model_zoo.rcnn.faster_rcnn import FasterRCNN
    from gluoncv.model_zoo.resnetv1b import resnet18_v1b, resnet50_v1b
    from gluoncv.nn.feature import FPNFeatureExpander

    common = {
        'classes': CLASSES, 'short': 64, 'max_size': 64, 'roi_mode': 'align', 'base_size': 16, 'ratios': (0.5, 1, 2),
        'alloc_size': (64, 64), 'rpn_nms_thresh': 0.7, 'nms_topk': -1, 'post_nms': -1, 'num_sample': 16,
    }  # fmt: skip
    if fpn:
        features = FPNFeatureExpander(
            network=resnet50_v1b(pretrained=False, dilated=False, use_global_stats=True),
            outputs=['layers1_relu8_fwd', 'layers2_relu11_fwd', 'layers3_relu17_fwd', 'layers4_relu8_fwd'],
            num_filters=[32] * 4, use_1x1=True, use_upsample=True, use_elewadd=True, use_p6=True, no_bias=False,
            pretrained=False,
        )  # fmt: skip
        head = mx.gluon.nn.HybridSequential()
        if masks:
            from gluoncv.model_zoo.rcnn.mask_rcnn import MaskRCNN

            head.add(mx.gluon.nn.AvgPool2D(3, 2, 1))
            of_masks = {'mask_channels': 16, 'num_fcn_convs': 4, 'target_roi_scale': 2, 'rcnn_max_dets': 40}
        for _ in range(2):
            head.add(mx.gluon.nn.Dense(64), mx.gluon.nn.Activation('relu'))
        net = (MaskRCNN if masks else FasterRCNN)(
            features, None, box_features=head, min_stage=2, max_stage=6, nms_thresh=0.5,
            roi_size=(14, 14) if masks else (7, 7), strides=(4, 8, 16, 32, 64), clip=4.14, rpn_channel=24,
            scales=(2, 4, 8, 16, 32), rpn_test_pre_nms=600, rpn_test_post_nms=40, rpn_min_size=1,
            **(of_masks if masks else {}), **common,
        )  # fmt: skip
        with_pooling_of_every_level(net, monkeypatch)
    else:
        base = resnet18_v1b(pretrained=False, dilated=False, use_global_stats=True)
        features, top = mx.gluon.nn.HybridSequential(), mx.gluon.nn.HybridSequential()
        for name in ('conv1', 'bn1', 'relu', 'maxpool', 'layer1', 'layer2', 'layer3'):
            features.add(getattr(base, name))
        top.add(base.layer4)
        net = FasterRCNN(
            features, top, nms_thresh=0.7, roi_size=(14, 14), strides=16, clip=None, rpn_channel=24,
            scales=(2, 4, 8, 16, 32), rpn_test_pre_nms=600, rpn_test_post_nms=40, rpn_min_size=16, **common,
        )  # fmt: skip
    return filled(net, x, fpn)


FORMS = {
    'faster_rcnn_fpn': {
        'backbone': 'resnet50', 'pyramid_channels': 32, 'head_channels': 64, 'region_channels': 24, 'proposals': 40,
    },
    'faster_rcnn_c4': {'backbone': 'resnet18', 'region_channels': 24, 'proposals': 40, 'nms_threshold': 0.7},
}  # fmt: skip


def with_pooling_of_every_level(theirs, monkeypatch):
    """Repair GluonCV's pooling: on CPUs, RoIs of other levels leave the memory of their rows as it was."""

    def pooled(F, features, rois, size, strides, **_):
        wide, high = (rois[:, end] - rois[:, begin] + 1 for begin, end in ((1, 3), (2, 4)))
        level = F.clip(F.floor(4 + F.log2(F.sqrt(wide * high) / 224 + 1e-6)), 2, 5)
        every = [
            F.contrib.ROIAlign(each, rois, size, 1 / stride, sample_ratio=2)
            for each, stride in zip(features, strides[:4])
        ]
        return sum(F.where(level == number, each, F.zeros_like(each)) for number, each in enumerate(every, 2))

    monkeypatch.setattr(theirs, '_pyramid_roi_feats', pooled)


@pytest.mark.parametrize('name', ['faster_rcnn_c4', pytest.param('faster_rcnn_fpn', marks=pytest.mark.slow)])
def test_detections_are_theirs(name, monkeypatch, tmp_path):
    x = mx.nd.array(np.random.RandomState(1).normal(0, 1, (1, 3, 160, 192)))
    theirs = gluoncv_rcnn(monkeypatch, x, name == 'faster_rcnn_fpn')
    path = tmp_path / 'theirs.params'
    theirs.save_parameters(str(path))
    options = {**FORMS[name], 'nms_top': 2000, 'score_threshold': 0.02}
    ours = converted(path, name, 'gluoncv', options, classes=3)
    _, proposed = theirs.rpn(mx.nd.zeros_like(x), *_listed(theirs.features(x)))
    maps = ours.maps(mx.nd, x)
    mine, exist = ours._proposals(mx.nd, *ours._of_anchors(mx.nd, maps), ours.anchors(160, 192), x)
    assert exist.asnumpy().all()
    assert np.abs(mine.asnumpy() - proposed.asnumpy()).max() <= 1e-3
    ids, scores, boxes = (value.asnumpy()[0] for value in theirs(x))
    rows = np.concatenate([ids, scores, boxes], axis=1)
    rows = rows[(ids[:, 0] >= 0) & (scores[:, 0] > 0.02)]
    rows = rows[np.argsort(-rows[:, 1], kind='stable')][:100]
    found = ours(x).asnumpy()[0]
    assert len(rows) > 10
    assert len(set(rows[:, 0])) > 1
    assert (found[:, 0] >= 0).sum() == len(rows)
    found = found[: len(rows)]
    assert np.abs(found[:, 1] - rows[:, 1]).max() <= 1e-4
    same = found[:, 0] == rows[:, 0]
    assert same.mean() > 0.95  # of nearly equal scores, the order may differ
    assert np.abs(found[same, 2:] - rows[same, 2:]).max() <= 1e-4 * 192


@pytest.mark.slow
def test_masks_are_theirs(monkeypatch, tmp_path):
    x = mx.nd.array(np.random.RandomState(1).normal(0, 1, (1, 3, 160, 192)))
    theirs, path = gluoncv_rcnn(monkeypatch, x, True, masks=True), tmp_path / 'theirs.params'
    theirs.save_parameters(str(path))
    options = {**FORMS['faster_rcnn_fpn'], 'nms_top': 2000, 'score_threshold': 0.02, 'mask_channels': 16}
    ours = converted(path, 'mask_rcnn_fpn', 'gluoncv', {**options, 'shared_rois': True}, classes=3)
    ids, scores, boxes, masks = (value.asnumpy()[0] for value in theirs(x))
    rows, found_masks = (value.asnumpy()[0] for value in ours(x))
    there = (ids[:, 0] >= 0) & (scores[:, 0] > 0.02)
    expected, masks = np.concatenate([ids, scores, boxes], axis=1)[there], masks[there]
    inside = (boxes[there] >= 0).all(axis=1) & (boxes[there] <= [192, 160, 192, 160]).all(axis=1)  # ours are clipped
    compared = 0
    for row, mask in zip(expected[inside], masks[inside]):
        place = np.abs(rows - row).max(axis=1).argmin()
        if np.abs(rows[place] - row).max() < 1e-2:
            assert np.abs(found_masks[place] - mask).max() <= 1e-3
            compared += 1
    assert compared > 5
    assert compared >= 0.9 * inside.sum()
    for name, chosen, message in (
        ('mask_rcnn_fpn', options, 'give --option shared_rois=true'),
        ('faster_rcnn_fpn', FORMS['faster_rcnn_fpn'], 'Mask R-CNN.s, and .* is none: give --network mask_rcnn_fpn'),
    ):
        with pytest.raises(DataError, match=message):
            converted(path, name, 'gluoncv', chosen, classes=3)


def _listed(features):
    return features if isinstance(features, (list, tuple)) else [features]


def test_what_does_not_fit_is_said(monkeypatch):
    x = mx.nd.zeros((1, 3, 64, 64))
    theirs = gluoncv_rcnn(monkeypatch, x, False)
    arrays = {name: value.data().asnumpy() for name, value in theirs._collect_params_with_prefix().items()}
    net = get_model('faster_rcnn_c4', classes=3, **FORMS['faster_rcnn_c4'])
    convert.load_arrays(net, arrays, 'gluoncv')
    name = 'rpn.anchor_generator.anchors'
    missing = {key: value for key, value in arrays.items() if key != 'top_features.0.1.conv2.weight'}
    for changed, message in (
        (missing, 'missing.*backbone.layer4.1.conv2.weight'),
        ({**arrays, 'features.9.weight': np.ones(3)}, '1 unexpected: features.9.weight'),
        ({**arrays, name: arrays[name] + 1}, 'the anchors of map 0 differ'),
    ):
        with pytest.raises(DataError, match=message):
            convert.load_arrays(net, changed, 'gluoncv')
    with pytest.raises(DataError, match='parameters are Faster R-CNN.s, and SSD is none: give --network faster_rcnn'):
        convert.load_arrays(get_model('ssd_300', classes=3), arrays, 'gluoncv')
    with pytest.raises(UsageError, match='gluoncv has no names for'):
        convert.to_arrays(net, 'gluoncv')

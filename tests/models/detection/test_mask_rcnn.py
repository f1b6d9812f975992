"""Mask R-CNN: its head beside GluonCV's, its masks and their targets by other ways, both modes, attention."""

import json

import checks
import mxnet as mx
import numpy as np
import pytest
from region_boxes import random_boxes

from gluon_cbam.data.boxes import mask_parts
from gluon_cbam.data.boxes.mask_parts import mask_part
from gluon_cbam.data.boxes.segmentations import mask_text
from gluon_cbam.models import build
from gluon_cbam.models.detection import mask_head
from gluon_cbam.models.detection.mask_head import MASK_SIDE, UNKNOWN, MaskHead, mask_targets

SMALL = {
    'classes': 3, 'backbone': 'cbam_resnet18', 'widen': 0.25, 'region_channels': 16, 'proposals': 30, 'samples': 16,
    'training_proposals': 50, 'pyramid_channels': 16, 'head_channels': 24, 'mask_channels': 8, 'keep': 20,
}  # fmt: skip
OBJECTS = [[[1, 10, 10, 70, 60], [-1] * 5], [[0, 40, 40, 90, 90], [2, 5, 20, 30, 80]], [[-1] * 5] * 2]
POLYGON = [[12, 15, 60, 18, 66, 55, 30, 50]]


def tiny(name='mask_rcnn_fpn', **options):
    net = build(name, **{**SMALL, **options})
    checks.fill(net)
    return net


def images(count=3, height=96, width=96, seed=0):
    return mx.nd.array(np.random.RandomState(seed).normal(0, 1, (count, 3, height, width)))


def training_inputs():
    """Objects, an order, and masks: a polygon, an object without a mask, and one that fills its box."""
    random = np.random.RandomState(0)
    order = np.stack([random.permutation(SMALL['training_proposals'] + 2) for _ in range(3)])
    masks = np.full((3, 2, MASK_SIDE, MASK_SIDE), UNKNOWN, np.uint8)
    masks[0, 0], masks[1, 1] = mask_part(json.dumps(POLYGON), OBJECTS[0][0][1:]), 1
    return mx.nd.array(OBJECTS), mx.nd.array(order), mx.nd.array(masks, dtype='uint8')


def raw(net, x):
    with mx.autograd.train_mode():
        return [output.asnumpy() for output in net(x, *training_inputs())]


def test_constants_of_the_loader_and_the_network_agree():
    assert (mask_parts.SIDE, mask_parts.UNKNOWN) == (mask_head.MASK_SIDE, mask_head.UNKNOWN)


def test_the_head_is_gluoncv_s():
    theirs_of = pytest.importorskip('gluoncv.model_zoo.rcnn.mask_rcnn.mask_rcnn').Mask
    ours, theirs = MaskHead(5, 7, 3), theirs_of(1, ['a', 'b', 'c'], 7, num_fcn_convs=4)
    x = mx.nd.random.normal(shape=(4, 5, 14, 14))
    theirs.initialize(mx.init.Normal(0.3))
    expected = theirs(x)  # (1, 4, 3, 28, 28)
    ours.initialize()
    mine, their_parameters = ours.collect_params().values(), theirs.collect_params().values()
    for one, other in zip(mine, their_parameters):
        assert one.shape == other.shape
        one.set_data(other.data())
    assert len(mine) == len(their_parameters) == 12
    assert np.abs(ours(x).asnumpy() - expected[0].asnumpy()).max() <= 1e-4 * np.abs(expected.asnumpy()).max()


@pytest.mark.parametrize('first', ['training', 'inference'])
def test_modes_in_any_order(first):
    net, x = tiny(), images()
    plain = [output.asnumpy() for output in net(x)]
    net.hybridize(static_alloc=True, static_shape=True)
    if first == 'training':
        raw(net, x)
    rows, masks = (output.asnumpy() for output in net(x))
    *_, labels, _, logits, targets, known = raw(net, x)
    assert (rows.shape, masks.shape) == ((3, 20, 6), (3, 20, 28, 28))
    assert (logits.shape, targets.shape, known.shape) == ((3, 4, 28, 28), (3, 4, 28, 28), (3, 4))
    assert known.sum(axis=1).tolist() == [(labels[0] > 0).sum(), (labels[1] == 3).sum(), 0]
    assert targets[1][known[1] > 0].mean() > 0.9
    assert all(np.abs(one - two).max() <= 1e-3 for one, two in zip(plain, (rows, masks)))
    assert all(np.array_equal(*pair) for pair in zip(raw(net, x), raw(net, x)))


def test_detections_are_those_of_faster_rcnn_inside_of_the_input():
    net, x = tiny(), images()
    faster = build('faster_rcnn_fpn', **{name: SMALL[name] for name in SMALL if name != 'mask_channels'})
    faster.initialize()
    own = net._collect_params_with_prefix()
    for path, parameter in faster._collect_params_with_prefix().items():
        parameter.set_data(own[path].data())
    expected, (found, masks) = faster(x).asnumpy(), (output.asnumpy() for output in net(x))
    exist = expected[..., 0] >= 0
    expected[exist, 2:] = expected[exist, 2:].clip(0, 96)
    assert exist.sum() > 20
    assert np.abs(found - expected).max() <= 1e-3
    assert not masks[~exist].any()


def test_an_image_does_not_depend_on_its_batch():
    net, x = tiny(), images()
    together = [output.asnumpy() for output in net(x)]
    for number in range(3):
        for one, every in zip(net(x[number : number + 1]), together):
            assert np.abs(one.asnumpy()[0] - every[number]).max() <= 1e-3


def test_masks_are_of_the_class_of_each_kept_box():
    net, x = tiny(), images(1)
    rows, masks = (output.asnumpy()[0] for output in net(x))
    rows = rows[rows[:, 0] >= 0]
    maps = net.maps(mx.nd, x)
    assert len(rows) > 5
    for row, mask in zip(rows, masks):
        left, top, right, bottom = row[2:]
        level = int(np.clip(np.floor(4 + np.log2(np.sqrt((right - left + 1) * (bottom - top + 1)) / 224 + 1e-6)), 2, 5))
        roi = mx.nd.array([[0, left, top, right, bottom]])
        pooled = mx.nd.contrib.ROIAlign(maps[level - 2], roi, (14, 14), 1 / 2**level, sample_ratio=2)
        logits = net.mask_head(pooled).asnumpy()[0, int(row[0])]
        assert np.abs(1 / (1 + np.exp(-logits)) - mask).max() <= 1e-3


def test_padding_has_no_masks():
    rows, masks = (output.asnumpy()[0] for output in tiny(proposals=4)(images(1)))
    empty = rows[:, 0] < 0
    assert 0 < empty.sum() < 20
    assert (rows[empty] == -1).all()
    assert not masks[empty].any()
    assert masks[~empty].any(axis=(1, 2)).all()


def targets_of(texts, objects, rois, numbers):
    masks = np.stack([mask_part(text, box) for text, box in zip(texts, objects)])
    rows = np.concatenate([np.zeros((len(objects), 1)), objects], axis=1)
    arrays = [mx.nd.array(masks[None], dtype='uint8'), *(mx.nd.array(each[None]) for each in (rows, rois, numbers))]
    found, known = mask_targets(mx.nd, *arrays, len(rois), 28)
    return found.asnumpy()[0], known.asnumpy()[0]


def test_targets_are_the_objects_seen_in_the_rois():
    """Against the area of each cell that pycocotools fills at eight times the resolution."""
    coco = pytest.importorskip('pycocotools.mask')
    random = np.random.RandomState(0)
    polygons = [[random.uniform(20, 90, 6).tolist()] for _ in range(6)]
    points = [np.array(polygon[0]).reshape(-1, 2) for polygon in polygons]
    objects = np.array([[*each.min(axis=0), *each.max(axis=0)] for each in points])
    numbers = random.randint(0, 6, 30)
    sides = np.tile(objects[numbers, 2:] - objects[numbers, :2], 2)
    rois = objects[numbers] + random.uniform(-0.15, 0.15, (30, 4)) * sides
    exact = []
    for roi, number in zip(rois, numbers):
        moved = (points[number] - roi[:2]) / (roi[2:] - roi[:2]) * 224
        fine = coco.decode(coco.frPyObjects([moved.ravel().tolist()], 224, 224))[:, :, 0]
        exact.append(fine.reshape(28, 8, 28, 8).mean(axis=(1, 3)))
    exact = np.array(exact)
    for kind in ('polygons', 'masks'):
        texts = [json.dumps(polygon) for polygon in polygons]
        if kind == 'masks':  # of a picture of 1200 x 1200 pixels, and boxes in it
            large = [coco.frPyObjects([(np.array(each[0]) * 10).tolist()], 1200, 1200) for each in polygons]
            texts = [mask_text(coco.decode(each)[:, :, 0]) for each in large]
        scale = 10 if kind == 'masks' else 1
        found, known = targets_of(texts, objects * scale, rois * scale, numbers)
        assert known.all()
        assert np.abs(found - exact).mean() < 0.02
        wrong = (found >= 0.5) != (exact >= 0.5)  # at the outline alone: within a pixel
        assert wrong.mean() < 0.02
        near = np.stack([np.roll(exact, shift, axis) for axis in (1, 2) for shift in (-1, 0, 1)])
        assert not wrong[(near.min(axis=0) == near.max(axis=0))].any()


def test_targets_are_not_shifted():
    """Of a mask that is symmetric in its box, the target is, too."""
    box = np.array([[10.0, 20, 80, 60]])
    rectangle = json.dumps([[27.5, 30, 62.5, 30, 62.5, 50, 27.5, 50]])
    found, _ = targets_of([rectangle], box, box + [-7, -4, 7, 4], np.array([0]))
    assert np.abs(found[0] - found[0, ::-1]).max() <= 1e-4
    assert np.abs(found[0] - found[0, :, ::-1]).max() <= 1e-4
    assert found[0].sum() / 28**2 == pytest.approx(35 * 20 / (84 * 48), rel=0.02)


def test_mirrored_parts():
    one, other = (mask_part(json.dumps(POLYGON), part) for part in ([10, 10, 70, 60], [70, 10, 10, 60]))
    assert np.mean(one != other[:, ::-1]) < 0.01  # pixels at the outline belong to the left of it
    assert one.mean() > 0.4
    pixels = np.random.RandomState(0).rand(20, 30) < 0.5
    part = mask_part(mask_text(pixels), [25, 2, 4, 16])
    rows, columns = (np.floor((np.arange(112) + 0.5) / 112 * side).astype(int) for side in (14, 21))
    assert np.array_equal(part, pixels[2:16, 4:25][rows][:, columns[::-1]])
    assert (mask_part('', [0, 0, 1, 1]) == UNKNOWN).all()


def test_targets_of_objects_without_a_mask_are_unknown():
    random = np.random.RandomState(1)
    boxes = random_boxes(random, 2)
    found, known = targets_of(['', json.dumps([[0, 0, 100, 0, 100, 100, 0, 100]])], boxes, boxes, np.array([0, 1]))
    assert known.tolist() == [0, 1]
    assert found[1].min() == 1


def test_every_parameter_learns():
    net = tiny(backbone='resnet18', attention='cbam', attention_in='both', reduction=4)
    random = np.random.RandomState(1)
    with mx.autograd.record():
        outputs = net(images(), *training_inputs())
        chosen = [*outputs[:4], outputs[6]]
        loss = sum((output * mx.nd.array(random.normal(size=output.shape))).sum() for output in chosen)
    loss.backward()
    gradients = {
        path: parameter.grad().asnumpy()
        for path, parameter in net._collect_params_with_prefix().items() if parameter.grad_req != 'null'
    }  # fmt: skip
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())
    assert [path for path, gradient in gradients.items() if not gradient.any()] == []
    assert any(path.startswith('mask_head.attention.') for path in gradients)
    without = build('mask_rcnn_fpn', **{**SMALL, 'backbone': 'resnet18'}, attention='cbam')
    assert not any(path.startswith('mask_head.attention.') for path in without._collect_params_with_prefix())


def test_symbols_give_both_outputs(tmp_path):
    net, x = tiny(), images(2)
    net.hybridize()
    net(x)
    net.export(str(tmp_path / 'net'))
    imported = mx.gluon.SymbolBlock.imports(
        str(tmp_path / 'net-symbol.json'), ['data'], str(tmp_path / 'net-0000.params')
    )
    for one, other in zip(imported(x), net(x)):
        assert np.abs(one.asnumpy() - other.asnumpy()).max() <= 1e-3


def test_refusals():
    with pytest.raises(ValueError, match='mask_channels must be'):
        build('mask_rcnn_fpn', mask_channels=0)
    with pytest.raises(ValueError, match='shared_rois must be'):
        build('mask_rcnn_fpn', shared_rois='maybe')


def test_masks_of_training_are_of_the_true_class():
    net, x, (objects, order, _) = tiny(backbone='resnet18'), images(), training_inputs()
    logits = raw(net, x)[6]
    with mx.autograd.train_mode():
        maps = net.maps(mx.nd, x)
        rois, _ = net.sampled(mx.nd, x, maps, objects, order)
    labels, boxes, compared = rois.labels.asnumpy()[:, :4], rois.boxes[:, :4], 0
    for image, row in zip(*np.nonzero(labels > 0)):
        one = mx.nd.concat(mx.nd.array([[image]]), boxes[int(image), int(row)].reshape((1, 4)), dim=1)
        masks = net.mask_head(net.pooled(mx.nd, maps, one, 14)).asnumpy()[0]
        assert np.abs(masks[int(labels[image, row]) - 1] - logits[image, row]).max() <= 1e-3
        compared += 1
    assert compared >= 3

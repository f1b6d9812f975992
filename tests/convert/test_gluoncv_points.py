"""GluonCV's CenterNet and YOLOv3, built from its own classes: their files give their outputs here."""

import json

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import convert, get_model
from gluon_cbam.common.errors import DataError
from gluon_cbam.convert.files import converted
from gluon_cbam.models.detection.cell_coding import decode


def filled(net, size):
    """A network of GluonCV with every parameter random."""
    net.initialize()
    net(mx.nd.zeros((1, 3, size, size)))
    random = np.random.RandomState(0)
    for path, parameter in net._collect_params_with_prefix().items():
        shape = parameter.shape
        if path.endswith(('gamma', 'var')):
            value = random.uniform(0.7, 1.3, shape)
        elif path.endswith('weight'):
            value = random.normal(0, (1.5 / np.prod(shape[1:])) ** 0.5, shape)
        elif path.endswith(('anchors', 'offsets')):
            continue
        else:
            value = random.normal(0, 0.2, shape)
        parameter.set_data(mx.nd.array(value))
    return net


def center_net(name='resnet18_v1b'):
    module = pytest.importorskip('gluoncv.model_zoo.center_net.center_net')
    return filled(getattr(module, f'center_net_{name}_voc')(pretrained=False, pretrained_base=False), 64)


def yolo():
    module = pytest.importorskip('gluoncv.model_zoo.yolo.yolo3')
    return filled(module.yolo3_mobilenet1_0_voc(pretrained=False, pretrained_base=False), 64)


def image(size, seed=1):
    return mx.nd.array(np.random.RandomState(seed).normal(0, 1, (1, 3, size, size)))


def arrays_of(net):
    return {name: value.data().asnumpy() for name, value in net._collect_params_with_prefix().items()}


def saved(net, folder):
    path = folder / 'theirs.params'
    net.save_parameters(str(path))
    return path


def assert_same_detections(ours, theirs, size):
    ids, scores, boxes = (value.asnumpy()[0] for value in theirs)
    found = ours.asnumpy()[0]
    count = (ids >= 0).sum()
    assert count > 20
    assert np.abs(found[:count, 1] - scores[:count, 0]).max() <= 1e-4
    # of nearly equal scores, the order may differ
    distances = np.abs(found[None, :, 2:] - boxes[:count, None]).max(axis=2)
    distances[ids[:count] != found[None, :, 0]] = np.inf
    assert (distances.min(axis=1) <= 1e-4 * size).mean() > 0.97


@pytest.mark.parametrize('name', ['resnet18', pytest.param('resnet50', marks=pytest.mark.slow)])
def test_center_net_gives_its_outputs(name, tmp_path):
    theirs, x = center_net(f'{name}_v1b'), image(128)
    theirs.heads[1][2].bias.set_data(mx.nd.array([9, 9]))  # no box is reversed, which would be empty here
    ours = converted(saved(theirs, tmp_path), 'centernet', 'gluoncv', {'backbone': name, 'score_threshold': 0})
    features = theirs.base_network(x)
    maps = [head(features).asnumpy() for head in theirs.heads]
    for found, wanted in zip(ours.raw(mx.nd, x), maps):
        assert np.abs(found.asnumpy() - wanted).max() <= 1e-4 * np.abs(wanted).max()
    ids, scores, boxes = theirs(x)
    assert (scores.asnumpy() > 0).all(), 'each of the best is a peak'
    assert_same_detections(ours(x), (ids.expand_dims(2), scores.expand_dims(2), boxes), 128)


def test_yolo_gives_its_outputs(tmp_path):
    theirs, x = yolo(), image(96)
    ours = converted(saved(theirs, tmp_path), 'yolo3', 'gluoncv', {'backbone': 'mobilenet1.0'})
    assert_same_detections(ours(x), theirs(x), 96)
    theirs.set_nms(nms_thresh=2)
    _, scores, boxes = (each.asnumpy()[0] for each in theirs(x))
    logits, coded = ours.raw(mx.nd, x)
    chances = mx.nd.sigmoid(logits[0]).asnumpy()
    found = decode(mx.nd, coded, ours.cells(96, 96).expand_dims(0)).asnumpy()[0]
    first = 0
    for cells in (9, 36, 144):  # class by class on each map
        last = first + 3 * cells
        own = chances[first:last, :1] * chances[first:last, 1:]
        assert np.abs(own - scores[20 * first : 20 * last].reshape(20, -1).T).max() <= 1e-4
        wanted = boxes[20 * first : 20 * last].reshape(20, -1, 4)[0]
        assert np.abs(found[first:last] - wanted).max() <= 1e-4 * np.abs(wanted).max()
        first = last


def test_anchors_that_differ_need_an_option():
    arrays = arrays_of(yolo())
    arrays['yolo_outputs.1.anchors'] = arrays['yolo_outputs.1.anchors'] * 1.5
    options = {'backbone': 'mobilenet1.0'}
    with pytest.raises(
        DataError, match='the anchors of map 1 differ from those of YOLO3: try .*anchor_sizes='
    ) as caught:
        convert.load_arrays(get_model('yolo3', **options), arrays, 'gluoncv')
    sizes = json.loads(str(caught.value).split('anchor_sizes=')[1].rstrip("'"))
    assert sizes[6:8] == [45, 91.5]
    assert sizes[:4] == [10, 13, 16, 30]
    convert.load_arrays(get_model('yolo3', anchor_sizes=sizes, **options), arrays, 'gluoncv')


def test_what_does_not_fit_is_listed():
    arrays = arrays_of(center_net())
    missing = {name: value for name, value in arrays.items() if name != 'heads.1.0.bias'}
    for changed, message in (
        (missing, '1 missing: size.conv.bias'),
        ({**arrays, 'heads.3.0.weight': np.ones(3)}, '1 unexpected: heads.3.0.weight'),
    ):
        with pytest.raises(DataError, match=message):
            convert.load_arrays(get_model('centernet', backbone='resnet18'), changed, 'gluoncv')
    with pytest.raises(DataError, match="parameters are CenterNet's, and SSD is none: give --network centernet"):
        convert.load_arrays(get_model('ssd_512', backbone='resnet18'), arrays, 'gluoncv')
    with pytest.raises(DataError, match="parameters are YOLOv3's, and CenterNet is none: give --network yolo3"):
        convert.load_arrays(get_model('centernet', backbone='resnet18'), arrays_of(yolo()), 'gluoncv')

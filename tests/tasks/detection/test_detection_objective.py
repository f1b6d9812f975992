"""The loss over devices and processes: both terms are divided by the positive anchors of all of them."""

import mxnet as mx
import numpy as np
import pytest
from box_scenes import drawn, write_boxes

from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.loading.box_training import CROWD, DetectionBatch, padded
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.models.registry import build
from gluon_cbam.tasks.detection.losses.ssd import SSDLoss
from gluon_cbam.tasks.detection.objective import DetectionObjective
from gluon_cbam.tasks.detection.targets import ssd
from gluon_cbam.tasks.detection.targets.ssd import SSDTargets

SIZE = 32
PREPROCESSING = Preprocessing(SIZE, resize='stretch')
SETTINGS = {
    'network': 'ssd_300', 'classes': 3, 'option': {'backbone': 'cbamnet_tiny'}, 'match_iou': 0.5, 'negatives': 3.0,
    'box_weight': 1.0, 'ignore_difficult': False,
}  # fmt: skip


class Heads(mx.gluon.nn.HybridBlock):
    """Heads that are linear in the pixels, without BatchNorm, so that devices do not differ."""

    def __init__(self, anchors):
        super().__init__()
        self._anchors = anchors
        self.classes = mx.gluon.nn.Dense(4 * anchors, in_units=3 * 16, weight_initializer=mx.init.Normal(0.1))
        self.boxes = mx.gluon.nn.Dense(4 * anchors, in_units=3 * 16, weight_initializer=mx.init.Normal(0.1))

    def hybrid_forward(self, F, x):
        x = F.Pooling(x, kernel=(8, 8), stride=(8, 8), pool_type='avg')
        return tuple(head(x).reshape((0, self._anchors, 4)) for head in (self.classes, self.boxes))


@pytest.fixture
def net():
    mx.random.seed(3)
    heads = Heads(build('ssd_300', **{'classes': 3, **SETTINGS['option']}).anchors(SIZE, SIZE).shape[0])
    heads.initialize(ctx=[mx.cpu(0), mx.cpu(1)])
    heads(mx.nd.zeros((1, 3, SIZE, SIZE)))
    return heads


@pytest.fixture
def batch():
    """Eight pictures, of which the last four have no object."""
    random = np.random.RandomState(0)
    boxes = [random.randint(0, 12, (count, 2)) for count in (1, 3, 2, 1, 0, 0, 0, 0)]
    rows = [np.column_stack([random.randint(0, 3, len(low)), low, low + 14]) for low in boxes]
    pixels = random.randint(0, 256, (8, SIZE, SIZE, 3), np.uint8)
    return DetectionBatch(mx.nd.array(pixels, dtype='uint8'), mx.nd.array(padded(rows)))


def objective(scenes, **changes):
    return DetectionObjective({**SETTINGS, **changes}, PREPROCESSING, BoxRecords(scenes / 'train.rec'))


def trained(net, loss, batch, devices):
    """The gradients by name, and the sums of the statistics, on some devices."""
    ctx = [mx.cpu(number) for number in range(devices)]
    parts = [
        DetectionBatch(*part) for part in zip(*(mx.gluon.utils.split_and_load(array, ctx) for array in batch))
    ]  # fmt: skip
    inputs = loss.prepare(parts, 0, 0)
    with mx.autograd.record():
        losses, outputs = zip(*loss.losses(net, inputs))
    mx.autograd.backward(list(losses))
    sums = np.sum(
        [[each.asscalar() for each in loss.statistics(*part)] for part in zip(inputs, losses, outputs)], axis=0
    )
    gradients = {name: sum(value.grad(each).asnumpy() for each in ctx) for name, value in net.collect_params().items()}
    return gradients, sums


def test_the_mean_is_the_loss_over_the_positives(scenes, net, batch):
    """By the parts of the loss, without the weights of images."""
    _, sums = trained(net, objective(scenes), batch, 1)
    anchors = build('ssd_300', classes=3, **SETTINGS['option']).anchors(SIZE, SIZE)
    labels, offsets = SSDTargets()(batch.boxes, anchors)
    images = mx.nd.array(np.stack([PREPROCESSING.normalize(image) for image in batch.images.asnumpy()]))
    of_classes, of_boxes = (each.sum().asscalar() for each in SSDLoss()(*net(images), labels, offsets))
    positives = (labels.asnumpy() > 0).sum()
    assert positives >= 7
    expected = np.array([of_classes + of_boxes, of_classes, of_boxes]) / positives
    assert sums[:3] / 8 == pytest.approx(expected, rel=1e-5)
    assert sums[3] == positives


def test_two_devices_equal_one(scenes, net, batch):
    """The second device has no object at all, so that dividing on each would show."""
    loss = objective(scenes)
    one, sums = trained(net, loss, batch, 1)
    two, same = trained(net, loss, batch, 2)
    assert same == pytest.approx(sums, rel=1e-5)
    for name, gradient in one.items():
        assert np.allclose(two[name], gradient, rtol=1e-4, atol=1e-5 * np.abs(gradient).max()), name


def test_accumulated_batches_equal_one_batch(scenes, net, batch):
    """The second batch has no object at all, so that dividing each by its own positives would show."""
    one, sums = trained(net, objective(scenes), batch, 1)
    loss = objective(scenes)
    halves = [[DetectionBatch(*(array[begin : begin + 4] for array in batch))] for begin in (0, 4)]
    gradients, statistics = [], []
    for inputs in loss.prepare_step(halves, 0):
        with mx.autograd.record():
            ((losses, outputs),) = loss.losses(net, inputs)
        losses.backward()
        statistics.append([each.asscalar() for each in loss.statistics(*inputs, losses, outputs)])
        gradients.append({name: value.grad(mx.cpu(0)).asnumpy() for name, value in net.collect_params().items()})
    assert np.sum(statistics, axis=0) == pytest.approx(sums, rel=1e-5)
    for name, gradient in one.items():
        added = sum(each[name] for each in gradients)
        assert np.allclose(added, gradient, rtol=1e-4, atol=1e-5 * np.abs(gradient).max()), name


class _Processes:
    """Two processes, of which the other one has some positive anchors."""

    rank, size = 0, 2

    def __init__(self, others):
        self._others = others

    def add(self, name, array):
        return array + self._others


def test_positives_are_counted_over_processes(scenes, net, batch):
    alone, sums = trained(net, objective(scenes), batch, 1)
    loss = objective(scenes)
    loss.join(_Processes(others=2 * sums[3]))
    _, shared = trained(net, loss, batch, 1)
    assert shared[:3] == pytest.approx(sums[:3] * 2 / 3, rel=1e-5), 'twice the images, three times the positives'
    assert shared[3] == sums[3]


def test_a_batch_without_objects_has_no_loss(scenes, net, batch):
    empty = DetectionBatch(batch.images, mx.nd.full(batch.boxes.shape, -1))
    gradients, sums = trained(net, objective(scenes), empty, 2)
    assert (sums == 0).all()
    assert all((gradient == 0).all() for gradient in gradients.values())


def test_the_weight_of_the_boxes(scenes, net, batch):
    _, sums = trained(net, objective(scenes), batch, 1)
    _, more = trained(net, objective(scenes, box_weight=2.5), batch, 1)
    assert more[:3] == pytest.approx([sums[1] + 2.5 * sums[2], sums[1], 2.5 * sums[2]], rel=1e-5)


def test_crowds_matter_only_where_the_data_have_them(scenes, crowded):
    assert CROWD == ssd.CROWD
    assert not objective(scenes)._criterion._targets._crowds
    assert objective(crowded)._criterion._targets._crowds


def test_difficult_objects_are_ignored_where_it_is_asked_for(tmp_path):
    boxes = Boxes.of([[0, 0, 20, 20], [4, 22, 30, 30]], [0, 1], difficult=[False, True])
    write_boxes(tmp_path / 'train.rec', [(drawn(32, 32, boxes), boxes)])
    assert not objective(tmp_path)._criterion._targets._crowds
    assert objective(tmp_path, ignore_difficult=True)._criterion._targets._crowds

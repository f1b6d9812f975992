"""The loss of YOLOv3 against loops in numpy, GluonCV's loss and finite differences."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.models.detection.cell_coding import cell_graph
from gluon_cbam.tasks.detection.losses.yolo3 import YOLO3Loss
from gluon_cbam.tasks.detection.targets.yolo3 import YOLO3Targets

STRIDES, MAPS, SIDE, CLASSES = (32, 16), [(2, 2), (4, 4)], 64, 3
ANCHORS = [[(30, 40), (50, 25)], [(10, 12), (20, 16)]]
CELLS = cell_graph(mx.nd, [mx.nd.zeros((1, 1, *each)) for each in MAPS], STRIDES, ANCHORS)
BOXES = np.full((3, 5, 5), -1, np.float32)
BOXES[1, :2] = [[2, 3, 5, 31, 43], [0, 40, 30, 52, 41]]
BOXES[2, :4] = [[-2, 20, 10, 60, 62], [1, 8, 8, 20, 18], [1, 33, 36, 60, 60], [1, 9, 8, 20, 18]]  # two of one anchor


def example(seed=0):
    """Outputs of a network, of which several find the objects, and the targets."""
    random = np.random.RandomState(seed)
    targets = [each.asnumpy() for each in YOLO3Targets(STRIDES, ANCHORS)(mx.nd.array(BOXES), MAPS, SIDE, SIDE)]
    count = len(CELLS)
    logits, coded = random.normal(0, 2, (3, count, 1 + CLASSES)), random.normal(0, 0.5, (3, count, 4))
    coded[1, 1] = 0.13, 1.1, np.log(28 / 50), np.log(38 / 25)  # the first object, by another anchor than its own
    return [each.astype(np.float32) for each in (logits, coded, CELLS.asnumpy(), *targets)]


def box_of(coded, cell):
    center = cell[:2] + cell[2] / (1 + np.exp(-coded[:2]))
    half = cell[3:] * np.exp(coded[2:]) / 2
    return np.concatenate([center - half, center + half])


def shared(first, second):
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    return np.prod(np.maximum(sides, 0))


def area(box):
    return np.prod(box[2:] - box[:2])


def entropy(logit, target):
    score = 1 / (1 + np.exp(-logit.astype(np.float64)))
    return -(target * np.log(score) + (1 - target) * np.log(1 - score)).sum()


def is_ignored(found, boxes):
    """Whether an anchor without an object is ignored for what it finds."""
    for label, *corners in boxes:
        both = shared(found, np.array(corners))
        overlap = both / (area(found) + area(np.array(corners)) - both)
        if label >= 0 and overlap > 0.7 or label == -2 and both > area(found) / 2:
            return True
    return False


def expected(logits, coded, cells, anchors, wanted, weights, objects, boxes, ignored=None):
    """The sums of each image by loops; ``ignored`` for anchors that shall be ignored whatever they find."""
    result = np.zeros((4, len(logits)))
    for image in range(len(logits)):
        for number, has in enumerate(objects[image]):
            found = box_of(coded[image, number].astype(np.float64), cells[number])
            skipped = is_ignored(found, boxes[image]) if ignored is None else ignored[image, number]
            if has or not skipped:
                result[0, image] += entropy(logits[image, number, 0], has)
        for row in np.flatnonzero(weights[image]):
            number, weight = int(anchors[image, row]), weights[image, row]
            own, target = coded[image, number], wanted[image, row].astype(np.float64)
            result[1, image] += weight * entropy(own[:2], target[:2])
            result[2, image] += weight * np.abs(own[2:] - target[2:]).sum()
            result[3, image] += entropy(logits[image, number, 1:], np.arange(CLASSES) == boxes[image, row, 0])
    return result


def ignored_of(arrays):
    _, coded, cells, _, _, _, _, boxes = arrays
    return np.array([
        [is_ignored(box_of(each.astype(np.float64), cell), rows) for each, cell in zip(own, cells)]
        for own, rows in zip(coded, boxes)
    ])  # fmt: skip


def loss_of(arrays, **options):
    loss = YOLO3Loss(**options)
    loss.hybridize(static_alloc=True, static_shape=True)
    return np.array([each.asnumpy() for each in loss(*map(mx.nd.array, arrays))])


def test_sums_are_those_of_loops():
    arrays = example()
    assert loss_of(arrays) == pytest.approx(expected(*arrays), rel=1e-5)
    ignored = ignored_of(arrays) * (1 - arrays[6])
    assert ignored.sum(axis=1).astype(bool).tolist() == [False, True, True]
    assert arrays[6].sum(axis=1).tolist() == [0, 2, 2]


def test_without_crowds_their_anchors_are_examples():
    arrays = example()
    fewer = [*arrays[:-1], np.where(arrays[-1] == -2, -1, arrays[-1])]
    assert np.array_equal(loss_of(arrays, crowds=False), loss_of(fewer))
    assert loss_of(fewer)[0, 2] > loss_of(arrays)[0, 2]


def test_the_loss_is_gluoncvs():
    module = pytest.importorskip('gluoncv.model_zoo.yolo.yolo_target')
    gluoncv = pytest.importorskip('gluoncv.loss')
    arrays = example()
    arrays[-1] = np.where(arrays[-1] == -2, -1, arrays[-1])  # it has no crowds
    logits, coded, cells, anchors, wanted, weights, objects, boxes = arrays
    dense = [np.zeros((3, len(cells), size), np.float32) for size in (2, 2, 2)]
    classes = np.full((3, len(cells), CLASSES), -1, np.float32)
    for image, row in zip(*np.nonzero(weights)):
        number = int(anchors[image, row])
        dense[0][image, number], dense[1][image, number] = wanted[image, row, :2], wanted[image, row, 2:]
        dense[2][image, number] = weights[image, row]
        classes[image, number] = np.arange(CLASSES) == boxes[image, row, 0]
    found = np.array([[box_of(*each) for each in zip(own, cells)] for own in coded])
    merged = module.YOLOV3TargetMerger(CLASSES, 0.7)(
        *map(mx.nd.array, (found, boxes[:, :, 1:], objects[:, :, None], *dense, classes))
    )
    outputs = (logits[:, :, :1], coded[:, :, :2], coded[:, :, 2:], logits[:, :, 1:])
    theirs = gluoncv.YOLOV3Loss()(*map(mx.nd.array, outputs), *merged)
    assert loss_of(arrays) == pytest.approx(np.array([each.asnumpy() for each in theirs]), rel=1e-5)


def test_outputs_that_are_not_finite_show_in_the_terms_of_their_image():
    logits, coded, *others = example()
    logits[1], coded[1] = np.nan, np.nan
    assert np.isnan(loss_of([logits, coded, *others])).tolist() == [[False, True, False]] * 4


def test_gradients():
    """Against finite differences of the loops above, what is ignored unchanged."""
    arrays, step, checked = example(seed=4), 1e-4, 0
    outputs, ignored = [mx.nd.array(each) for each in arrays[:2]], ignored_of(arrays)
    for output in outputs:
        output.attach_grad()
    with mx.autograd.record():
        terms = YOLO3Loss()(*outputs, *map(mx.nd.array, arrays[2:]))
        total = sum(weight * term for weight, term in zip((1, 2, 3, 4), terms))
    total.backward()
    for which, output in enumerate(outputs):
        gradient = output.grad.asnumpy()
        for place in [each for each in np.ndindex(*gradient.shape) if arrays[6][each[:2]] or each[1] % 9 == 0]:
            values = []
            for sign in (1, -1):
                moved = [each.astype(np.float64) for each in arrays]
                moved[which][place] += sign * step
                values.append((expected(*moved, ignored=ignored) * [[1], [2], [3], [4]]).sum())
            slope = (values[0] - values[1]) / (2 * step)
            assert slope == pytest.approx(gradient[place], rel=1e-3, abs=1e-3), (which, place)
            checked += abs(slope) > 1e-6
    assert checked > 30

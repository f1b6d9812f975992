"""The loss of CenterNet against numpy, GluonCV's losses and finite differences."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.tasks.detection.losses.centernet import CenterNetLoss

IMAGES, CLASSES, ROWS, COLUMNS, OBJECTS = 3, 2, 5, 6, 4


def example(seed=0):
    """Outputs of a network, and targets: an image without objects, padding, and cells that are ignored."""
    random = np.random.RandomState(seed)
    outputs = [random.normal(0, 2, (IMAGES, depth, ROWS, COLUMNS)) for depth in (CLASSES, 2, 2)]
    heatmap = np.where(random.rand(*outputs[0].shape) < 0.5, random.uniform(0, 0.9, outputs[0].shape), 0)
    heatmap[random.rand(*heatmap.shape) < 0.1] = -1
    objects = np.array([[0, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 1]])
    cells = objects * np.stack([random.permutation(ROWS * COLUMNS)[:OBJECTS] for _ in range(IMAGES)])
    for image, place in zip(*np.nonzero(objects)):
        heatmap[image, random.randint(CLASSES)].ravel()[cells[image, place]] = 1
    sizes, offsets = random.uniform(1, 4, (IMAGES, OBJECTS, 2)), random.rand(IMAGES, OBJECTS, 2)
    return [each.astype(np.float32) for each in (*outputs, heatmap, cells, sizes, offsets, objects)]


def expected(logits, sizes, offsets, heatmap, cells, true_sizes, true_offsets, objects):
    """The sums of each image, by loops."""
    result = np.zeros((3, IMAGES))
    for image in range(IMAGES):
        for logit, target in zip(logits[image].astype(np.float64).ravel(), heatmap[image].astype(np.float64).ravel()):
            score = 1 / (1 + np.exp(-logit))
            if target == 1:
                result[0, image] -= (1 - score) ** 2 * np.log(score)
            elif target >= 0:
                result[0, image] -= (1 - target) ** 4 * score**2 * np.log(1 - score)
        for number in np.flatnonzero(objects[image]):
            row, column = divmod(int(cells[image, number]), COLUMNS)
            for term, found, wanted in ((1, sizes, true_sizes), (2, offsets, true_offsets)):
                result[term, image] += np.abs(found[image, :, row, column] - wanted[image, number]).sum() / 2
    return result


def loss_of(arrays):
    loss = CenterNetLoss()
    loss.hybridize(static_alloc=True, static_shape=True)
    return np.array([each.asnumpy() for each in loss(*map(mx.nd.array, arrays))])


def test_sums_are_those_of_loops():
    arrays = example()
    assert loss_of(arrays) == pytest.approx(expected(*arrays), rel=1e-5)
    assert loss_of(arrays)[1:, 0].tolist() == [0, 0]


def test_the_loss_is_gluoncvs():
    gluoncv = pytest.importorskip('gluoncv.loss')
    arrays = example()
    arrays[3] = np.maximum(arrays[3], 0)  # it ignores no cells
    logits, sizes, offsets, heatmap, cells, true_sizes, true_offsets, objects = arrays
    theirs = [gluoncv.HeatmapFocalLoss()(mx.nd.array(logits), mx.nd.array(heatmap)).asscalar()]
    for found, wanted in ((sizes, true_sizes), (offsets, true_offsets)):
        dense, mask = np.zeros_like(found), np.zeros_like(found)
        for image, number in zip(*np.nonzero(objects)):
            row, column = divmod(int(cells[image, number]), COLUMNS)
            dense[image, :, row, column], mask[image, :, row, column] = wanted[image, number], 1
        theirs.append(gluoncv.MaskedL1Loss()(*map(mx.nd.array, (found, dense, mask))).asscalar())
    assert loss_of(arrays).sum(axis=1) / objects.sum() == pytest.approx(theirs, rel=1e-5)


def test_a_logit_of_any_size_has_a_gradient():
    """A sure mistake: GluonCV's limits of the probabilities leave it none."""
    arrays = list(map(mx.nd.array, example()))
    arrays[3][:] = 0
    arrays[0][:] = 30
    arrays[0].attach_grad()
    with mx.autograd.record():
        focal, _, _ = CenterNetLoss()(*arrays)
    focal.backward()
    assert np.isfinite(focal.asnumpy()).all()
    assert np.allclose(arrays[0].grad.asnumpy(), 1)


def test_outputs_that_are_not_finite_show_in_the_terms_of_their_image():
    arrays = example()
    for number in range(3):
        arrays[number][1] = np.nan
    assert np.isnan(loss_of(arrays)).tolist() == [[False, True, False]] * 3


def test_gradients():
    """Against finite differences of the loops above."""
    arrays, step, checked = example(seed=4), 1e-4, 0
    outputs = [mx.nd.array(each) for each in arrays[:3]]
    for output in outputs:
        output.attach_grad()
    with mx.autograd.record():
        focal, size, offset = CenterNetLoss()(*outputs, *map(mx.nd.array, arrays[3:]))
        total = focal + 2 * size + 3 * offset
    total.backward()
    weights = np.array([[1], [2], [3]])
    for which, output in enumerate(outputs):
        gradient = output.grad.asnumpy()
        for place in list(np.ndindex(*gradient.shape))[:: 5 if which == 0 else 1]:
            values = []
            for sign in (1, -1):
                moved = [each.astype(np.float64) for each in arrays]
                moved[which][place] += sign * step
                values.append((expected(*moved) * weights).sum())
            slope = (values[0] - values[1]) / (2 * step)
            assert slope == pytest.approx(gradient[place], rel=1e-3, abs=1e-4), (which, place)
            checked += abs(slope) > 1e-6
    assert checked > 40

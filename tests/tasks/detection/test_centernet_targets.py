"""Targets of CenterNet against loops in numpy and against GluonCV's generator."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.tasks.detection.targets.centernet import CenterNetTargets, gaussian_radius

CLASSES, HEIGHT, WIDTH = 3, 16, 24


def scene(seed, objects=5, rows=8):
    """Boxes of an image of 64 x 96 pixels, padded with rows of -1."""
    random = np.random.RandomState(seed)
    low = random.uniform(0, [86, 54], (objects, 2))
    high = np.minimum(low + random.uniform(2, 60, (objects, 2)), [96, 64])
    boxes = np.full((rows, 5), -1.0)
    boxes[:objects] = np.concatenate([random.randint(0, CLASSES, (objects, 1)), low, high], axis=1)
    return boxes.astype('float32')


def radius_of(height, width, overlap=0.7):
    """The smallest of the three radii in the code of the paper."""
    total, area = height + width, height * width
    equations = (
        (1, total, area * (1 - overlap) / (1 + overlap)),
        (4, 2 * total, (1 - overlap) * area),
        (4 * overlap, -2 * overlap * total, (overlap - 1) * area),
    )
    return min((b + np.sqrt(b**2 - 4 * a * c)) / 2 for a, b, c in equations)


def expected(boxes, height=HEIGHT, width=WIDTH):
    """The heat map, and the cell, size and offset of each object, by loops over cells."""
    heatmap, objects = np.zeros((CLASSES, height, width)), []
    for label, *corners in boxes.astype(np.float64):
        if label < 0:
            continue
        left, top, right, bottom = np.array(corners) / 4
        x, y = (left + right) / 2, (top + bottom) / 2
        radius = int(radius_of(np.ceil(bottom - top), np.ceil(right - left)))
        deviation = (2 * radius + 1) / 6
        for row in range(max(0, int(y) - radius), min(height, int(y) + radius + 1)):
            for column in range(max(0, int(x) - radius), min(width, int(x) + radius + 1)):
                square = (row - int(y)) ** 2 + (column - int(x)) ** 2
                here = heatmap[int(label), row]
                here[column] = max(here[column], np.exp(-square / (2 * deviation**2)))
        objects.append([int(y) * width + int(x), right - left, bottom - top, x - int(x), y - int(y)])
    return heatmap, np.array(objects).reshape(-1, 5)


def targets_of(boxes, **options):
    return [each.asnumpy() for each in CenterNetTargets(CLASSES, 4, **options)(mx.nd.array(boxes), HEIGHT, WIDTH)]


def test_radii_are_those_of_the_code_of_the_paper():
    sides = np.arange(1, 161)
    width, height = (each.ravel() for each in np.meshgrid(sides, sides))
    size = mx.nd.array(np.stack([width, height], axis=1)[None], dtype='float64')
    wanted = np.floor([radius_of(*each) for each in zip(height.astype(float), width.astype(float))])
    assert np.array_equal(gaussian_radius(mx.nd, size).asnumpy()[0], wanted)
    assert (wanted[(width == 20) & (height == 35)], wanted.max()) == (7, 43), 'an exact one, which rounding could miss'


def test_targets_are_those_of_loops():
    batch = np.stack([scene(seed, objects) for seed, objects in enumerate((0, 1, 4, 8))])
    heatmap, cells, sizes, offsets, objects = targets_of(batch)
    for image, boxes in enumerate(batch):
        wanted, rows = expected(boxes)
        count = len(rows)
        assert np.abs(heatmap[image] - wanted).max() <= 1e-6
        assert np.array_equal(heatmap[image] == 1, wanted == 1)
        assert objects[image].tolist() == [1] * count + [0] * (8 - count)
        assert cells[image].tolist() == [*rows[:, 0], *[0] * (8 - count)]
        assert np.abs(np.column_stack([sizes[image], offsets[image]])[:count] - rows[:, 1:]).max(initial=0) <= 1e-5


def test_targets_are_gluoncvs():
    module = pytest.importorskip('gluoncv.model_zoo.center_net.target_generator')
    generator = module.CenterNetTargetGenerator(CLASSES, WIDTH, HEIGHT)
    for seed in range(4):
        boxes = scene(seed)
        heatmap, cells, sizes, offsets, objects = targets_of(boxes[None])
        rows = boxes[:5].astype(np.float64)
        theirs, size_map, mask, offset_map, _ = (each.asnumpy() for each in generator(rows[:, 1:] / 4, rows[:, 0]))
        assert np.abs(heatmap[0] - theirs).max() <= 1e-6
        assert mask[0].sum() == 5, 'no two objects in a cell, of which GluonCV takes the last'
        for number, cell in enumerate(cells[0, :5].astype(int)):
            assert np.abs(size_map.reshape(2, -1)[:, cell] - sizes[0, number]).max() <= 1e-5
            assert np.abs(offset_map.reshape(2, -1)[:, cell] - offsets[0, number]).max() <= 1e-5


def test_rows_of_padding_change_nothing():
    boxes = scene(0, 3)
    heatmap, *_ = targets_of(boxes[None])
    moved = targets_of(np.concatenate([np.full((5, 5), -1, 'float32'), boxes])[None])
    assert np.array_equal(heatmap, moved[0])
    assert moved[4][0].tolist() == [0] * 5 + [1] * 3 + [0] * 5


def test_cells_in_a_crowd_are_ignored():
    """Those that no object reaches; objects in the crowd are objects."""
    boxes = np.array([[1, 20, 20, 36, 36], [-2, 10, 6, 62, 50], [-1] * 5], 'float32')
    heatmap, _, _, _, objects = targets_of(boxes[None])
    wanted, _ = expected(boxes)
    for row in range(HEIGHT):
        for column in range(WIDTH):
            inside = 10 < 4 * (column + 0.5) < 62 and 6 < 4 * (row + 0.5) < 50
            here = wanted[:, row, column]
            assert np.allclose(heatmap[0, :, row, column], np.where((here == 0) & inside, -1, here), atol=1e-6)
    assert (heatmap == -1).sum() > 300
    assert objects[0].tolist() == [1, 0, 0]
    without = targets_of(boxes[None], crowds=False)[0]
    assert np.array_equal(without, np.maximum(heatmap, 0))

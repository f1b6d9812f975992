"""Where maps lie on images: measured by which pixels move a cell."""

import cv2
import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

import gluon_cbam
from gluon_cbam import explain
from gluon_cbam.explain.maps.grid import sample_at_cells


class Averages(nn.HybridSequential):
    """Convolutions and poolings that weigh all they see alike, so that a cell's center of gravity is its place."""

    def __init__(self, *layers):
        super().__init__()
        for kind, kernel, stride, pad, dilate in layers:
            if kind == 'conv':
                self.add(nn.Conv2D(1, kernel, stride, pad, dilate, use_bias=False, weight_initializer='ones'))
            else:
                self.add(nn.AvgPool2D(kernel, stride, pad))
        self.add(nn.GlobalAvgPool2D(), nn.Dense(2))


@pytest.mark.parametrize(
    'layers, stride, start',
    [
        ([('conv', 3, 1, 1, 1)], 1, 0),
        ([('conv', 7, 2, 3, 1), ('conv', 3, 2, 1, 1)], 4, 0),
        ([('conv', 3, 1, 1, 1), ('pool', 2, 2, 0, 1), ('pool', 2, 2, 0, 1)], 4, 1.5),
        ([('conv', 3, 2, 0, 1), ('conv', 3, 1, 2, 2)], 2, 1),
        ([('conv', (1, 3), (1, 2), (0, 1), 1)], (1, 2), 0),
    ],
)
def test_grids_equal_the_receptive_fields(layers, stride, start):
    net = Averages(*layers)
    net.initialize()
    found = explain.grad_cam(net, np.ones((1, 1, 32, 32)), 0, layer=str(len(layers) - 1))
    stride = stride if isinstance(stride, tuple) else (stride, stride)
    assert found.grid == (stride, (start, start))
    image = mx.nd.ones((1, 1, 32, 32))
    image.attach_grad()
    cell, value = (5, 4), image
    with mx.autograd.record():
        for block in list(net)[: len(layers)]:
            value = block(value)
        chosen = value[0, 0, cell[0], cell[1]]
    chosen.backward()
    weights = image.grad[0, 0].asnumpy()
    center = [(np.indices((32, 32))[axis] * weights).sum() / weights.sum() for axis in (0, 1)]
    np.testing.assert_allclose(center, [start + stride[axis] * cell[axis] for axis in (0, 1)], atol=1e-4)


def test_grids_of_the_networks():
    image = np.zeros((1, 3, 64, 64), np.float32)
    for name, strides, start in (
        ('cbam_resnet18', (4, 4, 8, 8, 16, 16, 32, 32), 0),
        ('cbamnet_tiny', (1, 2), None),
    ):
        net = gluon_cbam.get_model(name, classes=2)
        net.initialize()
        grids = [maps.grid for maps in explain.attention_maps(net, image)]
        assert [grid.stride for grid in grids] == [(stride, stride) for stride in strides]
        assert all(grid.start == 2 * ((grid.stride[0] - 1) / 2 if start is None else start,) for grid in grids)


def test_a_map_of_a_resnet_is_on_the_changed_pixels():
    """Resizing, which divides the image evenly, shifts it by half a cell down and to the right."""
    mx.random.seed(3)
    net = gluon_cbam.get_model('cifar_resnet18', classes=2)
    net.initialize()
    side, places = 64, [(row, column) for row in (16, 21, 26, 40) for column in (18, 27, 36)]
    images = np.zeros((len(places) + 1, 3, side, side), np.float32)
    for image, (row, column) in zip(images, places):
        image[:, row : row + 5, column : column + 5] = 2
    grid = explain.grad_cam(net, images[:1], 0, 'layer3').grid
    maps = gluon_cbam.features(net, (2,))(mx.nd.array(images))[0].asnumpy()
    moved = np.square(np.abs(maps[:-1] - maps[-1:]).sum(axis=1))

    def errors(grid):
        found = [explain.upsample_map(heat, (side, side), grid) for heat in moved]
        peaks = [np.argwhere(heat >= 0.8 * heat.max()).mean(axis=0) for heat in found]
        return np.mean(np.subtract(peaks, np.add(places, 2)), axis=0)

    assert np.abs(errors(grid)).max() < 0.7  # pixels; a cell is 4
    assert errors(None).min() > 1


def test_upsampling_puts_a_cell_at_its_place():
    heat = np.zeros((4, 4), np.float32)
    heat[1, 2] = 1
    placed = explain.upsample_map(heat, (16, 16), explain.Grid((4, 4), (0, 0)))
    assert np.unravel_index(placed.argmax(), placed.shape) == (4, 8) and placed.max() == 1
    assert placed[6, 8] == 0.5 and placed[8, 8] == 0
    evenly = explain.upsample_map(heat, (16, 16))  # resizing: the cell covers rows 4..7 and columns 8..11
    assert np.isclose(evenly[5:7, 9:11], evenly.max()).all() and evenly[12:, :].max() == 0
    assert (explain.upsample_map(np.ones((1, 1)), (5, 7)) == 1).all()


@pytest.mark.parametrize('cells, pixels', [((4, 4), (64, 64)), ((3, 5), (17, 11)), ((1, 1), (6, 6)), ((7, 7), (7, 7))])
def test_even_upsampling_is_resizing(cells, pixels):
    maps = np.random.RandomState(0).rand(3, *cells).astype(np.float32)
    expected = [cv2.resize(one, pixels[::-1], interpolation=cv2.INTER_LINEAR) for one in maps]
    np.testing.assert_allclose(explain.upsample_map(maps, pixels), expected, atol=1e-6)


def test_an_image_at_the_cells():
    image = np.arange(16.0).reshape(4, 4)
    assert sample_at_cells(image, (2, 2)).tolist() == [[2.5, 4.5], [10.5, 12.5]]  # the middles of four pixels
    assert sample_at_cells(image, (2, 2), explain.Grid((2, 2), (0, 0))).tolist() == [[0, 2], [8, 10]]
    assert np.array_equal(sample_at_cells(image, (4, 4)), image)


def test_an_upsampling_makes_the_grid_unknown():
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(2, 3, strides=2, padding=1),
        nn.HybridLambda(lambda F, x: F.UpSampling(x, scale=4, sample_type='nearest')),
        nn.GlobalAvgPool2D(),
        nn.Dense(2),
    )
    net.initialize()
    assert explain.grad_cam(net, np.ones((1, 3, 16, 16)), 0).grid is None
    assert explain.grad_cam(net, np.ones((1, 3, 16, 16)), 0, layer='0').grid == ((2, 2), (0, 0))

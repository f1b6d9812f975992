"""Anchors, as arrays and as graphs, against GluonCV's generator and against hand-made ones."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.models import variant
from gluon_cbam.models.detection.anchors import AnchorLevel, anchor_array, anchor_graph
from gluon_cbam.models.detection.box_coding import decode, encode
from gluon_cbam.models.detection.ssd import levels_of

THIRD = 1 / 3
# maps, sizes, ratios and steps of GluonCV's presets
GLUONCV = {
    'ssd_300': (
        [38, 19, 10, 5, 3, 1],
        [30, 60, 111, 162, 213, 264, 315],
        [8, 16, 32, 64, 100, 300],
        8732,
    ),
    'ssd_512': (
        [32, 16, 8, 4, 2, 1],
        [51.2, 102.4, 189.4, 276.4, 363.52, 450.6, 492],
        [16, 32, 64, 128, 256, 512],
        6132,
    ),
    'ssd_512_vgg16': (
        [64, 32, 16, 8, 4, 2, 1],
        [51.2, 76.8, 153.6, 230.4, 307.2, 384.0, 460.8, 537.6],
        [8, 16, 32, 64, 128, 256, 512],
        24564,
    ),
    'ssd_300_lite': ([19, 10, 5, 3, 2, 1], [60, 105, 150, 195, 240, 285, 300], [16, 30, 60, 100, 150, 300], 2278),
}
FOUR, SIX = [1, 2, 0.5], [1, 2, 0.5, 3, THIRD]
USUAL = [FOUR, SIX, SIX, SIX, FOUR, FOUR]
RATIOS = {
    'ssd_512_vgg16': [FOUR, SIX, SIX, SIX, SIX, FOUR, FOUR],
    'ssd_300_lite': [FOUR, SIX, SIX, SIX, SIX, SIX],
}


@pytest.mark.parametrize('name', GLUONCV)
def test_anchors_are_gluoncvs(name):
    generator = pytest.importorskip('gluoncv.model_zoo.ssd.anchor').SSDAnchorGenerator
    maps, sizes, steps, count = GLUONCV[name]
    base = variant(name).image_size
    theirs = []
    for number, (cells, ratios, step) in enumerate(zip(maps, RATIOS.get(name, USUAL), steps)):
        block = generator(number, (base, base), sizes[number : number + 2], ratios, step, (cells, cells))
        block.initialize()
        theirs.append(block(mx.nd.zeros((1, 1, cells, cells))).asnumpy()[0])
    ours = anchor_array(levels_of(variant(name)), [(cells, cells) for cells in maps], base, base)
    assert ours.shape == (count, 4)
    assert np.abs(ours - np.concatenate(theirs)).max() <= 4e-5


def test_sizes_grow_with_the_image_and_cells_fill_it():
    level = AnchorLevel(0.25, 0.5, (1, 4))
    anchors = anchor_array([level], [(1, 2)], 40, 80)
    expected = []
    for center in ((20, 20), (60, 20)):
        for width, height in ((0.25, 0.25), (0.125**0.5, 0.125**0.5), (0.5, 0.125)):
            expected.append((*center, width * 80, height * 40))
    assert np.allclose(anchors, expected)


def test_fixed_steps_stay():
    anchors = anchor_array([AnchorLevel(0.1, 0.2, (1,), 8)], [(2, 3)], 100, 100)
    assert anchors[::2, 0].tolist() == [4, 12, 20, 4, 12, 20]
    assert anchors[::2, 1].tolist() == [4, 4, 4, 12, 12, 12]


@pytest.mark.parametrize(('height', 'width'), [(300, 300), (96, 64)])
def test_the_graph_gives_the_array(height, width):
    levels = levels_of(variant('ssd_300'))
    maps = [(-(-height // stride), -(-width // stride)) for stride in (8, 16, 32, 64, 128, 256)]
    arrays = [mx.nd.zeros((2, 5, *cells)) for cells in maps]
    graph = anchor_graph(mx.nd, levels, arrays, mx.nd.zeros((2, 3, height, width)))
    array = anchor_array(levels, maps, height, width)
    assert np.abs(graph.asnumpy() - array).max() <= 1e-6 * array.max()


def test_coding_is_its_own_inverse_and_the_papers():
    random = np.random.RandomState(0)
    low = random.uniform(0, 50, (2, 7, 2))
    corners = np.concatenate([low, low + random.uniform(1, 50, (2, 7, 2))], axis=2)
    anchors = random.uniform(5, 60, (1, 7, 4))
    coded = encode(mx.nd, mx.nd.array(corners), mx.nd.array(anchors))
    for image in range(2):
        for number in range(7):
            xmin, ymin, xmax, ymax = corners[image, number]
            ax, ay, aw, ah = anchors[0, number]
            expected = (
                ((xmin + xmax) / 2 - ax) / aw / 0.1,
                ((ymin + ymax) / 2 - ay) / ah / 0.1,
                np.log((xmax - xmin) / aw) / 0.2,
                np.log((ymax - ymin) / ah) / 0.2,
            )
            assert np.allclose(coded.asnumpy()[image, number], expected, rtol=1e-4, atol=1e-4)
    assert np.abs(decode(mx.nd, coded, mx.nd.array(anchors)).asnumpy() - corners).max() <= 1e-4


def test_boxes_stay_finite_where_a_network_diverges():
    corners = decode(mx.nd, mx.nd.array([[[0, 0, 1e30, 1e30]]]), mx.nd.array([[[50, 50, 10, 10]]])).asnumpy()
    assert np.allclose(corners, [[[50 - 5000, 50 - 5000, 50 + 5000, 50 + 5000]]], rtol=1e-4)

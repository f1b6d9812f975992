"""Anchors and proposals of region proposal networks, against numpy."""

import mxnet as mx
import numpy as np
import pytest
from region_boxes import iou, random_boxes

from gluon_cbam.models.detection.box_coding import encode
from gluon_cbam.models.detection.boxes import centered, covered, overlaps
from gluon_cbam.models.detection.proposals import SCALES, Proposals
from gluon_cbam.models.detection.region_anchors import RegionLevel, region_anchors

RATIOS = (0.5, 1, 2)


def test_anchors_of_a_cell_are_those_of_the_paper_s_code():
    shapes = RegionLevel(16, (128, 256, 512), RATIOS).shapes + 1  # the nine anchors that py-faster-rcnn prints
    assert shapes.tolist() == [
        [184, 96], [368, 192], [736, 384], [128, 128], [256, 256], [512, 512], [88, 176], [176, 352], [352, 704],
    ]  # fmt: skip


def test_anchors_of_maps():
    levels = [RegionLevel(4, (32,), RATIOS), RegionLevel(8, (64,), RATIOS)]
    maps = [(3, 5), (2, 3)]
    found = region_anchors(mx.nd, levels, [mx.nd.zeros((2, 7, *cells)) for cells in maps]).asnumpy()
    expected = [
        [(stride - 1) / 2 + column * stride, (stride - 1) / 2 + row * stride, width - 1, height - 1]
        for (rows, columns), stride, shapes in zip(
            maps, (4, 8), ([(48, 24), (32, 32), (24, 48)], [(88, 48), (64, 64), (48, 96)])
        )
        for row in range(rows) for column in range(columns) for width, height in shapes
    ]  # fmt: skip
    assert np.array_equal(found, np.array(expected, np.float32))


def test_overlaps_of_each_image():
    random = np.random.RandomState(0)
    first, second = (np.stack([random_boxes(random, count) for _ in range(3)]) for count in (4, 9))
    first[1, 2] = 0  # padding
    found = overlaps(mx.nd, mx.nd.array(first), mx.nd.array(second)).asnumpy()
    assert np.abs(found - [iou(*pair) for pair in zip(first, second)]).max() < 1e-5
    shares = covered(mx.nd, mx.nd.array(first), mx.nd.array(second)).asnumpy()
    area = np.prod(second[..., 2:] - second[..., :2], axis=2)
    shared = np.stack([iou(*pair) for pair in zip(first, second)])
    both = np.prod(first[..., 2:] - first[..., :2], axis=2)[:, :, None] + area[:, None]
    assert np.abs(shares - (shared / (1 + shared) * both / area[:, None]).max(axis=1)).max() < 1e-4


def suppressed(boxes, scores, after, threshold):
    """Greedy non-maximum suppression."""
    kept = []
    for number in np.argsort(-scores, kind='stable'):
        if not kept or iou(boxes[[number]], boxes[kept]).max() <= threshold:
            kept.append(number)
    return kept[:after]


@pytest.mark.parametrize(('before', 'after', 'smallest'), [(60, 20, 1), (400, 300, 1), (60, 20, 12)])
def test_proposals(before, after, smallest):
    random = np.random.RandomState(1)
    count = 200
    anchors = mx.nd.array(random_boxes(random, count))
    wanted = np.stack([random_boxes(random, count, 130) - 10 for _ in range(2)])  # some reach over the borders
    logits = random.normal(0, 2, (2, count))
    offsets = encode(mx.nd, mx.nd.array(wanted), centered(mx.nd, anchors).expand_dims(0), SCALES)
    boxes, exist = Proposals(before, after, 0.7, smallest)(
        mx.nd, mx.nd.array(logits), offsets, centered(mx.nd, anchors), mx.nd.zeros((2, 3, 90, 100))
    )
    assert boxes.shape == (2, after, 4)
    for found, there, whole, scores in zip(boxes.asnumpy(), exist.asnumpy(), wanted, logits):
        inside = whole.clip(0, [100, 90, 100, 90])
        sides = inside[:, 2:] - inside[:, :2]
        large = np.flatnonzero(((sides > 0) & (sides + 1 >= smallest)).all(axis=1))
        best = large[np.argsort(-scores[large])][:before]
        expected = inside[best[suppressed(inside[best], scores[best], after, 0.7)]]
        assert there.sum() == len(expected)
        assert there[: len(expected)].all()
        assert np.abs(found[: len(expected)] - expected).max() < 1e-3
        assert not found[len(expected) :].any()

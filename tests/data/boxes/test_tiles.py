"""Tiles of pictures with boxes, against pixels and boxes found by hand."""

import numpy as np
import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.boxes.tiles import cut_tiles


def picture(height, width):
    """Each pixel tells its row and column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows % 256, columns % 256, 3 * (rows // 256) + columns // 256], axis=2).astype(np.uint8)


@pytest.mark.parametrize('height, width, size, overlap', [(100, 100, 50, 0), (90, 333, 64, 0), (300, 200, 64, 20)])
def test_tiles_cover_the_picture(height, width, size, overlap):
    pixels = picture(height, width)
    seen = np.zeros((height, width), int)
    places = {(0, 0)}
    for tile in cut_tiles(pixels, Boxes.empty(), size, overlap):
        assert tile.pixels.shape == (size, size, 3)
        assert np.array_equal(tile.pixels, pixels[tile.top : tile.top + size, tile.left : tile.left + size])
        seen[tile.top : tile.top + size, tile.left : tile.left + size] += 1
        places.add((tile.top, tile.left))
    assert (seen > 0).all()
    for starts in ({top for top, _ in places}, {left for _, left in places}):
        assert (np.diff(sorted(starts)) <= size - overlap).all()


def test_a_small_picture_is_one_tile():
    (tile,) = cut_tiles(picture(30, 40), Boxes.of([[0, 0, 40, 30]], [0]), 64)
    assert (tile.pixels.shape, tile.boxes.corners.tolist()) == ((30, 40, 3), [[0, 0, 40, 30]])


def test_boxes_are_cut_and_difficult_where_less_than_half_is_inside():
    boxes = Boxes.of(
        [[10, 10, 20, 20], [40, 10, 60, 20], [44, 30, 64, 40], [49.5, 40, 59.5, 45]],
        [0, 1, 2, 3], [1, 0, 0, 0], [0, 0, 1, 0], [50, 100, 80, 20],
    )  # fmt: skip
    left, right = cut_tiles(picture(50, 100), boxes, 50)
    assert left.boxes.corners.tolist() == [[10, 10, 20, 20], [40, 10, 50, 20], [44, 30, 50, 40]]
    assert left.boxes.classes.tolist() == [0, 1, 2]  # of the last one, half a pixel is left
    assert left.boxes.difficult.tolist() == [True, False, True]
    assert left.boxes.crowd.tolist() == [False, False, True]
    assert left.boxes.areas.tolist() == pytest.approx([50, 50, 24])
    assert right.boxes.corners.tolist() == [[0, 10, 10, 20], [0, 30, 14, 40], [0, 40, 9.5, 45]]
    assert right.boxes.difficult.tolist() == [False, False, False]


@pytest.mark.parametrize('overlap', [-1, 50])
def test_impossible_overlaps(overlap):
    with pytest.raises(UsageError, match='must be 0 to 49'):
        list(cut_tiles(picture(60, 60), Boxes.empty(), 50, overlap))

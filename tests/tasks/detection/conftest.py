"""Scenes of 32 pixels with colored rectangles, whose class is the color."""

import numpy as np
import pytest
from box_scenes import apart, drawn, with_polygons, write_boxes
from detection_runs import NAMES, settings

from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.training import make_config, train


def scene(seed, height=32, width=32):
    boxes = with_polygons(apart(height, width, seed % 3, seed))
    noise = np.random.RandomState(seed).randint(0, 40, (height, width, 3), np.uint8)
    return np.maximum(drawn(height, width, boxes), noise), boxes


@pytest.fixture(scope='package')
def scenes(tmp_path_factory):
    """The folder of train.rec, 48 pictures, and val.rec, 19 pictures of different sizes; a third has no object."""
    folder = tmp_path_factory.mktemp('scenes')
    write_boxes(folder / 'train.rec', [scene(number) for number in range(48)], NAMES)
    write_boxes(folder / 'val.rec', [scene(100 + number, 32 + number, 60 - number) for number in range(19)])
    return folder


@pytest.fixture(scope='package')
def crowded(tmp_path_factory):
    """Pictures with a crowd and an object that is difficult each."""
    boxes = Boxes.of([[0, 0, 20, 20], [4, 22, 30, 30]], [0, 1], difficult=[False, True], crowd=[True, False])
    folder = tmp_path_factory.mktemp('crowded')
    write_boxes(folder / 'train.rec', [(drawn(32, 32, boxes), boxes)] * 8, NAMES)
    return folder


@pytest.fixture(scope='package')
def trained(scenes, tmp_path_factory):
    """The folder of a run."""
    output = tmp_path_factory.mktemp('runs') / 'scenes'
    train(
        make_config(
            **settings(scenes, output, epochs=8, augment='flip', keep_best=2, image_size=64, batch_size=4, lr=0.002)
        )
    )
    return output

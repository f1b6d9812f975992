"""Scenes of rectangles, and a short run on them."""

import mask_scenes
import pytest

from gluon_cbam.training import make_config, train


@pytest.fixture(scope='package')
def scenes(tmp_path_factory):
    """The folder of train.rec, 32 pictures, and val.rec, 11 pictures of different sizes."""
    folder = tmp_path_factory.mktemp('masks')
    mask_scenes.write_masks(folder / 'train.rec', [mask_scenes.scene(number) for number in range(32)])
    val = [mask_scenes.scene(100 + number, 24 + 3 * number, 60 - number) for number in range(11)]
    mask_scenes.write_masks(folder / 'val.rec', val)
    return folder


@pytest.fixture(scope='package')
def trained(scenes, tmp_path_factory):
    """The folder of a run."""
    output = tmp_path_factory.mktemp('runs') / 'masks'
    train(make_config(**mask_scenes.settings(scenes, output, epochs=6)))
    return output

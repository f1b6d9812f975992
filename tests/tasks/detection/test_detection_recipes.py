"""The recipes of detection: GluonCV's settings."""

import pytest

from gluon_cbam.training import make_config
from gluon_cbam.training.config.recipes import names, read_recipe
from gluon_cbam.training.optim.lr_schedule import schedule


def test_the_recipe_of_faster_rcnn():
    config = make_config(**read_recipe('faster_rcnn_fpn').values, data_train='train.rec').check()
    assert (config.augment, config.total_batch_size, config.epochs) == ('flip', 8, 26)
    assert (config.wd, config.momentum, config.optimizer) == (1e-4, 0.9, 'sgd')
    rate = schedule(config, 14659)  # steps of an epoch of COCO 2017
    rates = [rate(step) for step in (500, 2000, 17 * 14659 - 1, 17 * 14659, 23 * 14659)]
    assert rates == pytest.approx([0.00487, 0.01, 0.01, 1e-3, 1e-4], rel=0.01)


@pytest.mark.parametrize('name', ['ssd_300', 'ssd_512'])
def test_recipes_have_the_settings_of_the_source(name):
    assert name in names()
    config = make_config(**read_recipe(name).values, data_train='train.rec').check()
    assert (config.task, config.network, config.augment) == ('detection', name, 'ssd')
    assert (config.total_batch_size, config.epochs, config.optimizer) == (32, 240, 'sgd')
    assert (config.wd, config.momentum, config.match_iou, config.negatives) == (5e-4, 0.9, 0.5, 3.0)
    rate = schedule(config, 517)  # steps of an epoch of Pascal VOC 2007 and 2012
    rates = [rate(epoch * 517) for epoch in (0, 159, 160, 199, 200, 239)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5])

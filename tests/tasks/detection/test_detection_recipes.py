"""The recipes of detection: GluonCV's settings."""

import pytest

from gluon_cbam.training import make_config
from gluon_cbam.training.config.recipes import names, read_recipe
from gluon_cbam.training.optim.lr_schedule import schedule


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

"""The recipes of detection: GluonCV's settings."""

import pytest

from gluon_cbam.models.registry import default_learning_rate
from gluon_cbam.training import make_config
from gluon_cbam.training.config.recipes import names, read_recipe
from gluon_cbam.training.optim.lr_schedule import schedule


@pytest.mark.parametrize('name', ['faster_rcnn_fpn', 'mask_rcnn_fpn'])
def test_recipes_of_detectors_with_two_stages(name):
    config = make_config(**read_recipe(name).values, data_train='train.rec').check()
    assert config.network == name
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


@pytest.mark.parametrize(
    ('name', 'images', 'epochs', 'optimizer', 'wd', 'steps', 'rate'),
    [
        ('centernet', 32, 140, 'adam', 1e-4, (90, 120), 1.25e-4),
        ('yolo3', 64, 200, 'sgd', 5e-4, (160, 180), 1e-3),
    ],
)
def test_recipes_of_points(name, images, epochs, optimizer, wd, steps, rate):
    config = make_config(**read_recipe(name).values, data_train='train.rec').check()
    assert (config.task, config.network, config.total_batch_size, config.epochs) == ('detection', name, images, epochs)
    assert (config.optimizer, config.wd, config.lr, tuple(config.lr_step_epochs)) == (optimizer, wd, rate, steps)
    assert config.wd_mult == ({'*.bias': 0} if name == 'centernet' else {})
    assert config.augment == ('centernet' if name == 'centernet' else 'ssd')


@pytest.mark.parametrize('name', ['ssd_300', 'ssd_512', 'faster_rcnn_fpn', 'yolo3', 'fcn', 'deeplabv3'])
def test_networks_have_the_rate_of_their_recipe(name):
    """Without a recipe, the rate of classification let a detector diverge in the first steps."""
    values = read_recipe(name).values
    assert (values['network'], values['optimizer'], default_learning_rate(name)) == (name, 'sgd', values['lr'])

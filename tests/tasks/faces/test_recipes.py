"""The recipes of faces: insightface's settings, and steps at which the learning rate falls."""

import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.models import list_models
from gluon_cbam.training import make_config
from gluon_cbam.training.config.recipes import read_recipe
from gluon_cbam.training.optim.lr_schedule import schedule

RECIPES = ('arcface_r50', 'arcface_r100', 'cosface_r50', 'combined_r50', 'triplet_r50')


@pytest.mark.parametrize('name', RECIPES)
def test_recipes_have_the_settings_of_the_source(name):
    config = make_config(**read_recipe(name).values, data_train='train.rec').check()
    assert (config.task, config.network in list_models()) == ('faces', True)
    assert (config.wd, config.momentum, config.augment, config.val_interval) == (5e-4, 0.9, 'face', 2000)
    assert (config.batch_size, config.lr) == ((60, 0.05) if 'triplet' in name else (128, 0.1))
    rate = schedule(config, 5664)  # steps of an epoch of MS1MV2 on 8 devices
    rates = [rate(step) / config.lr for step in (0, 99_999, 100_000, 159_999, 160_000, 219_999, 220_000)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01, 0.001])
    assert config.epochs * 5664 > 220_000


def test_steps_count_those_of_the_warm_up():
    config = make_config(
        network='cbamnet_tiny', data_train='train.rec', lr=1.0, lr_steps=[20], epochs=10, warmup_epochs=1
    )
    rate = schedule(config.check(), 5)
    assert [rate(step) for step in (4, 19, 20)] == pytest.approx([1, 1, 0.1])


def test_steps_need_their_schedule():
    with pytest.raises(UsageError, match='--lr-steps is of --lr-mode step, got cosine'):
        make_config(network='cbamnet_tiny', data_train='x', lr_steps=[20], lr_mode='cosine').check()

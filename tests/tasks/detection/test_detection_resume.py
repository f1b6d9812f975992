"""A run of detection in processes that are killed, and continued."""

import random

import pytest
from detection_runs import MASK_RCNN_OPTION, OPTION, POINTS, RCNN_OPTION, settings
from kills import CBAM, finish, kill
from run_folders import assert_same_run

from gluon_cbam.training import make_config, train


def command(values):
    flags = [f'--{name.replace("_", "-")}={value}' for name, value in values.items() if name != 'option']
    return [CBAM, 'train', *flags, *(f'--option={name}={value}' for name, value in values['option'].items())]


@pytest.mark.slow
@pytest.mark.parametrize(
    ('network', 'option'),
    [
        ('ssd_300', OPTION),
        ('faster_rcnn_fpn', RCNN_OPTION),
        ('mask_rcnn_fpn', MASK_RCNN_OPTION),
        *POINTS.items(),
    ],
)
def test_a_run_that_is_killed_equals_an_uninterrupted_one(network, option, scenes, tmp_path):
    values = settings(
        scenes, tmp_path / 'run', network=network, option=option, epochs=3, log_interval=1, save_interval=2,
        augment='ssd', ema=0.9, multi_scale='32,64',
    )  # fmt: skip
    train(make_config(**{**values, 'output': str(tmp_path / 'unbroken')}))
    chance = random.Random(1)
    moments = [kill(command(values), tmp_path / 'run', chance) for _ in range(2)]
    assert moments != [None] * 2, 'the run ended before it was killed'
    finish(command(values))
    assert_same_run(tmp_path / 'run', tmp_path / 'unbroken')

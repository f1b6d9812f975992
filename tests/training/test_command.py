"""The command that repeats a run."""

import shlex

import pytest

from gluon_cbam.cli.commands.train import train
from gluon_cbam.training import TrainConfig
from gluon_cbam.training.config.command import command_of


@pytest.mark.parametrize(
    ('settings', 'arguments'),
    [
        ({'freeze': ['layer1', '*.bias']}, "--freeze layer1 --freeze '*.bias'"),
        ({'no_decay': True, 'zero_gamma': True}, '--zero-gamma --no-decay'),
        ({'wd_mult': {'fc': 0.5}, 'lr_mult': {'*head': 10}}, "--wd-mult fc=0.5 --lr-mult '*head=10'"),
        ({'pretrained': '', 'lr_step_epochs': [2.5]}, "--pretrained '' --lr-step-epochs 2.5"),
    ],
)
def test_settings_of_each_kind(settings, arguments):
    config = TrainConfig(network='cbamnet_tiny', data_train='digits/train.rec', **settings)
    command = command_of(config.as_file())
    assert set(shlex.split(arguments)) <= set(shlex.split(command))
    parsed = train.make_context('train', shlex.split(command)[2:]).params
    assert {name: parsed[name] for name in settings} == settings

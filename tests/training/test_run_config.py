"""The resolved configuration of a run."""

import dataclasses

import pytest

from gluon_cbam.training import TrainConfig
from gluon_cbam.training.config.run_config import RunConfig

FOUND = {'workers': 2, 'classes': 10, 'image_size': 32, 'crop_ratio': 1.0, 'resize': 'crop', 'augment': 'cifar'}


@pytest.fixture
def config():
    return TrainConfig(network='cbamnet_tiny', data_train='train.rec', option={'norm': 'batch'}, lr=0.3).check()


def test_resolved_values_override_the_configuration(config):
    run = RunConfig.resolved(config, **FOUND, lr=0.6)
    assert {name: getattr(run, name) for name in FOUND} == FOUND
    assert (run.lr, run.option, config.lr, config.workers) == (0.6, {'norm': 'batch'}, 0.3, None)
    assert list(run.as_file()) == list(config.as_file())


def test_missing_values_are_refused(config):
    with pytest.raises(ValueError, match='a run needs classes, augment, got None'):
        RunConfig.resolved(config, **{**FOUND, 'classes': None, 'augment': None})


def test_it_is_immutable(config):
    run = RunConfig.resolved(config, **FOUND)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign 'lr'"):
        run.lr = 1.0
    run.option['norm'] = 'none'
    assert config.option == {'norm': 'batch'}

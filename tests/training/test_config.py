"""Settings, and the messages for wrong ones."""

import dataclasses

import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.models.registry import default_learning_rate
from gluon_cbam.training import TrainConfig

GOOD = {'network': 'cbamnet_tiny', 'data_train': 'train.rec'}


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'network': None}, '--network is needed'),
        ({'data_train': None}, '--data-train is needed'),
        ({'kv_store': 'foo'}, "--kv-store 'foo' is unknown"),
        ({'kv_store': 'devise'}, "--kv-store 'devise' is unknown: did you mean device"),
        ({'optimizer': 'rmsprop'}, "--optimizer 'rmsprop' is unknown"),
        ({'lr_mode': 'cos'}, "--lr-mode 'cos' is unknown: did you mean cosine"),
        ({'batch_size': 0}, '--batch-size must be at least 1, got 0'),
        ({'lr': -0.1}, '--lr must be at least 0, got -0.1'),
        ({'lr': float('nan')}, '--lr must be at least 0, got nan'),
        ({'lr': float('inf')}, '--lr must be at least 0 and finite, got inf'),
        ({'momentum': 1.0}, '--momentum must be at least 0 and below 1, got 1'),
        ({'label_smoothing': 1.5}, '--label-smoothing .* got 1.5'),
        ({'seed': -1}, '--seed must be at least 0'),
        ({'optimizer': 'nag', 'momentum': 0.0}, '--optimizer nag needs a --momentum above 0'),
        ({'warmup_epochs': 5, 'epochs': 5}, '--warmup-epochs 5 must be less than --epochs 5'),
    ],
)
def test_refused(settings, message):
    with pytest.raises(UsageError, match=message) as caught:
        TrainConfig(**{**GOOD, **settings}).check()
    assert '\n' not in str(caught.value)


def test_defaults_are_accepted():
    assert TrainConfig(**GOOD).check().lr is None
    assert default_learning_rate(GOOD['network']) == 0.1


def test_every_setting_has_a_help():
    for entry in dataclasses.fields(TrainConfig):
        assert entry.metadata['help']


def test_lists_are_not_shared():
    first, second = TrainConfig(**GOOD), TrainConfig(**GOOD)
    first.lr_step_epochs.append(5)
    assert second.lr_step_epochs == [30, 60, 90]

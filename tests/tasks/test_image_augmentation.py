"""The settings of augmentation that tasks of whole images share."""

import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.settings import default_of
from gluon_cbam.data.loading.policies.erasing import ERASING_MODES, Cutout, RandomErasing
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.image_augmentation import steps_of
from gluon_cbam.training import make_config, resolve
from gluon_cbam.training.config.task_settings import settings_of


def of(**changes):
    """All settings of a classification run on images of 32 pixels."""
    defaults = {name: default_of(entry) for name, entry in settings_of().items()}
    return {**defaults, 'image_size': 32, 'head': 'arcface', 'cutoff': 0, **changes}


def test_none_by_default():
    assert steps_of(of()) == []


@pytest.mark.parametrize(
    ('given', 'step'),
    [
        ({'cutout': 8}, Cutout(8)),
        ({'reprob': 0.25}, RandomErasing(0.25, 'pixel', 1)),
        ({'reprob': 0.25, 'remode': 'rand', 'recount': 3}, RandomErasing(0.25, 'rand', 3)),
    ],
)
def test_settings_are_steps(given, step):
    assert steps_of(of(**given)) == [step]


def test_the_modes_of_erasing_are_those_of_the_table():
    assert settings_of()['remode'].metadata['choices'] == tuple(ERASING_MODES)


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({'reprob': 1.5}, 'reprob, must be in 0..1, got 1.5'),
        ({'cutout': 33}, '--cutout must be at most the 32 pixels of the images, got 33'),
    ],
)
def test_bad_values_are_refused_before_a_file_is_opened(given, message):
    with pytest.raises(UsageError, match=message):
        get_task('classification').check_settings(of(**given))


def test_other_tasks_refuse_them():
    with pytest.raises(UsageError, match='--reprob is a setting of --task classification, faces, this run is of det'):
        resolve({'task': 'detection', 'reprob': 0.5})


def test_a_resumed_run_keeps_them():
    saved = make_config(network='n', data_train='x.rec', reprob=0.25).as_dict()
    for changes, count in (({}, 0), ({'reprob': 0.5}, 1), ({'remode': 'rand'}, 1), ({'cutout': 2}, 1)):
        config = make_config(**{**saved, **changes})
        assert len(config.differences(saved)) == count
    before = {name: value for name, value in saved.items() if name not in ('reprob', 'remode', 'recount', 'cutout')}
    assert not make_config(network='n', data_train='x.rec').differences(before), 'runs of former versions continue'

"""The settings of augmentation that tasks of whole images share."""

import dataclasses

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from gluon_cbam.cli.main import cli
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.settings import default_of
from gluon_cbam.data.loading.framing import DECODES
from gluon_cbam.data.loading.policies.erasing import ERASING_MODES, Cutout, RandomErasing
from gluon_cbam.data.loading.policies.jitter import ColorJitter, RandomRotation
from gluon_cbam.data.loading.policies.randaugment import RandAugment
from gluon_cbam.data.loading.policies.trivialaugment import TrivialAugment
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.image_augmentation import ImageAugmentationSettings, repeated_order, steps_of
from gluon_cbam.training import make_config, resolve
from gluon_cbam.training.config.task_settings import settings_of

NAMES = [entry.name for entry in dataclasses.fields(ImageAugmentationSettings)]


def of(**changes):
    """All settings of a classification run on images of 32 pixels."""
    defaults = {name: default_of(entry) for name, entry in settings_of().items()}
    return {**defaults, 'image_size': 32, 'head': 'arcface', 'cutoff': 0, **changes}


def test_none_by_default():
    assert steps_of(of()) == []


@pytest.mark.parametrize(
    ('given', 'step'),
    [
        ({'rotation': 15.0}, RandomRotation(15)),
        ({'color_jitter': [0.4]}, ColorJitter(0.4, 0.4, 0.4)),
        ({'color_jitter': [0.4, 0.3, 0.2]}, ColorJitter(0.4, 0.3, 0.2)),
        ({'color_jitter': [0.4, 0.3, 0.2, 0.1]}, ColorJitter(0.4, 0.3, 0.2, 0.1)),
        ({'aa': 'rand-m9-mstd0.5-inc1'}, RandAugment(2, 9, 0.5, increasing=True)),
        ({'aa': 'trivialaugment'}, TrivialAugment()),
        ({'cutout': 8}, Cutout(8)),
        ({'reprob': 0.25}, RandomErasing(0.25, 'pixel', 1)),
        ({'reprob': 0.25, 'remode': 'rand', 'recount': 3}, RandomErasing(0.25, 'rand', 3)),
    ],
)
def test_settings_are_steps(given, step):
    assert steps_of(of(**given)) == [step]


def test_the_order_of_the_steps():
    steps = steps_of(of(reprob=0.5, cutout=4, aa='rand', color_jitter=[0.4], rotation=5))
    assert [type(step) for step in steps] == [RandomRotation, ColorJitter, RandAugment, Cutout, RandomErasing]


def test_flags_of_timm_and_torchvision(tmp_path):
    """As they are typed there; the settings that a run prints are a file for --config."""
    printed = CliRunner().invoke(cli, ['train', '--network', 'cbamnet_tiny', '--data-train', 'x.rec', '--aa',
                                        'rand-m9-mstd0.5-inc1', '--color-jitter', '0.4,0.4,0.4,0.1', '--reprob', '0.25',
                                        '--remode', 'rand', '--degrees', '10', '--print-config'])  # fmt: skip
    assert printed.exit_code == 0, printed.output
    (tmp_path / 'run.yaml').write_text(printed.output)
    for settings in (resolve({}, str(tmp_path / 'run.yaml')).settings, yaml.safe_load(printed.output)):
        assert (settings['aa'], settings['color_jitter']) == ('rand-m9-mstd0.5-inc1', [0.4, 0.4, 0.4, 0.1])
        assert (settings['reprob'], settings['remode'], settings['rotation']) == (0.25, 'rand', 10)
    other = CliRunner().invoke(cli, ['train', '--auto-augment', 'ta_wide', '--print-config'])
    assert yaml.safe_load(other.output)['aa'] == 'ta_wide'


def test_the_modes_of_erasing_are_those_of_the_table():
    assert settings_of()['remode'].metadata['choices'] == tuple(ERASING_MODES)


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({'aa': 'rnd-m9'}, "unknown policy of augmentation 'rnd-m9': did you mean rand"),
        ({'aa': ''}, "unknown policy of augmentation ''"),
        ({'color_jitter': [0.4, 0.4]}, '--color-jitter takes one number, .* got 0.4,0.4$'),
        ({'rotation': 200}, r'must be in 0..180 degrees, got 200'),
        ({'reprob': 1.5}, 'reprob, must be in 0..1, got 1.5'),
        ({'cutout': 33}, '--cutout must be at most the 32 pixels of the images, got 33'),
    ],
)
def test_bad_values_are_refused_before_a_file_is_opened(given, message):
    with pytest.raises(UsageError, match=message):
        get_task('classification').check_settings(of(**given))


def test_repetitions():
    assert repeated_order(of(), range(10), 4) is repeated_order(of(aug_repeats=1), range(10), 4) is None
    order = repeated_order(of(aug_repeats=2), range(10), 4)(np.random.default_rng(0))
    assert np.bincount(order).max() == 2
    with pytest.raises(UsageError, match='--aug-repeats must be at most the 4 images of a batch, got 5'):
        repeated_order(of(aug_repeats=5), range(10), 4)


def test_other_tasks_refuse_them():
    with pytest.raises(UsageError, match='--reprob is a setting of --task classification, faces.* this run is of det'):
        resolve({'task': 'detection', 'reprob': 0.5})


def test_a_resumed_run_keeps_them():
    assert all(settings_of()[name].metadata['immutable'] for name in NAMES)
    saved = make_config(network='n', data_train='x.rec', reprob=0.25).as_dict()
    assert not make_config(**saved).differences(saved)
    for changes in (
        {'reprob': 0.5},
        {'remode': 'rand'},
        {'cutout': 2},
        {'aug_repeats': 3},
        {'aa': 'rand'},
        {'color_jitter': [0.1]},
    ):
        config = make_config(**{**saved, **changes})
        assert len(config.differences(saved)) == 1
    before = {name: value for name, value in saved.items() if name not in NAMES}
    assert not make_config(network='n', data_train='x.rec').differences(before), 'runs of former versions continue'


@pytest.mark.parametrize('name', ['classification', 'multilabel', 'faces'])
def test_fast_decoding_is_said_in_the_log(name):
    assert get_task(name).notes(of()) == []
    (note,) = get_task(name).notes(of(decode='fast'))
    assert note.startswith('--decode fast: JPEGs are trained on with other pixels')


def test_a_run_from_before_a_setting_had_its_default():
    saved = make_config(network='n', data_train='x.rec').as_dict()
    old = {name: value for name, value in saved.items() if name not in ('decode', 'resize')}
    assert not make_config(**{**saved, 'resize': 'crop'}).differences(old), 'what is found out is not compared'
    assert make_config(**{**saved, 'decode': 'fast'}).differences(old) == ["--decode 'fast' (was 'exact')"]


def test_ways_to_decode_are_those_of_the_loader():
    assert settings_of()['decode'].metadata['choices'] == DECODES
    with pytest.raises(UsageError, match='--decode is a setting of --task classification, faces.* this run is of det'):
        resolve({'task': 'detection', 'decode': 'fast'})

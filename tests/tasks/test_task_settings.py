"""Settings that belong to a task alone: flags, files, recipes, config.yaml, what a resumed run must keep."""

import json
import shlex
from dataclasses import FrozenInstanceError, dataclass

import pytest
import yaml
from regression_task.task import Brightness, BrightnessSettings

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.settings import setting
from gluon_cbam.publishing.publish import _source
from gluon_cbam.tasks import TASKS, get_task
from gluon_cbam.training import TrainConfig, make_config, resolve, train
from gluon_cbam.training.config import recipes
from gluon_cbam.training.config.command import command_of
from gluon_cbam.training.config.run_config import RunConfig
from gluon_cbam.training.config.task_settings import config_class, own_settings, settings_of, task_of


def settings(data, output, **changes):
    return {
        'task': 'brightness', 'network': 'cbamnet_tiny', 'data_train': str(data / 'train.rec'),
        'data_val': str(data / 'val.rec'), 'output': str(output), 'image_size': 8, 'batch_size': 48, 'epochs': 2,
        'workers': 1, 'augment': 'none', **changes,
    }  # fmt: skip


def flags(values):
    return [part for name, value in values.items() for part in (f'--{name.replace("_", "-")}', value)]


@pytest.fixture(scope='module')
def robust(brightness_data, tmp_path_factory):
    """A run of two epochs with settings of the task."""
    output = tmp_path_factory.mktemp('runs') / 'robust'
    train(make_config(**settings(brightness_data, output, huber=0.25, best_by='loss')))
    return output


def test_a_task_has_its_own_or_none(monkeypatch):
    assert config_class() is config_class('classification') is not TrainConfig
    assert 'reprob' in own_settings()['classification'].keys() & own_settings()['faces'].keys()
    assert list(own_settings()['brightness']) == ['huber', 'best_by']
    monkeypatch.setattr(type(get_task('brightness')), 'settings', None)
    assert config_class('brightness') is TrainConfig
    assert own_settings()['brightness'] == {}


def test_they_are_checked_as_others_are():
    config = make_config(task='brightness', network='cbamnet_tiny', data_train='x.rec', huber='0.5').check()
    assert (config.huber, config.best_by) == (0.5, 'mae')
    with pytest.raises(UsageError, match=r'--huber must be at least 0, got -1'):
        make_config(task='brightness', network='n', data_train='x', huber=-1).check()
    with pytest.raises(UsageError, match=r"--best-by 'mea' is unknown: did you mean mae"):
        make_config(task='brightness', network='n', data_train='x', best_by='mea').check()
    with pytest.raises(TypeError, match='huber'):
        make_config(network='n', data_train='x', huber=1)


def test_the_configuration_of_a_run_has_them():
    config = make_config(task='brightness', network='n', data_train='x', huber=0.5)
    run = RunConfig.resolved(
        config, workers=1, classes=1, lr=0.1, image_size=8, crop_ratio=1.0, resize='crop', augment='none'
    )
    assert isinstance(run, RunConfig)
    assert run.as_dict()['huber'] == run.huber == 0.5
    with pytest.raises(FrozenInstanceError):
        run.huber = 1.0


def test_flags_override_a_file_that_overrides_a_recipe(tmp_path):
    assert 'brightness_robust' in recipes.names()
    file = tmp_path / 'run.yaml'
    file.write_text('best-by: loss\nhuber: 0.5\n')
    resolved = resolve({'recipe': 'brightness_robust', 'huber': 1}, str(file))
    assert (resolved.config.task, resolved.config.huber, resolved.config.best_by) == ('brightness', 1.0, 'loss')
    assert resolved.origins['huber'] == 'command line'
    assert resolved.as_dict()['settings']['best_by'] == 'loss'
    assert resolve({'recipe': 'brightness_robust'}).config.huber == 0.25


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({'huber': 0.5}, '--huber is a setting of --task brightness, this run is of classification: leave it out'),
        (
            {'recipe': 'brightness_robust', 'task': 'classification'},
            'recipe brightness_robust: huber is a setting of --task brightness, this run is of classification',
        ),
    ],
)
def test_those_of_another_task_are_refused(given, message):
    with pytest.raises(UsageError, match=message):
        resolve(given)


def test_an_unknown_setting_names_the_closest(tmp_path):
    (tmp_path / 'run.yaml').write_text('task: brightness\nhubr: 0.5\n')
    with pytest.raises(UsageError, match=r'run.yaml:2: hubr is not a setting: did you mean huber'):
        resolve({}, str(tmp_path / 'run.yaml'))


def test_a_name_is_given_once(monkeypatch):
    @dataclass
    class Taken:
        lr: float = setting(1.0, 'another', kind=float)

    monkeypatch.setattr(Brightness, 'settings', Taken)
    with pytest.raises(TypeError, match='the setting lr, which every task has'):
        settings_of('brightness')


def test_tasks_may_share_a_setting_but_not_its_name(monkeypatch):
    monkeypatch.setitem(TASKS, 'shade', 'regression_task.task:Shade')
    module = __import__('regression_task.task', fromlist=['x'])
    monkeypatch.setattr(module, 'Shade', type('Shade', (Brightness,), {'name': 'shade'}), raising=False)
    assert own_settings()['shade'].keys() == own_settings()['brightness'].keys()

    @dataclass
    class Other(BrightnessSettings):
        huber: int = setting(0, 'another', kind=int)

    monkeypatch.setattr(module.Shade, 'settings', Other)
    with pytest.raises(TypeError, match='shade has another setting huber'):
        own_settings()


def test_a_run_keeps_them(robust, brightness_data):
    saved = yaml.safe_load((robust / 'config.yaml').read_text())
    assert (saved['huber'], saved['best_by']) == (0.25, 'loss')
    assert set(json.loads((robust / 'summary.json').read_text())['best']) == {'epoch', 'step', 'loss'}
    resumed = resolve({'resume': str(robust), 'epochs': 3}).config
    assert (resumed.task, resumed.huber) == ('brightness', 0.25)
    assert resolve({'resume': str(robust), 'huber': 0.25}).config.huber == 0.25  # the task comes from the run
    assert '--huber 0.25 --best-by loss' in command_of(saved)


def test_a_resumed_run_keeps_the_immutable_ones(robust, brightness_data):
    for changes, fits in (({'huber': 0.5}, False), ({'best_by': 'mae'}, True)):
        given = {'huber': 0.25, 'best_by': 'loss', **changes}
        config = make_config(**settings(brightness_data, robust, **given), resume='auto')
        changed = config.differences(yaml.safe_load((robust / 'config.yaml').read_text()))
        assert any(each.startswith('--huber 0.5 (was 0.25)') for each in changed) != fits
    with pytest.raises(UsageError, match=r'--huber 0.5 \(was 0.25\)'):
        train(make_config(**settings(brightness_data, robust, huber=0.5, best_by='loss'), resume='auto'))


def test_a_setting_chooses_the_best_figure(robust, brightness_data, cbam_here):
    assert task_of({'task': 'brightness', 'best_by': 'loss'}).best.name == 'loss'
    assert task_of({'task': 'brightness'}).best.name == 'mae'
    assert _source(robust).task.best.name == 'loss'
    train(make_config(**settings(brightness_data, robust.parent / 'other')))
    runs = json.loads(cbam_here('runs', robust.parent, '--json').stdout)['runs']
    assert [sorted(name for name in run if name.startswith('best_')) for run in runs] == [['best_loss'], ['best_mae']]
    assert cbam_here('runs', robust.parent).stdout.count('best MAE') == 1


def test_the_command_has_their_flags(cbam_here, brightness_data, tmp_path):
    text = cbam_here('train', '--help').stdout
    assert text.index('Task brightness:') < text.index('--huber X') < text.index('Run:')
    given = flags(settings(brightness_data, tmp_path / 'run'))
    process = cbam_here('train', *given, '--huber', 0.5, '--print-config', '--json')
    value = json.loads(process.stdout)
    assert (value['settings']['huber'], value['origins']['huber']) == (0.5, 'command line')
    assert value['origins']['best_by'] == 'default'
    process = cbam_here('train', *given, '--task', 'classification', '--huber', 0.5)
    assert process.returncode == 2
    assert '--huber is a setting of --task brightness' in process.stderr
    command = shlex.split('train --recipe brightness_robust --epochs 1 --json')
    process = cbam_here(*command, *flags({k: v for k, v in settings(brightness_data, tmp_path / 'run').items()
                                          if k not in ('task', 'epochs', 'network')}))  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert yaml.safe_load((tmp_path / 'run' / 'config.yaml').read_text())['huber'] == 0.25

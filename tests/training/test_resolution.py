"""Resolution of settings from recipes, files, flags and the run to resume."""

import json

import pytest
import yaml
from checks import assert_one_line

from gluon_cbam.common.errors import UsageError
from gluon_cbam.training import TrainConfig, resolve
from gluon_cbam.training.config.train_config import recipes
from gluon_cbam.training.setup import _batch_and_rate


def write(path, text):
    path.write_text(text)
    return str(path)


@pytest.fixture
def recipe(tmp_path):
    text = 'name: mine\ndescription: d\nsource: s\nsettings: {epochs: 7, lr_base: 0.2, wd: 1e-4, momentum: 0.8}'
    return write(tmp_path / 'mine.yaml', text)


def test_each_source_overrides_those_before(recipe, tmp_path):
    file = write(tmp_path / 'file.yaml', 'epochs: 8\nlr-mode: cosine\nmomentum: 0.7\n')
    resolved = resolve({'recipe': recipe, 'momentum': 0.6}, file)
    names = ('seed', 'wd', 'lr_mode', 'epochs', 'momentum')
    assert [resolved.settings[name] for name in names] == [0, 1e-4, 'cosine', 8, 0.6]
    assert [resolved.origins[name].split()[0] for name in names] == ['default', 'recipe', 'config', 'config', 'command']
    assert resolved.config.epochs == 8


@pytest.mark.parametrize(
    ('given', 'rate', 'base'),
    [({}, None, 0.2), ({'lr': 0.5}, 0.5, None), ({'lr_base': 0.3}, None, 0.3)],
)
def test_a_rate_replaces_the_other_kind_of_rate(recipe, given, rate, base):
    settings = resolve({'recipe': recipe, **given}).settings
    assert (settings['lr'], settings['lr_base']) == (rate, base)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('lr: fast', r"file.yaml:1: lr must be a number, got 'fast'"),
        ('seed: 1\nepochs: 2.5', r'file.yaml:2: epochs must be an integer, got 2.5'),
        ('tensorboard: 1', r'tensorboard must be true or false, got 1'),
        ('network: [a]', r"network must be a string, got \['a'\]"),
        ('option: spatial', r'option must be KEY: VALUE pairs'),
        ('epochs: -1', r'file.yaml:1: epochs must be at least 1, got -1'),
        ('epoch: 3', r'file.yaml:1: epoch is not a setting: did you mean epochs'),
        ('kv_store: devise', r'did you mean device'),
        ('lr: 1\nlr_base: 1', r'file.yaml:1: lr and lr_base exclude each other'),
        ('lr: 1\nseed: 1\nlr: 2', r'file.yaml:3: lr is given twice, first in line 1'),
        ('seed: 1\nlr: [1', r'file.yaml:\d: neither YAML nor JSON'),
        ('- lr', r'file.yaml:1: settings are lines of NAME: VALUE'),
        ('', r'file.yaml: settings are lines of NAME: VALUE'),
        ('resume: auto', r'file.yaml:1: resume is for the command line only'),
        ('recipe: offical', r"unknown recipe 'offical': did you mean official"),
    ],
)
def test_a_file_that_is_wrong(tmp_path, text, message):
    with pytest.raises(UsageError, match=message) as caught:
        resolve({}, write(tmp_path / 'file.yaml', text))
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('lr: 1', 'a recipe has name, description, source, settings, got lr'),
        ('name: a\nsettings: {}', 'description, source is missing'),
        ('name: a\ndescription: b\nsource: c\nsettings: {recipe: paper}', ':4: a recipe cannot start from another'),
        ('name: a\ndescription: b\nsource: c\nsettings: {epoch: 4}', ':4: epoch is not a setting'),
    ],
)
def test_a_recipe_that_is_wrong(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        resolve({'recipe': write(tmp_path / 'mine.yaml', text)})


def test_types_that_yaml_gets_wrong_are_accepted(tmp_path):
    text = 'wd: 1e-4\ngpus: 0\nlr_step_epochs: 3,6e0\nepochs: 5.0\nmomentum: null\ndata_val: null'
    settings = resolve({'data_val': 'a.rec'}, write(tmp_path / 'file.yaml', text)).settings
    assert (settings['wd'], settings['gpus'], settings['lr_step_epochs'], settings['epochs']) == (1e-4, '0', [3, 6], 5)
    assert (settings['momentum'], settings['data_val']) == (0.9, 'a.rec')


def test_json_with_tabs(tmp_path):
    text = json.dumps({'lr': 1e-05, 'option': {'reduction': 4}}, indent='\t')
    settings = resolve({}, write(tmp_path / 'file.json', text)).settings
    assert (settings['lr'], settings['option']) == (1e-05, {'reduction': 4})


@pytest.mark.parametrize('name', recipes.names())
def test_the_recipes_of_the_package(name):
    file = recipes.read_recipe(name)
    assert file.about['name'] == name
    assert 'arxiv' in file.about['source'].lower() or 'github.com' in file.about['source']
    resolved = resolve({'recipe': name})
    resolved.config.check_values()
    of_a_device = resolved.settings['task'] == 'faces'  # insightface states the pictures of a device
    assert resolved.settings['batch_size' if of_a_device else 'total_batch_size'] >= 8


def test_recipes_have_the_figures_of_their_sources():
    official, paper, one = (resolve({'recipe': name}).settings for name in ('official', 'paper', 'deepspark_1gpu'))
    figures = ('epochs', 'total_batch_size', 'lr', 'wd', 'momentum')
    assert [official[name] for name in figures] == [100, 256, 0.1, 1e-4, 0.9]
    assert [paper[name] for name in figures] == [90, 256, 0.1, 1e-4, 0.9]
    assert [one[name] for name in figures] == [100, 64, 0.1, 1e-4, 0.9]
    for name, size in (('cifar', 32), ('fashion', 28)):
        recipe = resolve({'recipe': name}).settings
        assert [recipe[figure] for figure in figures] == [200, 128, 0.1, 5e-4, 0.9]
        assert [recipe[figure] for figure in ('optimizer', 'lr_mode', 'image_size')] == ['nag', 'cosine', size]


@pytest.mark.parametrize(
    ('settings', 'devices', 'workers', 'expected'),
    [
        ({'total_batch_size': 256}, 8, 1, (32, 0.1)),
        ({'total_batch_size': 256, 'lr_base': 0.2}, 4, 2, (32, 0.2)),
        ({'batch_size': 16, 'lr_base': 0.1}, 2, 1, (16, 0.0125)),
        ({'batch_size': 16, 'lr': 0.1}, 2, 1, (16, 0.1)),
        ({'batch_size': 16, 'network': 'ssd_300'}, 2, 1, (16, 0.001)),
        ({'batch_size': 16, 'network': 'ssd_300', 'lr': 0}, 2, 1, (16, 0)),
        ({'batch_size': 64, 'network': 'ssd_300', 'lr_base': 0.1}, 2, 1, (64, 0.05)),
    ],
)
def test_batch_and_rate(settings, devices, workers, expected):
    assert _batch_and_rate(TrainConfig(**settings), devices, workers) == pytest.approx(expected)


def test_a_batch_that_cannot_be_divided():
    with pytest.raises(
        UsageError,
        match='--total-batch-size 256 cannot be divided by 3, the devices times --accumulate: take 255 or 258',
    ):
        _batch_and_rate(TrainConfig(total_batch_size=256), 3, 1)


def test_the_config_of_a_run_is_a_configuration_file(tmp_path, recipe):
    """Its config.yaml, with what follows from others filled in."""
    resolved = resolve({'recipe': recipe, 'total_batch_size': 64})
    config = resolved.config
    config.batch_size, config.lr, config.classes = 32, 0.05, 10
    (tmp_path / 'run').mkdir()
    path = write(tmp_path / 'run' / 'config.yaml', yaml.safe_dump(config.as_file()))
    again = resolve({}, path)
    assert again.settings == {**resolved.settings, 'classes': 10}
    continued = resolve({'resume': str(tmp_path / 'run'), 'recipe': recipe, 'epochs': 9})
    assert continued.settings == {
        **again.settings, 'epochs': 9, 'resume': str(tmp_path / 'run'), 'output': str(tmp_path / 'run')
    }  # fmt: skip
    with pytest.raises(UsageError, match=r"--recipe has recipe 'paper', but run .* has '.*mine.yaml'"):
        resolve({'resume': str(tmp_path / 'run'), 'recipe': 'paper'})
    with pytest.raises(UsageError, match=r'config .* has lr 0.3, but run .* has None: leave it out, or give --lr'):
        resolve({'resume': str(tmp_path / 'run')}, write(tmp_path / 'other.yaml', 'lr: 0.3'))
    assert resolve({'resume': 'auto', 'output': str(tmp_path / 'none')}).settings['output'] == str(tmp_path / 'none')


def test_print_config_is_a_configuration_file(python, cbam, tmp_path):
    """Whole, without data, and without the heavy imports."""
    arguments = ['train', '--recipe', 'official', '--option', 'reduction=4', '--lr-base', '0.3', '--print-config']
    text = cbam(*arguments).stdout
    assert 'epochs: 100  # recipe official\n' in text
    assert 'lr_base: 0.3  # command line\n' in text
    printed = json.loads(cbam(*arguments, '--json').stdout)
    again = resolve({}, write(tmp_path / 'file.yaml', text))
    assert again.as_dict()['settings'] == printed['settings']
    assert printed['origins']['lr'] == 'replaced by lr_base'
    code = (
        f'import sys\nfrom gluon_cbam.cli.main import cli\ntry:\n    cli({arguments})\nexcept SystemExit:\n    pass\n'
    )
    heavy = python(code + "print([name for name in ('mxnet', 'numpy', 'matplotlib') if name in sys.modules])").stdout
    assert heavy.splitlines()[-1] == '[]'


def test_print_config_has_the_values_of_the_run(cbam_here, digits, tmp_path):
    """What the network, the data, the devices and the machine fill in: as the run writes them to its config.yaml."""
    arguments = [
        'train', '--network', 'cbamnet_tiny', '--data-train', digits / 'val.rec', '--pretrained', '--epochs', 1,
        '--cpus', 2, '--total-batch-size', 64, '--lr-base', 0.2, '--output', tmp_path / 'run',
    ]  # fmt: skip
    printed = json.loads(cbam_here(*arguments, '--print-config', '--json').stdout)
    text = cbam_here(*arguments, '--print-config').stdout
    assert not (tmp_path / 'run').exists()
    done = cbam_here(*arguments)
    assert done.returncode == 0, done.stderr
    saved = yaml.safe_load((tmp_path / 'run' / 'config.yaml').read_text())
    assert {**printed['settings'], 'option': 0} == {**saved, 'option': 0}
    assert (saved['classes'], saved['image_size'], saved['crop_ratio']) == (10, 16, 1.0)
    assert f'classes: 10  # {digits}/classes.txt\n' in text
    assert 'image_size: 16  # cbamnet_tiny\n' in text
    assert 'lr: null  # replaced by lr_base: 0.05\n' in text
    assert (printed['used']['lr'], printed['used']['batch_size']) == (0.05, 32)
    log = (tmp_path / 'run' / 'train.log').read_text()
    assert '32 images per device, 64 per step' in log and 'rate 0.05' in log


def test_print_config_works_without_the_devices_and_the_data(cbam_here, tmp_path):
    arguments = ('--network', 'cbam_resnet50', '--gpus', '0-7', '--data-train', tmp_path / 'none.rec', '--pretrained')
    value = json.loads(cbam_here('train', '--recipe', 'official', *arguments, '--print-config', '--json').stdout)
    assert (value['settings']['image_size'], value['settings']['classes']) == (224, None)
    assert value['settings']['output'] == 'runs/cbam_resnet50'
    value = json.loads(
        cbam_here('train', '--task', 'detection', '--network', 'ssd_300', '--print-config', '--json').stdout
    )
    assert (value['settings']['lr'], value['origins']['lr']) == (0.001, 'ssd_300')


def test_mistakes_on_the_command_line_cost_one_line(cbam, tmp_path):
    for arguments, message in [
        (('--lr', 1, '--lr-base', 1), '--lr and --lr-base exclude each other'),
        (('--batch-size', 1, '--total-batch-size', 1), '--batch-size and --total-batch-size exclude each other'),
        (('--config', tmp_path / 'none.yaml'), 'none.yaml: cannot be read: No such file'),
    ]:
        assert message in assert_one_line(cbam('train', *arguments, '--print-config'), 2)


def test_help_has_sections_in_80_columns(cbam):
    lines = cbam('train', '--help').stdout.splitlines()
    assert max(map(len, lines)) <= 80
    sections = [line for line in lines if line.endswith(':') and not line.startswith(' ')]
    assert sections[0] == 'Where settings come from:'
    assert {'Data:', 'Network:', 'Devices:', 'Optimization:', 'Schedule:', 'Run:'} <= set(sections)
    assert any('--[no-]tensorboard' in line for line in lines)


def test_python_cannot_give_both():
    with pytest.raises(UsageError, match='--lr and --lr-base exclude each other'):
        TrainConfig(network='a', data_train='a.rec', lr=0.5, lr_base=0.1).check()

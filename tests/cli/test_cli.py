"""The command: JSON, exit codes, one-line errors."""

import hashlib
import json

import cv2
import numpy as np
import pytest
import yaml
from checks import assert_one_line

from gluon_cbam.data.records.recordio import RecordFile


@pytest.fixture(scope='module')
def trained(cbam, digits, tmp_path_factory):
    """A run folder, trained with the flags of GluonCV's scripts."""
    output = tmp_path_factory.mktemp('trained') / 'run'
    process = cbam(
        'train', '--model', 'cbamnet_tiny', '--rec-train', digits / 'train.rec', '--rec-val', digits / 'val.rec',
        '--num-epochs', 2, '--input-size', 8, '--save-dir', output, '--json',
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return output, process


def write_seven(digits, path):
    records = RecordFile(digits / 'val.rec')
    path.write_bytes(records[int(np.flatnonzero(records.labels == 7)[0])].image)
    return path


@pytest.mark.parametrize('words', [(), ('zoo',), ('data',), ('recipes',)])
def test_a_group_alone_prints_its_help(cbam_here, words):
    done, asked = cbam_here(*words), cbam_here(*words, '--help')
    assert (done.returncode, done.stderr, done.stdout) == (0, '', asked.stdout)
    assert done.stdout.startswith(f'Usage: {" ".join(("cbam", *words))} ')


def test_a_missing_choice_is_named_in_one_line(cbam_here):
    """click has a line for each choice."""
    assert 'Choose from: bash, zsh, fish' in assert_one_line(cbam_here('completion'), 2)


def test_the_package_runs_as_a_program(python):
    code = (
        "import runpy, sys; sys.argv[1:] = ['models', 'list', 'cbamnet']; "
        "runpy.run_module('gluon_cbam', run_name='__main__')"
    )
    assert python(code).stdout.split() == ['cbamnet_base', 'cbamnet_small', 'cbamnet_tiny']


def test_recipes(cbam_here):
    listed = json.loads(cbam_here('recipes', 'list', '--json').stdout)['recipes']
    assert {'official', 'paper', 'strong'} <= {each['name'] for each in listed}
    assert all(each['name'] in cbam_here('recipes', 'list').stdout for each in listed)
    official = next(each for each in listed if each['name'] == 'official')
    text = cbam_here('recipes', 'show', 'official').stdout
    assert text.startswith(f'# {official["file"]}\n')
    assert 'github.com/Jongchan/attention-module' in text
    settings = json.loads(cbam_here('recipes', 'show', 'official', '--json').stdout)['settings']
    assert yaml.safe_load(text)['settings'] == settings
    assert 'did you mean official' in assert_one_line(cbam_here('recipes', 'show', 'offical'), 2)


def test_the_reduction_that_fits_is_named(cbam_here):
    arguments = ('models', 'info', 'cifar_cbam_resnet18', '--option', 'widen=0.125')
    assert '--option reduction=8' in assert_one_line(cbam_here(*arguments), 2)
    assert cbam_here(*arguments, '--option', 'reduction=8').returncode == 0


def test_train_json(trained):
    output, process = trained
    summary = json.loads(process.stdout)
    assert set(summary) == {'output', 'epochs', 'steps', 'best', 'final', 'stopped_early', 'bad_records', 'seconds'}
    assert summary['output'] == str(output)
    assert set(summary['best']) == {'epoch', 'step', 'top1'}
    assert 'epoch 2/2' in process.stderr
    names = {path.name for path in output.iterdir()}
    assert names == {
        'config.yaml', 'environment.json', 'metrics.jsonl', 'train.log', 'curves.png', 'checkpoints', 'summary.json',
    }  # fmt: skip


def test_validate(trained, digits, cbam):
    output, process = trained
    best = json.loads(process.stdout)['best']
    arguments = ['validate', '--network', 'cbamnet_tiny', '--params', output, '--data-val', digits / 'val.rec']
    for more in ([], ['--batch-size', 7, '--cpus', 2]):
        result = json.loads(cbam(*arguments, *more, '--json').stdout)
        assert {'network', 'params_sha256', 'records', 'top1', 'top5', 'loss', 'seconds'} <= set(result)
        assert (result['records'], result['top1']) == (360, best['top1'])
        digest = hashlib.sha256((output / 'checkpoints' / 'best.params').read_bytes()).hexdigest()
        assert result['params_sha256'] == digest
    assert cbam(*arguments).stdout.startswith('360 of 360 records, each once: top-1 0.')


def test_validate_with_random_weights_says_so(digits, cbam):
    process = cbam('validate', '--network', 'cbamnet_tiny', '--classes', 10, '--data-val', digits / 'val.rec', '--json')
    assert json.loads(process.stdout)['params_sha256'] is None
    assert 'the weights are random' in process.stderr


def test_predict(trained, digits, cbam, tmp_path):
    output, _ = trained
    images = [write_seven(digits, tmp_path / 'seven.png'), tmp_path / 'gray.png']
    cv2.imwrite(str(images[1]), np.full((9, 30), 128, np.uint8))
    arguments = ['predict', *images, '--network', 'cbamnet_tiny', '--params', output / 'checkpoints' / 'best.params']
    result = json.loads(cbam(*arguments, '--json', '--top-k', 3).stdout)
    assert [entry['file'] for entry in result['images']] == [str(image) for image in images]
    for entry in result['images']:
        probabilities = [guess['probability'] for guess in entry['top']]
        assert len(probabilities) == 3
        assert sorted(probabilities, reverse=True) == probabilities
        assert all(guess['label'] == str(guess['class']) for guess in entry['top'])
    one = json.loads(cbam(*arguments, '--json', '--top-k', 99, '--batch-size', 1).stdout)['images'][0]['top']
    assert sum(guess['probability'] for guess in one) == pytest.approx(1, abs=1e-5)
    assert cbam(*arguments).stdout.splitlines()[0].startswith(f'{images[0]}: ')


def test_models(cbam):
    plain = cbam('models', 'list', 'cbam_resnet*[0-9]').stdout.split()
    assert plain == [f'cbam_resnet{d}' for d in (18, 34, 50, 101, 152)]
    none = cbam('models', 'list', 'cbam_resnett')
    assert (none.returncode, none.stdout.strip()) == (0, '')
    assert none.stderr.startswith("cbam: no network matches 'cbam_resnett': did you mean cbam_resnet")
    info = json.loads(cbam('models', 'info', 'cbam_resnet50', '--option', 'bottleneck_stride=1x1', '--json').stdout)
    assert (info['name'], info['parameters'], info['input']) == ('cbam_resnet50', 28_089_624, [3, 224, 224])
    assert round(info['macs'] / 1e9, 3) == 3.864
    small = json.loads(cbam('models', 'info', 'cbam_resnet50', '--image-size', 64, '--json').stdout)
    assert small['macs'] < info['macs'] / 8
    assert '28,089,624' in cbam('models', 'info', 'cbam_resnet50').stdout


@pytest.mark.slow
def test_models_table(cbam):
    table = cbam('models', 'table', '--csv')
    assert (table.returncode, table.stderr) == (0, '')
    (line,) = (line for line in table.stdout.splitlines() if ',se_mobilenet0.7,' in line)
    assert line.startswith('5,se_mobilenet0.7,2704661,0.283')
    networks = json.loads(cbam('models', 'table', '--json').stdout)['networks']
    assert len(networks) == len(table.stdout.splitlines()) - 1 == 30
    assert [network['name'] for network in networks if network['differs']] == []


def test_models_table_has_one_output_format(cbam):
    assert '--json and --csv' in assert_one_line(cbam('models', 'table', '--csv', '--json'), 2)


def test_zoo(cbam, tmp_path):
    listed = json.loads(cbam('zoo', 'list', '--json').stdout)['weights']
    for weight in listed:
        assert {'name', 'tag', 'sha256', 'source', 'metrics', 'cached'} <= set(weight)
    line = assert_one_line(cbam('zoo', 'path', 'cbam_resnet50', '--root', tmp_path), 2)
    assert line.startswith('cbam: cbam_resnet50.imgclsmob_in1k is not in')


def test_data(cbam, tmp_path):
    result = json.loads(cbam('data', 'digits', tmp_path / 'digits', '--json').stdout)
    assert result['records'] == {'train.rec': 1437, 'val.rec': 360}
    (tmp_path / 'digits' / 'val.idx').unlink()
    assert json.loads(cbam('data', 'index', tmp_path / 'digits' / 'val.rec', '--json').stdout)['records'] == 360
    for name in ('a', 'b'):
        (tmp_path / 'images' / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / 'images' / name / '0.png'), np.zeros((4, 4, 3), np.uint8))
    (tmp_path / 'images' / 'b' / '1.png').write_bytes(b'')
    line = assert_one_line(cbam('data', 'pack', tmp_path / 'images', tmp_path / 'out'), 4)
    assert '1 of 3 images cannot be packed' in line
    assert str(tmp_path / 'images' / 'b' / '1.png') in line
    process = cbam('data', 'pack', tmp_path / 'images', tmp_path / 'out', '--skip-bad', '--json')
    (part,) = json.loads(process.stdout)['files']
    assert (part['records'], len(part['bad'])) == (2, 1)


def test_option_values_are_typed(cbam):
    info = json.loads(
        cbam(
            'models', 'info', 'cbam_resnet18', '--option', 'spatial=false', '--option', 'pool-types=[avg]', '--json'
        ).stdout
    )
    assert info['attention_parameters'] < 89_880
    assert "got 'no'" in assert_one_line(cbam('models', 'info', 'cbam_resnet18', '--option', 'spatial="no"'), 2)


def test_hidden_flags_are_hidden(cbam):
    text = cbam('train', '--help').stdout
    assert '--network' in text
    assert '--data-nthreads' in text
    for flag in ('--model', '--rec-train', '--num-epochs', '--save-dir'):
        assert flag not in text.split()


def cases(digits, folder):
    """Wrong arguments -> exit code and a part of the message."""
    train = ['train', '--network', 'cbamnet_tiny', '--data-train', digits / 'train.rec', '--output', folder / 'run']
    (folder / 'cut.rec').write_bytes((digits / 'val.rec').read_bytes()[:5000])
    (folder / 'bad.params').write_bytes(b'garbage' * 99)
    (folder / 'bad.png').write_bytes(b'\x89PNG no')
    validate = ['validate', '--network', 'cbamnet_tiny', '--data-val', digits / 'val.rec', '--classes', 10]
    return [
        (['trian'], 2, "No such command 'trian'"),
        ([*train, '--lrr', 1], 2, 'No such option'),
        ([*train, '--lr', 'fast'], 2, "'fast' is not a valid float"),
        ([*train, '--lr-step-epochs', '1,b'], 2, "got '1,b'"),
        ([*train, '--option', 'reduction'], 2, "got 'reduction'"),
        ([*train, '--kv-store', 'devise'], 2, 'did you mean device'),
        ([*train, '--gpus', '0'], 3, 'built for the CPU'),
        ([*train, '--classes', 9], 4, 'not a class in 0..8'),
        ([*train, '--data-val', folder / 'cut.rec'], 4, 'truncated'),
        ([*train, '--data-val', folder / 'none.rec'], 2, 'no record file'),
        ([*validate, '--params', folder / 'bad.params'], 4, 'not a parameter file'),
        ([*validate, '--params', folder / 'none.params'], 2, 'no parameter file'),
        ([*validate, '--pretrained', 'foo'], 2, "no weights are published for 'foo'"),
        (['predict', folder / 'bad.png', '--network', 'cbamnet_tiny'], 2, 'needs weights'),
        (['convert', 'a.npz', 'b.params', '--source', 'keras'], 2, '--network is needed'),
        (['convert', 'a.npz', 'b.params', '--source', 'kears', '--network', 'cbamnet_tiny'], 2, 'did you mean keras'),
        (['convert', 'a.npz', 'b.params', '--source', 'keras', '--network', 'cbamnet_tiny'], 2, "no parameter file 'a"),
        (
            ['models', 'info', 'modified_cbamnet18', '--image-size', 64, '--option', 'image_size=112'], 2,
            '--image-size 64 and --option image_size=112 contradict each other',
        ),
        (['models', 'info', 'cbam_resnet5'], 2, 'did you mean cbam_resnet50'),
    ]  # fmt: skip


def test_errors_are_one_line(digits, cbam, tmp_path):
    for arguments, code, part in cases(digits, tmp_path):
        assert part in assert_one_line(cbam(*arguments, '--json'), code), arguments
    assert not (tmp_path / 'run').exists()


def test_a_folder_that_cannot_be_written(cbam, tmp_path):
    (tmp_path / 'file').touch()
    assert 'file' in assert_one_line(cbam('data', 'digits', tmp_path / 'file' / 'digits'), 5)


def test_debug_shows_the_traceback(cbam):
    process = cbam('models', 'info', 'nothing', '--debug')
    assert process.returncode != 0
    assert 'Traceback' in process.stderr


def test_predict_names_the_bad_image(trained, cbam, tmp_path):
    (tmp_path / 'bad.png').write_bytes(b'\x89PNG no')
    process = cbam('predict', tmp_path / 'bad.png', '--network', 'cbamnet_tiny', '--params', trained[0])
    assert 'bad.png: a damaged image' in assert_one_line(process, 4)


@pytest.mark.slow
def test_a_resnet_trains_on_packed_photographs(cbam, tmp_path):
    """As for ImageNet: JPEGs of different sizes, packed without resizing, random crops, CBAM-ResNet."""
    rng = np.random.RandomState(0)
    for split, count in (('train', 24), ('val', 7)):
        for label, name in enumerate(['fine', 'coarse']):
            (tmp_path / 'images' / split / name).mkdir(parents=True)
            for number in range(count):
                cells = (40, 5)[label]
                noise = rng.randint(0, 256, (cells, cells, 3), np.uint8)
                size = (int(rng.randint(80, 130)), int(rng.randint(80, 130)))
                image = cv2.resize(noise, size, interpolation=cv2.INTER_NEAREST)
                cv2.imwrite(str(tmp_path / 'images' / split / name / f'{number}.jpg'), image)
    assert cbam('data', 'pack', tmp_path / 'images', tmp_path / 'rec', '-j', 2).returncode == 0
    rec = tmp_path / 'rec'
    process = cbam(
        'train', '--network', 'cbam_resnet18', '--data-train', rec / 'train.rec', '--data-val', rec / 'val.rec',
        '--output', tmp_path / 'run', '--image-size', 64, '--batch-size', 8, '--epochs', 5, '--lr', 0.01, '--json',
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    summary = json.loads(process.stdout)
    assert summary['best']['top1'] > 0.7
    arguments = ['--network', 'cbam_resnet18', '--params', tmp_path / 'run', '--json']
    scored = json.loads(cbam('validate', *arguments, '--data-val', rec / 'val.rec').stdout)
    assert (scored['records'], scored['top1']) == (14, summary['best']['top1'])
    image = tmp_path / 'images' / 'val' / 'fine' / '0.jpg'
    (guess, *_) = json.loads(cbam('predict', image, *arguments).stdout)['images'][0]['top']
    assert guess['label'] in ('fine', 'coarse')


def test_the_start_imports_nothing_heavy(python):
    """Each of these takes at least a twentieth of the start-up time."""
    heavy = (
        'mxnet',
        'numpy',
        'yaml',
        'logging',
        'tqdm',
        'concurrent.futures',
        'urllib.request',
        'gluon_cbam.tasks.base',
    )
    code = f'import sys, gluon_cbam.cli.main; print([name for name in {heavy} if name in sys.modules])'
    assert python(code).stdout.strip() == '[]'

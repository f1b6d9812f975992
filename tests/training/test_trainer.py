"""Training runs: their files, their results and their errors."""

import json
import shutil

import cv2
import mxnet as mx
import numpy as np
import pytest
import yaml
from train_plainly import Plain

from gluon_cbam import get_model
from gluon_cbam.common.errors import DataError, EnvironmentProblem, RunError, UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.pretrained.resolve import ResolvedModel
from gluon_cbam.tasks.classification.evaluation import evaluate
from gluon_cbam.training import TrainConfig, train


@pytest.fixture
def settings(digits, tmp_path):
    return {
        'network': 'cbamnet_tiny', 'data_train': str(digits / 'train.rec'), 'data_val': str(digits / 'val.rec'),
        'output': str(tmp_path / 'run'), 'image_size': 8, 'epochs': 2, 'log_interval': 20,
    }  # fmt: skip


def parameters(path):
    return {name: value.asnumpy() for name, value in mx.nd.load(str(path)).items()}


def newest(folder):
    (path,) = (folder / 'checkpoints').glob('newest-*.params')
    return path


def test_a_run_directory_is_complete(settings, tmp_path, digits):
    summary = train(TrainConfig(**settings))
    folder = tmp_path / 'run'
    assert summary == json.loads((folder / 'summary.json').read_text())
    assert set(summary) == {'output', 'epochs', 'steps', 'best', 'final', 'stopped_early', 'bad_records', 'seconds'}
    assert (summary['epochs'], summary['steps']) == (2, 2 * (1437 // 32))
    assert summary['best']['top1'] > 0.5
    config = yaml.safe_load((folder / 'config.yaml').read_text())
    assert (config['classes'], config['augment'], config['crop_ratio'], config['lr']) == (10, 'none', 1.0, 0.1)
    assert json.loads((folder / 'environment.json').read_text())['packages']['gluoncv']
    assert cv2.imread(str(folder / 'curves.png')).shape[1] > 500
    assert 'epoch 2/2' in (folder / 'train.log').read_text()

    records = [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]
    assert [r['step'] for r in records if r['kind'] == 'interval'] == [20, 40, 44, 60, 80, 88]
    epochs = [r for r in records if r['kind'] == 'epoch']
    assert max(r['val_top1'] for r in epochs) == summary['best']['top1']
    assert epochs[-1]['val_loss'] == summary['final']['loss']

    card = json.loads((folder / 'checkpoints' / 'best.json').read_text())
    net = get_model(card['network'], classes=10, pretrained=str(folder))
    preprocessing = Preprocessing.from_dict(card['preprocessing'])
    scored = evaluate(net, RecordFile(digits / 'val.rec'), preprocessing, [mx.cpu()], 7, 2)
    assert (scored.top1, scored.records) == (summary['best']['top1'], 360)


def test_the_same_seed_gives_the_same_weights(settings, tmp_path):
    for name, seed in (('a', 5), ('b', 5), ('c', 6)):
        train(TrainConfig(**{**settings, 'epochs': 1, 'seed': seed, 'output': str(tmp_path / name)}))
    a, b, c = (parameters(newest(tmp_path / name)) for name in 'abc')
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert any(not np.array_equal(a[name], c[name]) for name in a)


def trained_on(contexts, settings, tmp_path):
    output = tmp_path / f'on{contexts}'
    config = {
        **settings,
        'epochs': 1,
        'cpus': contexts,
        'batch_size': 48 // contexts,
        'lr': 0.02,
        'output': str(output),
    }
    train(TrainConfig(**config))
    return parameters(newest(output))


@pytest.mark.parametrize('kv_store', ['device', 'local'])
def test_devices_agree_without_batchnorm(settings, tmp_path, monkeypatch, kv_store):
    monkeypatch.setattr(ResolvedModel, 'build', lambda model: Plain(model.name, model.classes))
    settings['kv_store'] = kv_store
    one, two, four = (trained_on(contexts, settings, tmp_path) for contexts in (1, 2, 4))
    for name, value in one.items():
        assert np.abs(two[name] - value).max() < 1e-5
        assert np.abs(four[name] - value).max() < 1e-5


def test_devices_agree_with_batchnorm_but_for_its_statistics(settings, tmp_path):
    one, two = trained_on(1, settings, tmp_path), trained_on(2, settings, tmp_path)
    start = np.sqrt(np.mean([np.mean(value**2) for value in one.values()]))
    difference = np.sqrt(np.mean([np.mean((two[name] - value) ** 2) for name, value in one.items()]))
    assert 0 < difference < 0.15 * start


def test_several_devices_score_what_is_saved(settings, tmp_path, digits):
    """Each device has BatchNorm statistics of its own; a checkpoint has their mean."""
    summary = train(TrainConfig(**{**settings, 'cpus': 3, 'batch_size': 16, 'epochs': 1}))
    net = get_model('cbamnet_tiny', classes=10, pretrained=str(tmp_path / 'run'))
    scored = evaluate(net, RecordFile(digits / 'val.rec'), Preprocessing(8, 1.0), [mx.cpu()], 60, 2)
    assert scored.top1 == summary['final']['top1']
    assert scored.loss == pytest.approx(summary['final']['loss'], rel=1e-5)


def test_a_loss_that_is_not_finite_stops_the_run(settings, tmp_path):
    """Also one that explodes and stays finite."""
    for lr, loss, output in ((1e25, r'nan|inf|[\d.]+e\+\d+', 'a'), (1e4, r'[\d.]+(e\+\d+)?', 'b')):
        run = tmp_path / output
        with pytest.raises(
            RunError, match=rf'the loss is ({loss}) at step \d \(epoch 1\).*, of records \d+, \d+.*: use a smaller --lr'
        ) as caught:
            train(TrainConfig(**{**settings, 'lr': lr, 'output': str(run)}))
        assert not (run / 'summary.json').exists()
        assert not list(run.glob('checkpoints/*'))
    assert ', more than 2' in str(caught.value)


def test_learning_rate_zero_learns_nothing(settings, tmp_path):
    train(TrainConfig(**{**settings, 'lr': 0.0, 'epochs': 1}))
    mx.random.seed(0)
    fresh = get_model('cbamnet_tiny', classes=10)
    fresh.initialize()
    trained = parameters(newest(tmp_path / 'run'))
    for name, parameter in fresh._collect_params_with_prefix().items():
        if parameter.grad_req != 'null':
            assert np.array_equal(parameter.data().asnumpy(), trained[name]), name


def test_without_validation_data(settings):
    summary = train(TrainConfig(**{**settings, 'data_val': None, 'epochs': 1}))
    assert summary['best'] is None
    assert 0 < summary['final']['top1'] < 1


def refused(error, settings, message, **changes):
    with pytest.raises(error, match=message) as caught:
        train(TrainConfig(**{**settings, **changes}))
    assert '\n' not in str(caught.value)


def test_refused_before_any_work(settings, digits, tmp_path):
    refused(UsageError, settings, "unknown network 'cbamnet_tny': did you mean cbamnet_tiny", network='cbamnet_tny')
    refused(UsageError, settings, "no option 'reduktion': did you mean reduction", option={'reduktion': 4})
    refused(UsageError, settings, 'gives embeddings of 512 numbers, no logits of 10', network='modified_cbamnet18')
    refused(ValueError, settings, 'takes inputs of at least 4 x 4, got 3 x 3', image_size=3)
    refused(UsageError, settings, 'no record file', data_train=str(tmp_path / 'none.rec'))
    refused(UsageError, settings, "unknown augmentation 'flip'", augment='flip')
    refused(UsageError, settings, 'exclude each other', gpus='0', cpus=2)
    refused(UsageError, settings, "--gpus takes numbers.*got '0-x'", gpus='0-x')
    refused(DataError, settings, r'has label 9, not a class in 0\.\.8', classes=9)
    refused(EnvironmentProblem, settings, 'built for the CPU', gpus='0-7')
    refused(EnvironmentProblem, settings, 'nccl needs', kv_store='nccl')
    (tmp_path / 'lonely.rec').write_bytes((digits / 'train.rec').read_bytes())
    refused(
        DataError,
        settings,
        "lonely.idx is missing: rebuild it with 'cbam data index",
        data_train=str(tmp_path / 'lonely.rec'),
    )
    with RecordWriter(tmp_path / 'bad.rec') as writer:
        writer.write(0, b'\xff\xd8\xff no image')
    refused(DataError, settings, 'bad.rec: record 0 at offset 0: a damaged image', data_val=str(tmp_path / 'bad.rec'))
    assert not (tmp_path / 'run').exists()


def test_an_existing_run_is_not_overwritten(settings, tmp_path):
    train(TrainConfig(**{**settings, 'epochs': 1}))
    before = (tmp_path / 'run' / 'metrics.jsonl').read_bytes()
    refused(UsageError, settings, 'holds a run: continue it with --resume auto')
    refused(UsageError, settings, r'was started otherwise: --seed 9 \(was 0\)', seed=9, resume='auto')
    refused(
        UsageError, settings, '32 images per step over all devices, now it would be 16', batch_size=16, resume='auto'
    )
    refused(UsageError, settings, 'no run in', resume=str(tmp_path / 'other'), output=None)
    assert (tmp_path / 'run' / 'metrics.jsonl').read_bytes() == before


def test_a_run_is_not_resumed_with_classes_of_other_names(settings, few_digits, tmp_path):
    data = tmp_path / 'data'
    shutil.copytree(str(few_digits), str(data))
    settings = {**settings, 'epochs': 1, 'data_train': str(data / 'train.rec'), 'data_val': str(data / 'val.rec')}
    train(TrainConfig(**settings))
    (data / 'classes.txt').write_text('\n'.join(['1', '0', *map(str, range(2, 10))]))
    refused(DataError, settings, r"class 0 is '1' in .*/classes\.txt, but '0' in .*\.json", resume='auto')
    assert train(TrainConfig(**settings, resume='auto', ignore_classes=True))['epochs'] == 1


def test_weights_with_classes_of_other_names_are_no_start(settings, few_digits, tmp_path):
    data = tmp_path / 'data'
    shutil.copytree(str(few_digits), str(data))
    (data / 'classes.txt').write_text(''.join(f'letter {letter}\n' for letter in 'abcdefghij'))
    given = dict(network=None, pretrained='cbamnet_tiny', image_size=16, epochs=1, option={})
    given.update(data_train=str(data / 'train.rec'), data_val=str(data / 'val.rec'))
    refused(DataError, settings, r"class 0 is 'letter a' in .*, but '0' in .*cbamnet_tiny\.digits\.json", **given)
    assert not (tmp_path / 'run').exists()
    summary = train(TrainConfig(**{**settings, **given, 'ignore_classes': True}))
    assert summary['classes_compared'] is False
    assert yaml.safe_load((tmp_path / 'run' / 'config.yaml').read_text())['network'] == 'cbamnet_tiny'
    (data / 'classes.txt').write_text('a\nb\n')  # another number of classes, of which the head is new
    refused(DataError, settings, r'has label \d, not a class in 0\.\.1', **{**given, 'output': str(tmp_path / 'b')})


def test_compressed_gradients_change_the_training(settings, tmp_path):
    """Each step moves a weight by the threshold or not at all, and keeps the rest for later."""
    for name, compression in (('all', None), ('two', '2bit:0.1')):
        changes = {'cpus': 2, 'batch_size': 16, 'gradient_compression': compression, 'output': str(tmp_path / name)}
        summary = train(TrainConfig(**{**settings, **changes, 'epochs': 1}))
        assert summary['final']['top1'] > 0.3
    whole, compressed = (parameters(newest(tmp_path / name)) for name in ('all', 'two'))
    assert any(np.abs(whole[name] - compressed[name]).max() > 1e-3 for name in whole)

"""A second task in its own package with one row: it trains, validates, resumes, predicts, exports and publishes."""

import csv
import json
import os
import shutil
import signal

import cv2
import mxnet as mx
import numpy as np
import pytest
from regression_task.task import Brightness, SquaredError
from run_folders import assert_same_run, state
from thread_groups import in_group

from gluon_cbam import zoo
from gluon_cbam.benchmarks import cbam_workloads
from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.common.errors import DataError, Interrupted, UsageError
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.inference.network import load_network
from gluon_cbam.publishing import publish as publishing
from gluon_cbam.publishing.publish import About
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.evaluation import evaluate, on_contexts
from gluon_cbam.training import TrainConfig, train
from gluon_cbam.training.checkpoint.run_directory import check_run_directory

CPU = [mx.cpu()]
STEPS = 12  # an epoch


@pytest.fixture(scope='module')
def trained(brightness_data, tmp_path_factory):
    """A run of four epochs."""
    output = tmp_path_factory.mktemp('runs') / 'bright'
    train(TrainConfig(**settings(brightness_data, output), keep_best=2, tensorboard=True))
    return output


def settings(data, output, **changes):
    return {
        'task': 'brightness', 'network': 'cbamnet_tiny', 'data_train': str(data / 'train.rec'),
        'data_val': str(data / 'val.rec'), 'output': str(output), 'image_size': 8, 'batch_size': 8, 'epochs': 4,
        'log_interval': 5, 'lr': 0.01, 'optimizer': 'adamw', 'lr_mode': 'cosine', 'workers': 1,
        'augment': 'none', **changes,
    }  # fmt: skip


def metrics(output, kind):
    records = [json.loads(line) for line in (output / 'metrics.jsonl').read_text().splitlines()]
    return [record for record in records if record['kind'] == kind]


def test_files_of_a_run(trained):
    epochs, intervals = metrics(trained, 'epoch'), metrics(trained, 'interval')
    assert list(epochs[0])[4:8] == ['train_loss', 'train_mae', 'val_loss', 'val_mae']
    assert list(intervals[0])[4:6] == ['loss', 'mae']
    summary = json.loads((trained / 'summary.json').read_text())
    scores = {record['epoch']: record['val_mae'] for record in epochs}
    best = min(scores, key=scores.get)
    assert summary['best'] == {'epoch': best, 'step': 12 * best, 'mae': scores[best]}
    assert summary['final'] == {'mae': scores[4], 'loss': epochs[-1]['val_loss']}
    assert scores[best] < 0.25
    log = (trained / 'train.log').read_text()
    assert f'validation loss {epochs[-1]["val_loss"]:.4f}, MAE {scores[4]:.4f}' in log
    assert cv2.imread(str(trained / 'curves.png')).shape[1] > 500
    card = json.loads((trained / 'checkpoints' / 'best.json').read_text())
    assert (card['task'], card['classes'], card['metrics']['mae'], card['metrics']['records']) == (
        'brightness', 1, scores[best], 37,
    )  # fmt: skip


def test_the_lowest_errors_are_kept(trained):
    scores = {record['epoch']: record['val_mae'] for record in metrics(trained, 'epoch')}
    lowest = sorted(scores, key=scores.get)[:2]
    assert {path.stem for path in (trained / 'checkpoints').glob('best-*.params')} == {
        f'best-epoch{epoch:04d}-mae-{scores[epoch]:.4f}' for epoch in lowest
    }


def by_hand(path, data):
    """(mean absolute error, mean squared error) of the parameters of a run by a plain loop."""
    loaded, records = load_network('cbamnet_tiny', CPU, str(path)), RecordFile(data)
    images = [loaded.preprocessing(decode(records[number].image, 'x')) for number in range(len(records))]
    outputs = np.concatenate([loaded.net(mx.nd.array(image[None])).asnumpy() for image in images])[:, 0]
    errors = outputs.astype(float) - records.labels
    return np.abs(errors).mean(), (errors**2).mean()


@pytest.mark.parametrize(('size', 'devices', 'batch_size'), [(1, 1, 5), (1, 2, 16), (3, 1, 4), (3, 2, 50)])
def test_validation_is_exact_and_sharded(trained, brightness_data, size, devices, batch_size):
    ctx = [mx.cpu(number) for number in range(devices)]
    networks = [load_network('cbamnet_tiny', ctx, str(trained)) for _ in range(size)]
    for loaded in networks:  # MXNet traces in one thread at a time
        on_contexts(loaded.net, ctx)(np.zeros((batch_size * devices, 3, 8, 8), np.float32))()

    def run(rank, group):
        loaded = networks[rank]
        data = loaded.task.open_validation(brightness_data / 'val.rec', 1)
        return evaluate(loaded.task, loaded.net, data, loaded.preprocessing, ctx, batch_size, 1, process_group=group)

    found = in_group(size, run)
    expected = by_hand(trained, brightness_data / 'val.rec')
    for scored in found:
        assert scored.records == 37
        assert (scored.mae, scored.loss) == pytest.approx(expected, abs=1e-6)
    assert len({scored.mae for scored in found}) == 1


def interrupted(step):
    """A display that sends SIGTERM at a step."""
    shown = [0]

    def show(batches, total, text):
        for batch in batches:
            if shown[0] == step:
                os.kill(os.getpid(), signal.SIGTERM)
            shown[0] += 1
            yield batch

    return show


@pytest.mark.parametrize('step', [7, STEPS + 3])
def test_a_run_resumes_bit_for_bit(brightness_data, tmp_path, step):
    run, unbroken = (settings(brightness_data, tmp_path / name, epochs=2) for name in ('run', 'unbroken'))
    train(TrainConfig(**unbroken))
    with pytest.raises(Interrupted, match=f'SIGTERM at step {step}'):
        train(TrainConfig(**run), progress=interrupted(step))
    train(TrainConfig(**run, resume='auto'))
    assert_same_run(tmp_path / 'run', tmp_path / 'unbroken')


class Offset(mx.gluon.nn.HybridBlock):
    def __init__(self):
        super().__init__()
        self.offset = self.params.get('offset', shape=(1,), init=mx.init.Constant(0.25))

    def hybrid_forward(self, F, x, offset):
        return F.broadcast_add(x, offset)


class OffsetError(SquaredError):
    """A loss with a parameter of its own, which the network does not have."""

    def __init__(self, preprocessing):
        super().__init__(preprocessing)
        self.head = Offset()

    def loss(self, net, inputs):
        outputs = self.head(net(inputs.images)[:, 0])
        return (outputs - inputs.labels) ** 2, outputs


def test_parameters_of_a_loss_are_trained_and_saved(brightness_data, tmp_path, monkeypatch):
    monkeypatch.setattr(Brightness, 'objective', lambda self, settings, preprocessing, *_: OffsetError(preprocessing))
    changes = {'epochs': 2, 'cpus': 2, 'batch_size': 4}
    run, unbroken = (settings(brightness_data, tmp_path / name, **changes) for name in ('run', 'unbroken'))
    train(TrainConfig(**unbroken))
    with pytest.raises(Interrupted):
        train(TrainConfig(**run), progress=interrupted(7))
    train(TrainConfig(**run, resume='auto'))
    mine, expected = state(tmp_path / 'run'), state(tmp_path / 'unbroken')
    assert mine['head/offset'] == expected['head/offset'] != 0.25
    assert 'optimizer/head.offset:0' in mine
    assert load_network('cbamnet_tiny', CPU, str(tmp_path / 'run')).classes == 1, 'the network is saved without it'


def test_the_task_of_a_run_does_not_change(trained, brightness_data):
    config = TrainConfig(**settings(brightness_data, trained, task='classification'), resume='auto')
    with pytest.raises(UsageError, match=r"--task 'classification' \(was 'brightness'\)"):
        check_run_directory(config)


def test_two_devices_and_accumulated_batches(brightness_data, tmp_path):
    summary = train(TrainConfig(**settings(
        brightness_data, tmp_path / 'run', cpus=2, batch_size=4, accumulate=2, ema=0.9, epochs=1,
    )))  # fmt: skip
    assert (summary['steps'], set(summary['best'])) == (6, {'epoch', 'step', 'mae'})


def test_labels_and_settings_are_the_tasks(brightness_data, digits, tmp_path):
    with pytest.raises(DataError, match='has no brightness in 0..1'):
        train(TrainConfig(**settings(digits, tmp_path / 'run')))
    with pytest.raises(UsageError, match='--mixup is for classes'):
        train(TrainConfig(**settings(brightness_data, tmp_path / 'run', mixup=0.2)))
    with pytest.raises(UsageError, match="unknown task 'brightnes': did you mean brightness"):
        train(TrainConfig(**settings(brightness_data, tmp_path / 'run', task='brightnes')))
    assert not (tmp_path / 'run').exists()


def test_the_command_validates(cbam_here, trained, brightness_data):
    arguments = ['--network', 'cbamnet_tiny', '--params', trained, '--data-val', brightness_data / 'val.rec']
    value = json.loads(cbam_here('validate', *arguments, '--json').stdout)
    assert list(value) == ['network', 'params_sha256', 'records', 'mae', 'loss', 'seconds']
    assert (value['mae'], value['loss']) == pytest.approx(by_hand(trained, brightness_data / 'val.rec'), abs=1e-6)
    assert f'37 of 37 records, each once: MAE {value["mae"]:.4f}, loss' in cbam_here('validate', *arguments).stdout


def test_weights_without_a_card(cbam_here, trained, brightness_data, tmp_path):
    shutil.copy(trained / 'checkpoints' / 'best.params', tmp_path / 'x.params')
    arguments = [
        '--network', 'cbamnet_tiny', '--params', tmp_path / 'x.params', '--classes', 1, '--image-size', 8,
        '--data-val', brightness_data / 'val.rec', '--json',
    ]  # fmt: skip
    assert 'not a class in 0..0' in cbam_here('validate', *arguments).stderr
    assert set(json.loads(cbam_here('validate', '--task', 'brightness', *arguments).stdout)) >= {'mae', 'loss'}


def test_the_command_predicts(cbam_here, trained, brightness_data, tmp_path):
    arguments = [brightness_data / 'val.rec', '--network', 'cbamnet_tiny', '--params', trained]
    images = json.loads(cbam_here('predict', *arguments, '--json').stdout)['images']
    values = np.array([image['brightness'] for image in images])
    labels = RecordFile(brightness_data / 'val.rec').labels
    assert np.abs(values - labels).mean() == pytest.approx(by_hand(trained, brightness_data / 'val.rec')[0], abs=1e-6)
    assert cbam_here('predict', *arguments, '--csv', tmp_path / 'b.csv').returncode == 0
    with open(tmp_path / 'b.csv') as file:
        rows = list(csv.DictReader(file))
    assert [float(row['brightness']) for row in rows] == pytest.approx(values, abs=1e-9)
    assert cbam_here('predict', *arguments).stdout.splitlines()[0].endswith(f'val.rec#0: {values[0]:.4f}')


def test_the_command_compares_runs(cbam_here, trained, brightness_data, tmp_path):
    train(TrainConfig(**settings(brightness_data, trained.parent / 'unlearned', epochs=1, lr=0.0)))
    process = cbam_here('runs', trained.parent, '--json', '--plot', tmp_path / 'runs.png')
    runs = json.loads(process.stdout)['runs']
    assert [os.path.basename(run['path']) for run in runs] == ['bright', 'unlearned']
    assert runs[0]['best_mae'] < runs[1]['best_mae']
    assert {run['task'] for run in runs} == {'brightness'}
    assert 'best MAE' in cbam_here('runs', trained.parent).stdout
    assert (tmp_path / 'runs.png').exists()


def test_it_is_published_and_verified(cbam_here, trained, brightness_data, tmp_path, monkeypatch):
    monkeypatch.setenv('CBAM_HOME', str(tmp_path / 'home'))
    shop = tmp_path / 'shop'
    card = publishing.publish(trained, shop, About('cbamnet_tiny', 'first'), CPU)
    assert (card.task, card.metrics.top1) == ('brightness', None)
    assert card.metrics.figures == pytest.approx({'mae': by_hand(trained, brightness_data / 'val.rec')[0]}, abs=1e-6)
    assert ', the best of 4' in card.recipe
    options = ['--registry', shop / 'registry.yaml', '--root', tmp_path / 'store']
    assert cbam_here('zoo', 'get', card.tag, *options).returncode == 0
    process = cbam_here('zoo', 'verify', card.tag, '--data-val', brightness_data / 'val.rec', *options, '--json')
    (value,) = json.loads(process.stdout)['weights']
    assert (value['agrees'], value['differences']) == (True, {'mae': 0})
    listed = cbam_here('zoo', 'list', *options).stdout
    assert 'MAE' in listed.splitlines()[0]
    assert zoo.Published.from_dict(card.as_dict(), 'x').metrics == card.metrics


def test_it_is_exported(cbam_here, trained, brightness_data, tmp_path):
    onnx = pytest.importorskip('onnx')
    pytest.importorskip('onnxruntime')
    arguments = ['--network', 'cbamnet_tiny', '--params', trained]
    process = cbam_here('export', *arguments, '-o', tmp_path / 'bright.onnx')
    assert process.returncode == 0, process.stderr
    assert [output.name for output in onnx.load(str(tmp_path / 'bright.onnx')).graph.output] == ['brightness']
    process = cbam_here(
        'validate', '--exported', tmp_path / 'bright.onnx', '--data-val', brightness_data / 'val.rec', '--json'
    )
    assert json.loads(process.stdout)['mae'] == pytest.approx(
        by_hand(trained, brightness_data / 'val.rec')[0], abs=1e-5
    )


def test_a_symbol_of_it_knows_the_task(cbam_here, trained, brightness_data, tmp_path):
    arguments = ['--network', 'cbamnet_tiny', '--params', trained, '--format', 'symbol']
    process = cbam_here('export', *arguments, '-o', tmp_path / 'bright')
    assert process.returncode == 0, process.stderr
    process = cbam_here(
        'validate', '--exported', tmp_path / 'bright-symbol.json', '--data-val', brightness_data / 'val.rec', '--json'
    )
    assert json.loads(process.stdout)['mae'] == pytest.approx(
        by_hand(trained, brightness_data / 'val.rec')[0], abs=1e-5
    )


def test_a_dry_run(cbam_here, brightness_data, tmp_path):
    flags = [
        part
        for name, value in settings(brightness_data, tmp_path / 'run').items()
        for part in (f'--{name.replace("_", "-")}', value)
    ]
    process = cbam_here('train', *flags, '--dry-run', '--json')
    assert json.loads(process.stdout)['steps_per_epoch'] == STEPS, process.stderr


def test_examples_of_the_task_can_be_trained(tmp_path):
    """The data for benchmarks."""
    task = get_task('brightness')
    assert isinstance(task, Brightness)
    task.write_example(tmp_path / 'some.rec', 5, 1)
    assert len(task.open_training(tmp_path / 'some.rec', 1)) == 5
    assert task.example_batch(4, 8, 1).images.shape == (4, 8, 8, 3)


def test_it_is_measured(brightness_data):
    context = BenchmarkContext(
        mode='train', network='cbamnet_tiny', batch=4, image_size=8, classes=1, task='brightness',
        data=str(brightness_data / 'val.rec'),
    )  # fmt: skip
    with cbam_workloads.train(context) as workload:
        sums, _ = workload.call()
    assert len(sums) == 2
    with cbam_workloads.validate(context) as workload:
        assert workload.call().records == workload.images == 37


def test_a_label_that_is_not_a_number_is_refused(tmp_path):
    with RecordWriter(tmp_path / 'bad.rec') as writer:
        writer.write(float('nan'), b'x')
    with pytest.raises(DataError, match='record 0 has no brightness'):
        get_task('brightness').open_validation(tmp_path / 'bad.rec', 1)

"""Multi-label classification from a list to predictions of an exported file."""

import csv
import json
from itertools import permutations

import cv2
import mxnet as mx
import numpy as np
import pytest
from html_pages import checked_page
from run_folders import state
from sklearn.metrics import average_precision_score

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import Batch
from gluon_cbam.data.records.multi_labels import MultiLabelRecords
from gluon_cbam.data.records.recordio import RecordWriter
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.classification.mixup import MixSampler
from gluon_cbam.tasks.multilabel.evaluation import mean_of_sigmoids
from gluon_cbam.tasks.multilabel.objective import MultilabelObjective
from gluon_cbam.training import make_config, train
from gluon_cbam.training.logging import curves

COLORS = ('red', 'green', 'blue')
IMAGES = 48


@pytest.fixture(scope='module', autouse=True)
def no_curves():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, 'draw', lambda *arguments: None)
        yield


@pytest.fixture(scope='module')
def listing(tmp_path_factory):
    """A list of noisy pictures of which any channels are bright, with a label for each."""
    folder, random = tmp_path_factory.mktemp('colors'), np.random.RandomState(0)
    lines = []
    for number in range(IMAGES):
        labels = np.array([number & 1, number >> 1 & 1, number >> 2 & 1])
        pixels = random.randint(0, 80, (8, 8, 3)) + 150 * labels
        cv2.imwrite(str(folder / f'{number}.png'), pixels[..., ::-1].astype(np.uint8))
        lines.append('\t'.join([str(number), *map(str, labels), f'{number}.png']))
    (folder / 'all.lst').write_text('\n'.join(lines) + '\n')
    (folder / 'classes.txt').write_text('\n'.join(COLORS))
    return folder / 'all.lst'


@pytest.fixture(scope='module')
def data(listing, tmp_path_factory):
    from gluon_cbam.data.preparation.packing import pack

    folder = tmp_path_factory.mktemp('packed')
    pack(listing, folder, all_labels=True, classes_file=listing.parent / 'classes.txt')
    (path,) = folder.glob('*.rec')
    return path


def settings(data, output, **changes):
    return {
        'task': 'multilabel', 'network': 'cbamnet_tiny', 'data_train': str(data), 'data_val': str(data), 'lr': 0.05,
        'output': str(output), 'image_size': 8, 'batch_size': 12, 'workers': 1, 'augment': 'none', 'epochs': 8,
        **changes,
    }  # fmt: skip


@pytest.fixture(scope='module')
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp('runs') / 'run'
    train(make_config(**settings(data, folder)))
    return folder


def test_a_packed_list_has_a_label_for_every_class(data):
    records = MultiLabelRecords(data)
    assert records.classes == 3 and records.names.names == list(COLORS)
    assert records.labels[[0, 3, 6]].tolist() == [[0, 0, 0], [1, 1, 0], [0, 1, 1]]


def test_it_learns_validates_predicts_and_exports(run, data, cbam_here, tmp_path):
    summary = json.loads((run / 'summary.json').read_text())
    assert summary['best']['map'] > 0.9
    done = cbam_here('validate', '--params', run, '--data-val', data, '--cpus', 2, '--batch-size', 5, '--json')
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found['map'] == pytest.approx(summary['best']['map'], abs=1e-6) and found['records'] == IMAGES
    assert [each['label'] for each in found['by_class']] == list(COLORS)
    assert {each['positives'] for each in found['by_class']} == {IMAGES / 2} and found['without_positives'] == []
    exported = tmp_path / 'colors.onnx'
    assert cbam_here('export', '--params', run, '-o', exported, '--data-val', data).returncode == 0
    done = cbam_here('validate', '--exported', exported, '--data-val', data, '--json')
    assert json.loads(done.stdout)['map'] == pytest.approx(found['map'], abs=1e-6)
    kept = {}
    for name, weights in (('params', run), ('exported', exported)):
        done = cbam_here('predict', data, f'--{name}', weights, '--threshold', 0, '--json')
        assert done.returncode == 0, done.stderr
        kept[name] = [each['labels'] for each in json.loads(done.stdout)['images']]
    assert [[label['class'] for label in each] for each in kept['params']] == [
        [label['class'] for label in each] for each in kept['exported']
    ]
    scores = np.zeros((IMAGES, 3))
    for number, labels in enumerate(kept['params']):
        for label in labels:
            assert label['label'] == COLORS[label['class']]
            scores[number, label['class']] = label['probability']
    expected = average_precision_score(MultiLabelRecords(data).labels, scores, average='macro')
    assert found['map'] == pytest.approx(expected, abs=1e-6)


def test_files_and_further_figures_of_validation(run, data, cbam_here, tmp_path):
    given = ['validate', '--params', run, '--data-val', data, '--workers', 1]
    files = ['--report', tmp_path / 'report', '--save-predictions', tmp_path / 'p.csv']
    done = cbam_here(*given, '--by-class', *files)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('precision') == 1  # one table
    page = checked_page((tmp_path / 'report' / 'report.html').read_text(encoding='utf-8'))
    assert [row[1] for row in page.tables[1][1:]] in list(map(list, permutations(COLORS)))
    assert (tmp_path / 'report' / 'predictions.csv').read_bytes() == (tmp_path / 'p.csv').read_bytes()
    table = list(csv.DictReader((tmp_path / 'p.csv').open()))
    assert [row['red label'] for row in table] == [str(number & 1) for number in range(IMAGES)]
    done = cbam_here(*given, '--tta', 'flip', '--json')
    assert (json.loads(done.stdout)['views'], json.loads(done.stdout)['tta']) == (2, ['flip'])


@pytest.mark.parametrize('options', [['--top-k', 2], ['--confusion', 'c.csv']])
def test_files_and_figures_of_one_label_are_refused(run, data, cbam_here, options):
    done = cbam_here('validate', '--params', run, '--data-val', data, *options)
    expected = f'{options[0]} is for classification, and the task is multilabel: leave it out'
    assert done.returncode == 2 and done.stderr.strip().endswith(expected)


def test_predictions_have_no_temperature(run, data, cbam_here):
    done = cbam_here('predict', data, '--params', run, '--temperature', 2)
    expected = '--temperature 2 is for classification, and the task is multilabel: leave it out'
    assert done.returncode == 2 and done.stderr.strip().endswith(expected)


def test_the_views_of_an_image_have_a_mean_probability():
    logits = np.random.RandomState(0).randn(5, 3, 4) * 4
    expected = (1 / (1 + np.exp(-logits))).mean(axis=1)
    assert np.allclose(1 / (1 + np.exp(-mean_of_sigmoids(logits))), expected, rtol=1e-12)
    assert mean_of_sigmoids(np.array([[[900.0], [-900.0]]])) == pytest.approx(0, abs=1e-9)


def test_predictions_as_rows(run, data, cbam_here, tmp_path):
    table = tmp_path / 'labels.csv'
    assert cbam_here('predict', data, '--params', run, '--only', 'red', '--csv', table).returncode == 0
    rows = list(csv.DictReader(table.open()))
    assert len(rows) == IMAGES and {row['label'] for row in rows} <= {'red', ''}
    done = cbam_here('predict', data, '--params', run, '--only', 'violet')
    assert done.returncode == 2 and "no class 'violet'" in done.stderr


def test_a_run_resumes_bit_for_bit(data, tmp_path):
    given = settings(data, tmp_path / 'parts', mixup=0.4, cutmix=1.0, cpus=2, batch_size=6, augment='cifar')
    train(make_config(**{**given, 'output': str(tmp_path / 'whole'), 'epochs': 2}))
    train(make_config(**{**given, 'epochs': 1}))
    train(make_config(**{**given, 'epochs': 2}, resume='auto'))
    mine, expected = state(tmp_path / 'parts'), state(tmp_path / 'whole')
    for name, value in mine.items():
        assert np.array_equal(value, expected[name]), name


def test_mixed_images_have_mixed_labels():
    config = make_config(task='multilabel', network='n', data_train='a.rec', image_size=4, seed=2, mixup=0.5)
    plain = Preprocessing(4, 1.0, mean=(0, 0, 0), std=(1 / 255, 1 / 255, 1 / 255))
    random = np.random.RandomState(0)
    images, labels = random.randn(6, 4, 4, 3), random.randint(0, 2, (6, 5))
    objective = MultilabelObjective(config.as_dict(), plain)
    (inputs,) = objective.prepare([Batch(mx.nd.array(images), mx.nd.array(labels))], 0, 0)
    share = MixSampler(0.5, 0, 4, seed=2)(0).share
    targets = share * labels + (1 - share) * labels[::-1]
    logits = random.randn(6, 5)
    losses, _ = objective.loss(lambda x: mx.nd.array(logits), inputs)
    expected = (np.log1p(np.exp(logits)) - logits * targets).mean(axis=1)
    assert np.allclose(losses.asnumpy(), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        ([[0, 1], [1]], 'record 1 at offset .* has 1 labels, the first record 2'),
        ([[0, 1], [2, 7]], r'record 1 at .*: the label of class 0 is 2, neither 1 nor 0 \(1 of 2 records\)'),
        ([[0, float('nan')]], 'the label of class 1 is nan'),
        ([[0, 0], [0, 0]], 'no image has a class: all labels are 0'),
        ([[0, 1, 1]], 'has labels of 3 classes, not of 2'),
    ],
)
def test_labels_that_do_not_fit(labels, message, tmp_path):
    with RecordWriter(tmp_path / 'a.rec') as writer:
        for each in labels:
            writer.write(each, b'no image')
    with pytest.raises(DataError, match=message):
        get_task('multilabel').open_training(tmp_path / 'a.rec', 2)


def test_settings_of_one_label_are_refused():
    for name, value in (('label_smoothing', 0.1), ('label_index', 0)):
        config = make_config(task='multilabel', network='n', data_train='a.rec', **{name: value})
        with pytest.raises(UsageError, match='leave it out'):
            get_task('multilabel').check_settings(config.as_dict())

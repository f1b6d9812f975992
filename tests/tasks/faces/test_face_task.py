"""The task faces: training with margin heads, resuming, validation on several sets, predictions, cards and exports."""

import csv
import json

import mxnet as mx
import numpy as np
import pytest
from checks import assert_one_line
from event_files import shown
from face_identities import face_settings as settings
from face_identities import write_identities
from sklearn.model_selection import KFold
from thread_groups import in_group

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.faces.archived_sets import write_archived
from gluon_cbam.data.faces.pickled_sets import write_pickled
from gluon_cbam.data.faces.verification_sets import open_verification_set
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.inference.network import load_network
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.evaluation import evaluate, on_contexts
from gluon_cbam.training import make_config, train

CPU = [mx.cpu()]


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_identities(tmp_path_factory.mktemp('faces'))


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory):
    """A run of four epochs."""
    output = tmp_path_factory.mktemp('runs') / 'faces'
    train(make_config(**settings(data, output, epochs=4, best_set='lfw')))
    return output


def metrics(output, kind):
    records = [json.loads(line) for line in (output / 'metrics.jsonl').read_text().splitlines()]
    return [record for record in records if record['kind'] == kind]


def test_files_of_a_run(trained):
    epochs = metrics(trained, 'epoch')
    assert list(epochs[0])[4:8] == ['train_loss', 'train_theta', 'train_hard', 'train_norm']
    assert epochs[-1]['train_theta'] < epochs[0]['train_theta']
    assert epochs[-1]['train_hard'] < epochs[0]['train_hard']
    names = [f'val_{name}_{figure}' for name in ('lfw', 'agedb_30') for figure in ('accuracy', 'std', 'auc', 'xnorm')]
    assert set(names) <= set(epochs[0])
    mean = (epochs[0]['val_lfw_accuracy'] + epochs[0]['val_agedb_30_accuracy']) / 2
    assert epochs[0]['val_accuracy'] == pytest.approx(mean, abs=1e-12)
    best = max(epochs, key=lambda each: (each['val_lfw_accuracy'], -each['epoch']))
    card = json.loads((trained / 'checkpoints' / 'best.json').read_text())
    assert (card['task'], card['classes'], card['options']['embedding']) == ('faces', 6, 16)
    assert card['metrics']['lfw_accuracy'] == best['val_lfw_accuracy'] > 0.8
    assert not [name for name in load(trained).net._collect_params_with_prefix() if 'moving' in name]


def load(run, ctx=CPU):
    return load_network('cbamnet_tiny', ctx, str(run))


def by_hand(run, path):
    """Accuracy over scikit-learn's folds and mean norm, by a plain loop over the pairs."""
    loaded, pairs = load(run), open_verification_set(path)
    images = np.stack([loaded.preprocessing(pairs.load(number)) for number in range(len(pairs))])
    plain, mirrored = (loaded.net(mx.nd.array(each)).asnumpy().astype(float) for each in (images, images[..., ::-1]))
    both = plain + mirrored
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    distances = ((both[pairs.pairs[:, 0]] - both[pairs.pairs[:, 1]]) ** 2).sum(axis=1)
    thresholds, accuracies = np.arange(0, 4, 0.01), []
    for fit, held in KFold(10).split(distances):
        right = [((distances[fit] < each) == pairs.same[fit]).mean() for each in thresholds]
        accuracies.append(((distances[held] < thresholds[np.argmax(right)]) == pairs.same[held]).mean())
    norms = np.linalg.norm(np.concatenate([plain, mirrored]), axis=1)
    return np.mean(accuracies), np.std(accuracies), norms.mean()


@pytest.mark.parametrize(('size', 'devices', 'batch_size'), [(1, 1, 7), (1, 2, 16), (3, 1, 11)])
def test_validation_scores_each_pair_once(trained, data, size, devices, batch_size):
    ctx = [mx.cpu(number) for number in range(devices)]
    networks = [load(trained, ctx) for _ in range(size)]
    for loaded in networks:  # MXNet traces in one thread at a time
        on_contexts(loaded.net, ctx)(np.zeros((batch_size * devices, 3, 16, 16), np.float32))()

    def run(rank, group):
        loaded = networks[rank]
        sets = loaded.task.open_validation(data / 'val', 1)
        return evaluate(loaded.task, loaded.net, sets, loaded.preprocessing, ctx, batch_size, 1, process_group=group)

    found = in_group(size, run)
    for scored in found:
        assert scored.records == 80
        for name in ('lfw', 'agedb_30'):
            expected = by_hand(trained, data / 'val' / f'{name}.npz')
            figures = [scored.figures[f'{name}_{figure}'] for figure in ('accuracy', 'std', 'xnorm')]
            assert figures == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_ema_accumulation_and_two_devices(data, tmp_path):
    summary = train(make_config(**settings(
        data, tmp_path / 'run', head='magface', cpus=2, batch_size=6, accumulate=2, ema=0.9, epochs=1,
    )))  # fmt: skip
    assert (summary['steps'], set(summary['best'])) == (2, {'epoch', 'step', 'accuracy'})


@pytest.mark.parametrize(
    ('changes', 'error', 'message'),
    [
        ({'mixup': 0.2}, UsageError, '--mixup 0.2 mixes identities'),
        ({'head': 'cosface', 'easy_margin': True}, UsageError, 'the head cosface has no form'),
        ({'head': 'softmax', 'subcenters': 3}, UsageError, '--subcenters 3: the head softmax has no cosines'),
        ({'head': 'triplet', 'margin': [float('nan')]}, UsageError, '--margin nan: alpha is a finite number from 0'),
        ({'margin': [0.5, 0.1]}, UsageError, 'the head arcface takes 1: m'),
        ({'best_set': 'cfp_fp'}, UsageError, '--best-set cfp_fp: .* has lfw, agedb_30'),
        ({'option': {}}, UsageError, 'give --option embedding=512'),
        ({'images_filter': 11}, UsageError, '--images-filter 11: no identity .* has more than 10 pictures'),
        ({'classes': 5}, DataError, 'not a class in 0..4'),
        (
            {'option': {'embedding': 16, 'image_size': 24}},
            UsageError,
            '--image-size 16 and --option image_size=24 contradict each other',
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(data, tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        train(make_config(**settings(data, tmp_path / 'run', **changes)))
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('given', [{'image_size': 16}, {'option': {'embedding': 16, 'image_size': 16}}])
def test_one_size_is_enough(data, tmp_path, given):
    """The card has both, so that the weights say what they take."""
    config = settings(data, tmp_path / 'run', epochs=1, data_val=None)
    for name in ('image_size', 'option'):
        config.pop(name)
    train(make_config(**{'option': {'embedding': 16}, **config, **given}))
    card = json.loads(next((tmp_path / 'run' / 'checkpoints').glob('newest-*.json')).read_text())
    assert (card['options']['image_size'], card['preprocessing']['image_size']) == (16, 16)
    assert train(make_config(**{'option': {'embedding': 16}, **config, **given, 'resume': 'auto'}))['epochs'] == 1


def test_labels_beyond_property_are_refused(data, tmp_path):
    for name in ('train.rec', 'train.idx'):
        (tmp_path / name).write_bytes((data / name).read_bytes())
    (tmp_path / 'property').write_text('5,16,16\n')
    with pytest.raises(DataError, match=r'not a class in 0\.\.4'):
        train(make_config(**settings(data, tmp_path / 'run', data_train=str(tmp_path / 'train.rec'))))


def test_two_sets_of_one_name_are_refused(data, tmp_path):
    found = get_task('faces').open_validation(data / 'val', 2).sets[0]
    write_archived(tmp_path / 'a.npz', found.pictures, found.pairs, found.same)
    for name in ('a.bin', 'a.c.bin'):  # which is between both: the figures of one would take the place of the other's
        write_pickled(tmp_path / name, [found.pictures[number] for number in found.pairs.ravel()], found.same)
    with pytest.raises(UsageError, match=r'a\.bin and .*a\.npz have one name'):
        get_task('faces').open_validation(tmp_path, 2)


def test_identities_with_few_pictures_are_left_out(data):
    task = get_task('faces').configured({'images_filter': 3, 'best_set': None})
    records = RecordFile(data / 'train.rec')
    labels = records.labels.copy()
    records.labels[:] = np.where(np.arange(len(labels)) < 2, 9, labels)  # two pictures of identity 9
    from gluon_cbam.tasks.faces.identities import with_pictures

    chosen = with_pictures(records, task.images_filter)
    assert len(chosen) == len(labels) - 2
    assert 9 not in chosen.labels
    assert chosen[0].image == RecordFile(data / 'train.rec')[2].image


def test_an_embedding_without_direction_is_named(trained, data):
    loaded, sets = load(trained), get_task('faces').open_validation(data / 'val' / 'lfw.npz', 1)

    def zeros(images):
        return lambda: [np.zeros((len(images), 4), np.float32)]

    with pytest.raises(DataError, match=r'lfw.npz: picture 0 has norm zero'):
        loaded.task.evaluate(zeros, sets, loaded.preprocessing, 8, 1)


def test_the_command_predicts_embeddings(cbam_here, trained, data, tmp_path):
    arguments = [data / 'train.rec', '--network', 'cbamnet_tiny', '--params', trained]
    images = json.loads(cbam_here('predict', *arguments, '--json').stdout)['images']
    loaded, records = load(trained), RecordFile(data / 'train.rec')
    image = loaded.preprocessing(decode(records[5].image, 'x'))
    expected = loaded.net(mx.nd.array(image[None])).asnumpy()[0]
    assert images[5]['embedding'] == pytest.approx(expected.tolist(), rel=1e-5, abs=1e-4)
    assert images[5]['norm'] == pytest.approx(np.linalg.norm(expected), rel=1e-5)
    assert cbam_here('predict', *arguments, '--csv', tmp_path / 'e.csv').returncode == 0
    with open(tmp_path / 'e.csv') as file:
        row = list(csv.DictReader(file))[5]
    assert json.loads(row['embedding']) == pytest.approx(expected.tolist(), rel=1e-5, abs=1e-4)


def test_the_command_validates_and_exports(cbam_here, trained, data, tmp_path):
    arguments = ['--network', 'cbamnet_tiny', '--params', trained]
    value = json.loads(cbam_here('validate', *arguments, '--data-val', data / 'val' / 'lfw.npz', '--json').stdout)
    assert value['accuracy'] == value['lfw_accuracy'] == by_hand(trained, data / 'val' / 'lfw.npz')[0]
    process = cbam_here('export', *arguments, '--format', 'symbol', '-o', tmp_path / 'faces')
    assert process.returncode == 0, process.stderr
    process = cbam_here('validate', '--exported', tmp_path / 'faces-symbol.json', '--data-val', data / 'val', '--json')
    assert json.loads(process.stdout)['lfw_accuracy'] == value['accuracy']


def test_it_is_published_and_verified(cbam_here, trained, data, tmp_path, monkeypatch):
    monkeypatch.setenv('CBAM_HOME', str(tmp_path / 'home'))
    shop = tmp_path / 'shop'
    flags = ['--name', 'cbamnet_tiny', '--tag-source', 'first', '-o', shop, '--source', 'x', '--licence', 'MIT']
    process = cbam_here('zoo', 'publish', trained, *flags, '--json')
    assert process.returncode == 0, process.stderr
    options = ['--registry', shop / 'registry.yaml', '--root', tmp_path / 'store']
    assert cbam_here('zoo', 'get', 'cbamnet_tiny.first', *options).returncode == 0
    process = cbam_here('zoo', 'verify', 'cbamnet_tiny.first', '--data-val', data / 'val', *options, '--json')
    (value,) = json.loads(process.stdout)['weights']
    assert value['agrees']
    assert set(value['differences']) == {'accuracy', 'lfw_accuracy', 'lfw_auc', 'agedb_30_accuracy', 'agedb_30_auc'}
    assert set(value['differences'].values()) == {0}


def test_it_is_published_with_other_sets_than_the_one_that_decided(cbam_here, trained, data, tmp_path, monkeypatch):
    monkeypatch.setenv('CBAM_HOME', str(tmp_path / 'home'))
    flags = [
        '--name',
        'cbamnet_tiny',
        '--tag-source',
        'first',
        '-o',
        tmp_path / 'shop',
        '--source',
        'x',
        '--licence',
        'MIT',
    ]
    process = cbam_here('zoo', 'publish', trained, *flags, '--data-val', data / 'val' / 'agedb_30.npz', '--json')
    assert process.returncode == 0, process.stderr
    metrics = (tmp_path / 'shop' / 'registry.yaml').read_text()
    assert 'agedb_30_accuracy' in metrics
    assert 'lfw_accuracy' not in metrics


def test_float16_needs_gpus(cbam_here, data, tmp_path):
    """MXNet has no float16 matrix product for the CPU: one line, and nothing is written, also by a dry run."""
    flags = ['--task', 'faces', '--network', 'cbamnet_tiny', '--option', 'embedding=16', '--image-size', 16]
    flags += ['--data-train', data / 'train.rec', '--output', tmp_path / 'run', '--dtype', 'float16']
    for more in ([], ['--dry-run']):
        line = assert_one_line(cbam_here('train', *flags, *more), 3)
        assert '--dtype float16 needs GPUs' in line
    assert not (tmp_path / 'run').exists()


def test_events_for_tensorboard(data, tmp_path):
    """The figures of training, and those of each set at each validation."""
    train(make_config(**settings(data, tmp_path / 'run', tensorboard=True, val_interval=3, log_interval=2)))
    found, expected = shown(tmp_path / 'run' / 'tensorboard'), {}
    for record in metrics(tmp_path / 'run', 'interval'):
        for name in ('loss', 'theta', 'hard', 'norm'):
            expected[f'train/{name}', record['step']] = record[name]
    for record in (*metrics(tmp_path / 'run', 'validation'), *metrics(tmp_path / 'run', 'epoch')):
        for name, value in record.items():
            if name.startswith('val_'):
                expected[f'val/{name[4:]}', record['step']] = value
    assert {step for tag, step in expected if tag == 'val/lfw_accuracy'} == {3, 5, 6, 9, 10}
    assert ('val/agedb_30_xnorm', 9) in expected
    assert {key: value for key, value in found.items() if key[0][:4] in ('trai', 'val/')} == {
        key: pytest.approx(value, rel=1e-6) for key, value in expected.items() if value is not None
    }


@pytest.mark.parametrize(
    ('same', 'folds', 'message'),
    [([True] * 4, 2, '4 of 4 pairs'), ([False] * 4, 2, '0 of 4 pairs'), ([True, False], 1, '2 pairs in 1 folds')],
)
def test_a_set_that_cannot_be_scored_is_refused_before_training(data, tmp_path, same, folds, message):
    picture = open_verification_set(data / 'val' / 'lfw.npz').pictures[0]
    pairs = np.arange(2 * len(same)).reshape(-1, 2)
    write_archived(tmp_path / 'odd.npz', [picture] * pairs.size, pairs, np.array(same), folds)
    with pytest.raises(DataError, match=f'odd.npz: {message}'):
        train(make_config(**settings(data, tmp_path / 'run', data_val=str(tmp_path / 'odd.npz'))))
    assert not (tmp_path / 'run').exists()


def test_the_false_accept_rate_of_equal_embeddings_is_stated(data):
    sets = get_task('faces').open_validation(data / 'val' / 'lfw.npz', 1)

    def start(images):
        return lambda: [np.ones((len(images), 4))]

    values = get_task('faces').evaluate(start, sets, lambda pixels: pixels.astype(np.float32), 8, 1).as_dict()
    assert values['lfw_auc'] == 0.5
    assert values['lfw_val'] == values['lfw_far'] == 1

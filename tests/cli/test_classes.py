"""The names of classes are compared wherever two lists of them meet, and weights name their network."""

import json
import shutil

import cv2
import numpy as np
import pytest
from checks import assert_one_line

from gluon_cbam.data.class_names import write_classes
from gluon_cbam.data.datasets.imagenet import imagenet_classes, imagenet_synsets
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter

DIGITS = [str(digit) for digit in range(10)]
TINY = ['--pretrained', 'cbamnet_tiny']
ORDER = ['1', '0', *DIGITS[2:]]


def few(digits, folder, names=None, count=20, labels=None):
    """A file of a few digits, with these names beside it."""
    records = RecordFile(digits / 'val.rec')
    folder.mkdir()
    with RecordWriter(folder / 'val.rec') as writer:
        for number in range(0, len(records), len(records) // count)[:count]:
            writer.write(records[number].labels if labels is None else labels, records[number].image)
    write_classes(folder, names or [])
    return folder / 'val.rec'


@pytest.fixture(scope='module')
def without_zero(digits, tmp_path_factory):
    """Digits packed from the folders 1 to 9, whose labels are 0 to 8."""
    from gluon_cbam.data.preparation.packing import pack

    records, root = RecordFile(digits / 'val.rec'), tmp_path_factory.mktemp('without_zero')
    for number in [number for number in range(0, len(records), 7) if records.labels[number]]:
        path = root / 'images' / str(int(records.labels[number])) / f'{number}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(records[number].image)
    pack(root / 'images', root / 'rec')
    return root / 'rec' / 'train.rec'


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    """The published network as a symbol."""
    from gluon_cbam.cli.main import cli

    output = tmp_path_factory.mktemp('exported') / 'tiny'
    with pytest.raises(SystemExit):
        cli.main(['export', *TINY, '--format', 'symbol', '--output', str(output)])
    return f'{output}-symbol.json'


def commands(data, exported, folder):
    """Commands in which the names of data meet those of weights."""
    train = ['--epochs', 1, '--image-size', 16, '--batch-size', 4, '--dry-run', '--output', folder / 'run']
    return {
        'validate': ['validate', *TINY, '--data-val', data],
        'exported': ['validate', '--exported', exported, '--data-val', data],
        'export': ['export', *TINY, '--format', 'symbol', '--output', folder / 'again', '--data-val', data],
        'int8': ['export', *TINY, '--format', 'onnx-int8', '--output', folder / 'a.onnx', '--data-val', data],
        'calibration': ['export', *TINY, '--format', 'onnx-int8', '-o', folder / 'a.onnx', '--calibration', data],
        'score': ['explain', '--score', *TINY, '--data-val', data],
        'verify': ['zoo', 'verify', 'cbamnet_tiny', '--root', folder / 'store', '--data-val', data],
        'fine-tune': ['train', *TINY, '--data-train', data, '--classes', 10, *train],
    }


NAMES = ['validate', 'exported', 'export', 'int8', 'calibration', 'score', 'verify', 'fine-tune']


@pytest.mark.parametrize('name', NAMES)
def test_a_set_without_class_0_is_refused(name, cbam_here, without_zero, exported, tmp_path):
    line = assert_one_line(cbam_here(*commands(without_zero, exported, tmp_path)[name], '--json'), 4)
    assert f"class 0 is '1' in {without_zero.parent}/classes.txt, but '0' in " in line
    assert 'data pack --classes-file' in line
    assert line.endswith('or give --ignore-classes')
    assert [path.name for path in tmp_path.iterdir() if path.name != 'store'] == []


def test_another_order_is_refused(cbam_here, digits, tmp_path):
    data = few(digits, tmp_path / 'val', ORDER)
    assert "class 0 is '1' in " in assert_one_line(cbam_here('validate', *TINY, '--data-val', data, '--json'), 4)


def test_training_and_validation_data(cbam_here, digits, tmp_path):
    data = few(digits, tmp_path / 'val', ORDER)
    given = [
        'train',
        '--network',
        'cbamnet_tiny',
        '--data-train',
        digits / 'train.rec',
        '--data-val',
        data,
        '--dry-run',
    ]
    line = assert_one_line(cbam_here(*given, '--image-size', 16), 4)
    assert (
        f"in {data.parent}/classes.txt, but '0' in {digits}/classes.txt: pack the images with cbam data pack " in line
    )
    value = json.loads(cbam_here(*given, '--image-size', 16, '--ignore-classes', '--json').stdout)
    assert value['classes_compared'] is False


def test_the_same_classes_are_compared_and_ignored_on_request(cbam_here, digits, without_zero, tmp_path):
    same = json.loads(cbam_here('validate', *TINY, '--data-val', few(digits, tmp_path / 'a', DIGITS), '--json').stdout)
    assert {'classes_compared', 'warnings'} & set(same) == set()
    assert same['top1'] > 0.9
    given = ['validate', *TINY, '--data-val', without_zero, '--json']
    ignored = json.loads(cbam_here(*given, '--ignore-classes').stdout)
    assert ignored['top1'] < 0.1
    assert ignored['classes_compared'] is False
    assert ignored['warnings'] == [f'{without_zero}: 1 of 10 classes have no images, the first is class 9']


def test_the_remedy_of_the_message(cbam_here, without_zero, tmp_path):
    refused = cbam_here('validate', *TINY, '--data-val', without_zero).stderr
    file = refused.partition('--classes-file ')[2].partition(',')[0]
    images = without_zero.parent.parent / 'images'
    assert cbam_here('data', 'pack', images, tmp_path / 'rec', '--classes-file', file).returncode == 0
    value = json.loads(cbam_here('validate', *TINY, '--data-val', tmp_path / 'rec' / 'train.rec', '--json').stdout)
    assert value['top1'] > 0.9
    assert 'classes_compared' not in value
    assert 'no image is of class 0' in value['warnings'][0]


def test_no_names_are_said_once(cbam_here, digits, tmp_path):
    process = cbam_here('validate', *TINY, '--data-val', few(digits, tmp_path / 'val'), '--json')
    value = json.loads(process.stdout)
    assert value['classes_compared'] is False
    (warning,) = value['warnings']
    assert 'val.rec (without a classes.txt beside it) has none' in warning
    assert process.stderr.count(warning) == 1


def test_synsets_of_imagenet_are_the_classes_of_weights_without_names(cbam_here, tmp_path, monkeypatch):
    from gluon_cbam.data.class_names import ClassNames, names_beside
    from gluon_cbam.tasks import get_task

    weights, compare = ClassNames('r50.params', None, 1000), get_task().compare_classes
    image = cv2.imencode('.png', np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    with RecordWriter(tmp_path / 'val.rec') as writer:
        writer.write(0, image)
    for names, compared in ((imagenet_synsets(), True), (imagenet_classes(), True), (['wren'] * 1000, False)):
        write_classes(tmp_path, names)
        assert compare(weights, names_beside(tmp_path / 'val.rec')).compared is compared
    write_classes(tmp_path, imagenet_synsets()[:3] + imagenet_synsets()[4:])  # a class was left out
    with pytest.raises(ValueError, match=r"class 3 is 'n01494475' in .*, but 'tiger shark' in r50.params"):
        compare(weights, names_beside(tmp_path / 'val.rec'))
    assert compare(weights, names_beside(tmp_path / 'val.rec'), ignore=True).compared is False


def test_labels_may_rename_classes_but_not_exchange_them(cbam_here, digits, tmp_path):
    (tmp_path / 'seven.png').write_bytes(RecordFile(digits / 'val.rec')[-100].image)
    given = ['predict', tmp_path / 'seven.png', *TINY, '--labels', tmp_path / 'labels.txt']
    (tmp_path / 'labels.txt').write_text(''.join(f'digit {name}\n' for name in DIGITS))
    assert cbam_here(*given).returncode == 0
    (tmp_path / 'labels.txt').write_text('\n'.join(ORDER))
    line = assert_one_line(cbam_here(*given), 4)
    assert line.startswith(f"cbam: class 0 is '1' in {tmp_path}/labels.txt, but '0' in cbamnet_tiny")
    assert cbam_here(*given, '--ignore-classes').returncode == 0


def test_the_true_classes_of_records_go_by_their_names(cbam_here, without_zero, tmp_path):
    given = [without_zero, *TINY, '--limit', 1, '--output', tmp_path / 'explained', '--json']
    (image,) = json.loads(cbam_here('explain', *given).stdout)['images']
    assert image['true'] == {'class': 1, 'label': '1'}  # the label of the record is 0


# the network of the weights


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """A run folder as far as --params needs it."""
    from gluon_cbam import zoo

    folder = tmp_path_factory.mktemp('run')
    (folder / 'checkpoints').mkdir()
    path = zoo.cached(zoo.find('cbamnet_tiny'))
    for ending in ('.params', '.json'):
        shutil.copy(str(path.with_suffix(ending)), str(folder / 'checkpoints' / f'best{ending}'))
    return folder


@pytest.mark.parametrize('weights', ['run', 'file', 'tag', 'network'])
def test_the_weights_name_the_network(weights, cbam_here, digits, run, tmp_path):
    given = {
        'run': ['--params', run],
        'file': ['--params', run / 'checkpoints' / 'best.params'],
        'tag': ['--pretrained', 'cbamnet_tiny.digits'],
        'network': TINY,
    }[weights]
    (tmp_path / '7.png').write_bytes(RecordFile(digits / 'val.rec')[0].image)
    value = json.loads(cbam_here('predict', tmp_path / '7.png', *given, '--json').stdout)
    assert value['images'][0]['top'][0]['label'] == '0'
    agreeing = cbam_here('predict', tmp_path / '7.png', *given, '--network', 'cbamnet_tiny', '--json')
    assert json.loads(agreeing.stdout) == value
    line = assert_one_line(
        cbam_here('predict', tmp_path / '7.png', *given, '--network', 'cbamnet_small'),
        2 if weights in ('tag', 'network') else 4,
    )
    assert 'of cbamnet_tiny, not of cbamnet_small' in line


@pytest.mark.parametrize(
    'command',
    [
        ['export', '--format', 'symbol', '--output', 'FOLDER/x', '--params', 'RUN'],
        ['explain', 'FOLDER/7.png', '--output', 'FOLDER/explained', '--params', 'RUN'],
        ['convert', 'RUN', 'FOLDER/tiny.npz', '--source', 'keras', '--reverse'],
        ['train', '--pretrained', 'RUN', '--data-train', 'DIGITS/train.rec', '--image-size', 16, '--dry-run'],
        ['bench', 'predict', '--params', 'RUN', '--repetitions', 1, '--warm-up', 0, '--batch-size', 1],
    ],
    ids=lambda command: command[0],
)
def test_commands_without_a_network(command, cbam_here, digits, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / '7.png').write_bytes(RecordFile(digits / 'val.rec')[0].image)
    places = {'FOLDER': tmp_path, 'RUN': run, 'DIGITS': digits}
    for name, place in places.items():
        command = [str(part).replace(name, str(place)) for part in command]
    process = cbam_here(*command, '--json')
    assert process.returncode == 0, process.stderr
    if command[0] != 'explain':
        assert json.loads(process.stdout)['network'] == 'cbamnet_tiny'


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (
            ['validate', '--data-val', 'VAL'],
            '--network is needed, no weights name it: give --network NAME, or weights with a card: --params RUN',
        ),
        (['validate', '--data-val', 'VAL', '--pretrained'], 'give --network NAME, or --pretrained NETWORK or TAG'),
        (['export', '--output', 'x.onnx'], 'give --network NAME, or weights with a card'),
        (['train', '--data-train', 'VAL'], '--network is needed, or --pretrained'),
        (['train', '--data-train', 'VAL', '--resume', 'typo'], "no run in 'typo' to resume: there is no such folder"),
    ],
)
def test_where_nothing_names_the_network(arguments, says, cbam_here, digits):
    arguments = [str(digits / 'val.rec') if part == 'VAL' else part for part in arguments]
    assert says in assert_one_line(cbam_here(*arguments), 2)


def test_a_file_without_a_card_does_not_name_it(cbam_here, digits, run, tmp_path):
    shutil.copy(str(run / 'checkpoints' / 'best.params'), str(tmp_path / 'a.params'))
    line = assert_one_line(
        cbam_here('validate', '--params', tmp_path / 'a.params', '--data-val', digits / 'val.rec'), 2
    )
    assert f'{tmp_path}/a.params has no card that names it' in line

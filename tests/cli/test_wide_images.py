"""Images that are not square through every command, from training to published weights."""

import json

import cv2
import mxnet as mx
import numpy as np
import pytest
import yaml
from checks import assert_one_line

import gluon_cbam
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.training.config.command import command_of

WIDE = (32, 64)
NETWORK = ('--network', 'cbamnet_tiny')


def drawn(number):
    """A picture of 40 x 80 pixels with a red part, class 0, or a blue one, class 1."""
    random = np.random.RandomState(number)
    pixels = random.randint(0, 100, (40, 80, 3)).astype(np.uint8)
    left = random.randint(0, 40)
    pixels[:, left : left + 40, 2 * (number % 2)] += 100
    return pixels


def write(path, numbers):
    with RecordWriter(path) as writer:
        for number in numbers:
            writer.write(number % 2, cv2.imencode('.png', drawn(number)[..., ::-1])[1].tobytes())


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('wide')
    write(folder / 'train.rec', range(64))
    write(folder / 'val.rec', range(32, 44))
    cv2.imwrite(str(folder / 'red.png'), drawn(50)[..., ::-1])
    return folder


def training(data, output, *more):
    return (
        'train', *NETWORK, '--data-train', data / 'train.rec', '--data-val', data / 'val.rec', '--output', output,
        '--image-size', '32,64', '--crop-ratio', '1', '--augment', 'shift', '--rotation', '5', '--cutout', '4',
        '--optimizer', 'adam', '--lr', '0.01', '--batch-size', '8', '--classes', '2', '-j', '1', '--json', *more,
    )  # fmt: skip


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory):
    """A run that was resumed once."""
    from click_runner import runner

    from gluon_cbam.cli.main import cli

    output = tmp_path_factory.mktemp('runs') / 'run'
    for more in (('--epochs', '1'), ('--epochs', '4', '--resume', output)):
        done = runner().invoke(cli, [str(argument) for argument in training(data, output, *more)])
        assert done.exit_code == 0, done.stderr
    return output


def value_of(process):
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def by_hand(trained, data):
    """Top-1 of the parameters by a plain loop; pictures of twice the width are only resized."""
    net, records = gluon_cbam.get_model('cbamnet_tiny', pretrained=str(trained)), RecordFile(data / 'val.rec')
    images = [decode(records[number].image, 'x') for number in range(len(records))]
    seen = np.stack([cv2.resize(image, WIDE[::-1], interpolation=cv2.INTER_LINEAR) for image in images])
    card = json.loads((trained / 'checkpoints' / 'best.json').read_text())['preprocessing']
    batch = ((seen / 255 - card['mean']) / card['std']).transpose(0, 3, 1, 2)
    return float((net(mx.nd.array(batch)).asnumpy().argmax(axis=1) == records.labels).mean())


def test_the_files_of_a_run_state_the_size(trained):
    config = yaml.safe_load((trained / 'config.yaml').read_text())
    assert config['image_size'] == [32, 64]
    assert '--image-size 32,64' in command_of(config)
    assert json.loads((trained / 'checkpoints' / 'best.json').read_text())['preprocessing']['image_size'] == [32, 64]
    assert '32 x 64 (height x width) pixels' in (trained / 'train.log').read_text()


def test_every_other_augmentation(data, cbam_here, tmp_path):
    mixed = (
        '--augment', 'imagenet_color', '--cutmix', '1', '--mixup', '0.2', '--reprob', '0.5', '--aa', 'trivialaugment',
        '--epochs', '1',
    )  # fmt: skip
    value_of(cbam_here(*training(data, tmp_path / 'run', *mixed)))
    line = assert_one_line(cbam_here(*training(data, tmp_path / 'other', '--cutout', '33', '--epochs', '1')), 2)
    assert '--cutout must be at most the 32 pixels of the shorter side of the images, got 33' in line


def test_a_resumed_run_keeps_its_size(trained, data, cbam_here):
    line = assert_one_line(cbam_here(*training(data, trained, '--resume', trained, '--image-size', '64,32')), 2)
    assert '--image-size [64, 32] (was [32, 64])' in line


def test_validation_and_predictions(trained, data, cbam_here):
    value = value_of(cbam_here('validate', '--params', trained, '--data-val', data / 'val.rec', '--json'))
    assert value['top1'] == by_hand(trained, data) > 0.6
    views = ('--crop-ratio', '0.8', '--tta', 'ten')
    value_of(cbam_here('validate', '--params', trained, '--data-val', data / 'val.rec', *views, '--json'))
    (image,) = value_of(cbam_here('predict', data / 'red.png', '--params', trained, '--json'))['images']
    model = gluon_cbam.load(trained)
    assert model.preprocess([str(data / 'red.png')]).shape == (1, 3, *WIDE)
    assert 'images of 32 x 64 (height x width) pixels' in repr(model)
    (prediction,) = model.predict([drawn(50)])
    assert image['top'][0]['probability'] == pytest.approx(prediction.top[0].probability, abs=1e-6)


@pytest.mark.parametrize('method', ['gradcam', 'occlusion'])
def test_maps_have_the_shape_of_the_images(method, trained, data, cbam_here, tmp_path):
    options = ('--method', method, '--output', tmp_path / 'maps', '--report', '--json')
    (image,) = value_of(cbam_here('explain', data / 'red.png', '--params', trained, *options))['images']
    (shown,) = [each for each in image['maps'] if each['kind'] == method]
    assert shown['box'][2] == 2 * shown['box'][3]
    if method == 'occlusion':
        assert shown['shape'] == list(WIDE)


def test_exported_files(trained, data, cbam_here, tmp_path):
    pytest.importorskip('onnxruntime')
    wanted = by_hand(trained, data)
    free, fixed, symbol = tmp_path / 'free.onnx', tmp_path / 'fixed.onnx', tmp_path / 'net'
    for path, more in (
        (free, ('--dynamic',)), (fixed, ('--preprocessing',)), (symbol, ('--format', 'symbol')),
    ):  # fmt: skip
        report = value_of(cbam_here('export', '--params', trained, '-o', path, *more, '--json'))
        exported = next(file for file in report['files'] if file.endswith(('.onnx', '-symbol.json')))
        value = value_of(cbam_here('validate', '--exported', exported, '--data-val', data / 'val.rec', '--json'))
        assert value['top1'] == wanted
    other = ('--data-val', data / 'val.rec', '--image-size', '40,48', '--json')
    same = value_of(cbam_here('validate', '--params', trained, *other))['top1']
    assert value_of(cbam_here('validate', '--exported', free, *other))['top1'] == same
    line = assert_one_line(cbam_here('validate', '--exported', fixed, *other), 2)
    assert 'takes images of 32 x 64 (height x width) pixels, got 40,48: export ONNX with --dynamic' in line


def test_published_weights(trained, data, cbam_here, tmp_path, monkeypatch):
    monkeypatch.setenv('CBAM_HOME', str(tmp_path / 'home'))
    shop = tmp_path / 'shop'
    published = value_of(
        cbam_here('zoo', 'publish', trained, '--name', 'cbamnet_tiny', '--tag-source', 'wide', '-o', shop, '--json')
    )
    card = published['card']
    assert card['preprocessing']['image_size'] == [32, 64]
    info = value_of(cbam_here('models', 'info', 'cbamnet_tiny', '--classes', '2', '--image-size', '32,64', '--json'))
    assert (info['input'], info['macs']) == ([3, 32, 64], card['macs'])
    registry = ('--registry', shop, '--json')
    value_of(cbam_here('zoo', 'get', 'cbamnet_tiny.wide', *registry))
    verified = value_of(cbam_here('zoo', 'verify', 'cbamnet_tiny.wide', '--data-val', data / 'val.rec', *registry))
    (value,) = verified['weights']
    assert value['agrees'] and value['metrics']['top1'] == by_hand(trained, data)
    monkeypatch.setenv('CBAM_ZOO_REGISTRY', str(shop))
    assert gluon_cbam.load('cbamnet_tiny.wide').preprocessing.shape == WIDE


@pytest.mark.parametrize('size', ['0', '-4', '32,0', '1,2,3', 'wide', '32x64', '5000'])
@pytest.mark.parametrize('command', [('train', '--output', 'run'), ('validate',), ('models', 'info', 'cbamnet_tiny')])
def test_sizes_that_are_none(size, command, cbam_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ('--image-size', size, '--classes', '2', *(NETWORK if command[0] != 'models' else ()))
    line = assert_one_line(cbam_here(*command, *options), 2)
    assert line.startswith('cbam: --image-size must be ')
    assert not list(tmp_path.iterdir())

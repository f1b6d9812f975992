"""A network of one channel from gray records to published weights, each step compared with numpy or ONNX Runtime."""

import json

import cv2
import mxnet as mx
import numpy as np
import pytest
from click.testing import CliRunner

import gluon_cbam
from gluon_cbam.cli.main import cli
from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import Normalize, TrainingData
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.publishing.publish import About, publish
from gluon_cbam.training.config.task_settings import make_config
from gluon_cbam.training.setup import prepare

LUMA = np.array([0.299, 0.587, 0.114])
MEAN, STD = 0.458971, 0.225609  # ImageNet's, with the weights of gray


@pytest.fixture(scope='module')
def run(few_digits, tmp_path_factory):
    """The folder of a run."""
    folder = tmp_path_factory.mktemp('gray')
    gluon_cbam.train(
        network='cbamnet_tiny', data_train=str(few_digits / 'train.rec'), data_val=str(few_digits / 'val.rec'),
        option={'in_channels': 1}, output=str(folder / 'run'), image_size=8, batch_size=16, epochs=1, workers=1,
    )  # fmt: skip
    return folder / 'run'


def prepared(pixels):
    """(1, 1, 8, 8) of (H, W, 3) uint8."""
    gray = np.rint((cv2.resize(pixels, (8, 8)) * LUMA).sum(axis=2))
    return ((gray / 255 - MEAN) / STD)[None, None].astype(np.float32)


def test_batches_have_one_channel(few_digits):
    records = RecordFile(few_digits / 'train.rec')
    preprocessing = Preprocessing(8, 1.0).of_channels(1)
    batch = next(TrainingData(records, 6, preprocessing, 'none', 0, 1).epoch(0))
    stored = [cv2.imdecode(np.frombuffer(records[n].image, np.uint8), -1).tobytes() for n in range(len(records))]
    assert batch.images.shape == (6, 8, 8, 1)
    assert {image.asnumpy().tobytes() for image in batch.images} <= set(stored)
    normalized = Normalize(preprocessing)(batch.images).asnumpy()
    expected = (batch.images.asnumpy().transpose(0, 3, 1, 2) / 255 - MEAN) / STD
    np.testing.assert_allclose(normalized, expected, atol=1e-5)


def test_the_run(run, few_digits):
    card = json.loads((run / 'checkpoints' / 'best.json').read_text())
    assert card['options'] == {'in_channels': 1}
    np.testing.assert_allclose([card['preprocessing']['mean'], card['preprocessing']['std']], [[MEAN], [STD]])
    network = gluon_cbam.load(run)
    assert network.net.stages[0].conv.weight.shape[1] == 1
    pixels = np.random.RandomState(0).randint(0, 256, (8, 8, 3)).astype(np.uint8)  # colored
    np.testing.assert_allclose(network.preprocessing(pixels)[None], prepared(pixels), atol=1e-5)
    logits = network.net(mx.nd.array(prepared(pixels))).asnumpy()[0]
    (found,) = network.predict([pixels])
    assert found.top[0].index == logits.argmax()


@pytest.mark.parametrize('preprocessing', [False, True])
def test_exported_files(run, few_digits, tmp_path, preprocessing):
    onnxruntime = pytest.importorskip('onnxruntime')
    path = tmp_path / 'x.onnx'
    options = ['--preprocessing'] if preprocessing else []
    arguments = ['export', '--params', run, '--data-val', few_digits / 'val.rec', '-o', path, *options]
    result = CliRunner().invoke(cli, list(map(str, arguments)))
    assert result.exit_code == 0, result.stderr
    session = onnxruntime.InferenceSession(str(path))
    (given,) = session.get_inputs()
    assert given.shape[1:] == ([8, 8, 1] if preprocessing else [1, 8, 8])
    pixels = np.random.RandomState(1).randint(0, 256, (8, 8, 3)).astype(np.uint8)
    x = np.rint((pixels * LUMA).sum(axis=2)).astype(np.uint8)[None, ..., None] if preprocessing else prepared(pixels)
    network = gluon_cbam.load(run)
    expected = network.net(mx.nd.array(prepared(pixels))).asnumpy()
    np.testing.assert_allclose(session.run(None, {given.name: x})[0], expected, atol=1e-4)
    loaded = gluon_cbam.export.load_exported(path)
    np.testing.assert_allclose(loaded(loaded.prepare(pixels)[None]), expected, atol=1e-4)


@pytest.mark.parametrize('method', ['gradcam', 'rise'])
def test_explanations(run, tmp_path, method):
    cv2.imwrite(str(tmp_path / 'x.png'), np.random.RandomState(2).randint(0, 256, (20, 30, 3)).astype(np.uint8))
    arguments = ['explain', '--params', run, tmp_path / 'x.png', '--method', method, '--output', tmp_path / 'out']
    result = CliRunner().invoke(cli, list(map(str, arguments)))
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / 'out' / 'x.png').is_file()


def test_published_weights(run, tmp_path):
    card = publish(run, tmp_path / 'shop', About('cbamnet_tiny', 'gray', licence='MIT'), [mx.cpu()])
    assert card.options == {'in_channels': 1}
    assert len(card.preprocessing['mean']) == len(card.preprocessing['std']) == 1
    conv = 9 * 1 * gluon_cbam.load(run).net.stages[0].conv.weight.shape[0]
    assert card.parameters == gluon_cbam.models.complexity.complexity(
        gluon_cbam.get_model('cbamnet_tiny', classes=10), (1, 3, 8, 8)
    ).parameters - 2 * conv  # fmt: skip


def test_three_equal_channels_by_default(few_digits):
    preprocessing = Preprocessing(8, 1.0)
    batch = next(TrainingData(RecordFile(few_digits / 'train.rec'), 4, preprocessing, 'none', 0, 1).epoch(0))
    images = batch.images.asnumpy()
    assert images.shape == (4, 8, 8, 3) and (images == images[..., :1]).all()


def test_a_teacher_has_as_many_channels(run, settings):
    gray = {**settings, 'option': {'in_channels': 1}, 'teacher': str(run)}
    assert prepare(make_config(**gray)).teacher is not None
    with pytest.raises(UsageError, match=r'expects images with mean \[0\.458971\], this run has \[0\.485, '):
        prepare(make_config(**{**gray, 'option': {}}))


def test_other_numbers_of_channels_are_refused(settings):
    with pytest.raises(
        UsageError, match='cbamnet_tiny of 2 channels takes no images: give --option in_channels=1 or 3'
    ):
        prepare(make_config(**{**settings, 'option': {'in_channels': 2}}))

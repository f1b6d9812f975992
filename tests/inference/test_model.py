"""``gluon_cbam.load`` gives what ``cbam predict`` gives."""

import json

import cv2
import mxnet as mx
import numpy as np
import pytest
from PIL import Image
from records import photo

import gluon_cbam
from gluon_cbam.common.errors import UsageError

TAG = 'cbamnet_tiny.digits'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Three images of different sizes."""
    folder = tmp_path_factory.mktemp('photos')
    for number, size in enumerate([(40, 30), (16, 16), (20, 50)]):
        cv2.imwrite(str(folder / f'{number}.png'), photo(*size, number)[..., ::-1])
    return folder


@pytest.fixture(scope='module')
def model():
    return gluon_cbam.load(TAG)


def pixels(path):
    return cv2.imread(str(path))[..., ::-1]


def assert_same(prediction, one):
    """Equal classes; the sums of another batch size are rounded otherwise."""
    assert [score.label for score in prediction.top] == [score['label'] for score in one['top']]
    wanted = [score['probability'] for score in one['top']]
    assert [score.probability for score in prediction.top] == pytest.approx(wanted, abs=1e-5)


def test_predictions_are_those_of_the_command(cbam_here, folder, model):
    arguments = ('predict', folder, '--network', 'cbamnet_tiny', '--pretrained', TAG, '--top-k', 3, '--json')
    wanted = json.loads(cbam_here(*arguments).stdout)['images']
    found = [prediction.as_dict() for prediction in model.predict(folder, top=3)]
    assert found == wanted
    files = [path['file'] for path in wanted]
    assert [prediction.as_dict() for prediction in model.predict(files, top=3)] == wanted
    for image, one in zip(files, wanted):
        for form in (pixels(image), mx.nd.array(pixels(image), dtype='uint8'), Image.open(image), pixels(image)[None]):
            (prediction,) = model.predict(form, top=3)
            assert prediction.file == 'array'
            assert_same(prediction, one)
    mixed = model.predict([files[0], pixels(files[1]), folder], top=3)
    assert len(mixed) == 5
    for prediction, one in zip(mixed, [*wanted[:2], *wanted]):
        assert_same(prediction, one)


def test_what_belongs_to_the_weights(model):
    assert (model.name, model.classes, model.class_names) == ('cbamnet_tiny', 10, [str(digit) for digit in range(10)])
    assert model.preprocessing.image_size == 16
    assert gluon_cbam.load('cbamnet_tiny').params_sha256 == model.params_sha256
    assert gluon_cbam.load(TAG, image_size=32).preprocessing.image_size == 32


def test_preprocessing(folder, model):
    """The batch that the network takes: its outputs are the probabilities of the predictions."""
    batch = model.preprocess([pixels(path) for path in sorted(folder.iterdir())])
    assert (batch.shape, batch.dtype) == ((3, 3, 16, 16), np.float32)
    probabilities = model.net(batch).softmax().asnumpy()
    for row, prediction in zip(probabilities, model.predict(folder, top=10)):
        assert [score.probability for score in prediction.top] == pytest.approx(sorted(row, reverse=True), abs=1e-6)
    normalized = (batch[1].asnumpy().transpose(1, 2, 0) * model.preprocessing.std + model.preprocessing.mean) * 255
    assert np.abs(normalized - pixels(folder / '1.png')).max() < 1e-3  # of the size of the input: nothing is resized


def test_wrong_arguments(folder, model, tmp_path):
    for pictures, words in [
        (np.zeros((16, 16, 3), np.float32), 'uint8'),
        (np.zeros((3, 16, 16), np.uint8), 'uint8 RGB'),
        (5, 'got int'),
        (str(tmp_path / 'none.png'), 'none.png'),
    ]:
        with pytest.raises(UsageError, match=words):
            model.predict(pictures)
    with pytest.raises(UsageError, match='no images'):
        model.preprocess([])
    with pytest.raises(UsageError, match='load_exported'):
        gluon_cbam.load('x.onnx')
    with pytest.raises(UsageError, match='no weights are published'):
        gluon_cbam.load('cbamnet_tny')
    model.net.save_parameters(str(tmp_path / 'bare.params'))
    with pytest.raises(UsageError, match='bare'):
        gluon_cbam.load(tmp_path / 'bare.params')
    bare = gluon_cbam.load(tmp_path / 'bare.params', network='cbamnet_tiny', classes=10, image_size=16)
    assert (bare.classes, bare.class_names, bare.name) == (10, None, 'cbamnet_tiny')
    (tmp_path / 'bad.png').write_bytes(b'no image')
    (prediction,) = model.predict(tmp_path / 'bad.png')
    assert prediction.error

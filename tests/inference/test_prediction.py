"""Predictions equal those of evaluation, are yielded as soon as they are known, and include every image."""

from contextlib import closing
from itertools import count, islice

import mxnet as mx
import numpy as np
import pytest
from odd_images import READABLE

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.data.sources.images import ImageSource, open_images
from gluon_cbam.inference.network import LoadedNetwork, load_network
from gluon_cbam.inference.prediction import predict
from gluon_cbam.inference.session import on_devices
from gluon_cbam.tasks.classification.evaluation import evaluate
from gluon_cbam.tasks.classification.prediction import class_names

CPUS = [mx.cpu(0), mx.cpu(1)]


@pytest.fixture(scope='module')
def network():
    return load_network('cbamnet_tiny', CPUS, pretrained=True)


@pytest.fixture(scope='module')
def val(digits, tmp_path_factory):
    """The validation records, and a folder with their images as files."""
    records = RecordFile(digits / 'val.rec')
    folder = tmp_path_factory.mktemp('val')
    for number in range(len(records)):
        (folder / f'{number}.png').write_bytes(records[number].image)
    return records, folder


class Spied:
    """A network that records its inputs and outputs."""

    def __init__(self, net):
        self._net, self.shapes, self.logits = net, [], []

    def __call__(self, batch):
        self.shapes.append(batch.shape)
        self.logits.append(self._net(batch))
        return self.logits[-1]


class Brightness:
    """Logits (0, mean, 2 mean) of each image, without weights."""

    def __call__(self, batch):
        return batch.mean(axis=(1, 2, 3)).expand_dims(1) * mx.nd.array([[0, 1, 2]])


def stub(net, classes=3, names=None):
    return LoadedNetwork(net, 'stub', classes, names, Preprocessing(8, 1.0, (0, 0, 0), (1, 1, 1)), None)


def grey(number):
    """An image source whose brightness is its number; every seventh cannot be read."""

    def decode():
        if number % 7 == 6:
            raise DataError('bad: no image')
        return np.full((8, 8, 3), number % 256, np.uint8)

    return ImageSource(f'{number}.png', None, decode)


def run(network, pictures, top=10, ctx=CPUS[:1], batch_size=32, workers=2, **options):
    return predict(on_devices(network, ctx), pictures, top, batch_size, workers, **options)


def counted(network, records):
    """What evaluation counts, and the softmax of the logits that it got: (records, classes)."""
    spied = Spied(network.net)
    scored = evaluate(spied, records, network.preprocessing, CPUS[:1], 64, 2)
    logits = np.concatenate([part.asnumpy() for part in spied.logits])[: len(records)].astype(float)
    return scored, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def assert_equal(predictions, expected):
    predictions = list(predictions)
    assert len(predictions) == len(expected)
    for prediction, row in zip(predictions, expected):
        probabilities = np.zeros(len(row))
        for guess in prediction.top:
            probabilities[guess.index] = guess.probability
        assert np.abs(probabilities - row).max() < 1e-5
        assert [guess.probability for guess in prediction.top] == sorted(probabilities, reverse=True)


@pytest.mark.parametrize(('batch_size', 'devices'), [(32, 1), (7, 2), (500, 1)])
def test_predictions_of_files_and_records_equal_evaluation(network, val, batch_size, devices):
    records, folder = val
    scored, expected = counted(network, records)
    for source in (folder, records.path):
        pictures = open_images([str(source)])
        predictions = list(run(network, pictures, ctx=CPUS[:devices], batch_size=batch_size))
        assert_equal(predictions, expected)
        assert np.mean([prediction.top[0].index for prediction in predictions] == records.labels) == scored.top1
        names = [f'{source}#{n}' if source == records.path else f'{source}/{n}.png' for n in range(360)]
        assert [prediction.name for prediction in predictions] == names


def test_a_loaded_network_holds_no_gradients(network):
    for parameter in network.net.collect_params().values():
        with pytest.raises(RuntimeError, match="grad_req='null'"):
            parameter.grad()


def test_predictions_of_odd_images_equal_evaluation(network, tmp_path):
    with RecordWriter(tmp_path / 'odd.rec') as writer:
        for name in sorted(READABLE):
            (tmp_path / name).write_bytes(READABLE[name])
            writer.write(0, READABLE[name])
    _, expected = counted(network, RecordFile(tmp_path / 'odd.rec'))
    assert_equal(run(network, open_images([str(tmp_path)])), expected)


def test_an_image_that_cannot_be_read_is_in_its_place():
    predictions = list(run(stub(Brightness()), (grey(n) for n in range(40)), top=2, batch_size=4))
    assert [prediction.file for prediction in predictions] == [f'{n}.png' for n in range(40)]
    for number, prediction in enumerate(predictions):
        if number % 7 == 6:
            assert (prediction.top, prediction.error) == ((), 'bad: no image')
            continue
        logits = np.array([0, 1, 2]) * number / 255
        assert [guess.index for guess in prediction.top] == ([2, 1] if number else [0, 1])
        assert prediction.top[0].probability == pytest.approx(np.exp(logits).max() / np.exp(logits).sum())
    (alone,) = run(stub(Brightness()), [grey(6)])
    assert alone.error == 'bad: no image'


def test_errors(tmp_path):
    (tmp_path / 'list').write_text(f'{tmp_path}/none.png\n{tmp_path}/list\n')
    first, second = run(stub(Brightness()), open_images(files_from=str(tmp_path / 'list')))
    assert first.error == 'No such file or directory'
    assert second.error.startswith('no JPEG, PNG, BMP, WebP, GIF, TIFF or AVIF')


@pytest.mark.parametrize(
    ('images', 'batch_size', 'devices', 'shapes'),
    [
        (70, 32, 1, [32, 32, 32]),  # the rest in a batch of the same size: another size would be compiled again
        (5, 32, 1, [5]),  # and few images in no more than they need
        (7, 4, 2, [4, 4]),
        (3, 32, 2, [2, 2]),
        (17, 4, 2, [4, 4, 4, 4, 4, 4]),
    ],
)
def test_the_network_is_compiled_for_one_shape(images, batch_size, devices, shapes):
    spied = Spied(Brightness())
    pictures = (grey(7 * n) for n in range(images))
    predictions = list(run(stub(spied), pictures, ctx=CPUS[:devices], batch_size=batch_size))
    assert len(predictions) == images
    assert [shape[0] for shape in spied.shapes] == shapes


def test_results_are_yielded_while_images_are_read():
    """However many there are: the first is known when a few batches were read."""
    taken = count()
    pictures = (grey(7 * next(taken)) for _ in count())
    with closing(run(stub(Brightness()), pictures, batch_size=4, workers=2)) as predictions:
        assert [prediction.file for prediction in islice(predictions, 9)] == [f'{7 * n}.png' for n in range(9)]
        assert next(taken) <= 9 + 4 * 4 + 2


def test_a_live_image_is_answered_before_the_next_is_taken():
    taken = []
    pictures = (taken.append(number) or grey(7 * number) for number in count())
    with closing(run(stub(Brightness()), pictures, batch_size=4, ctx=CPUS, live=True)) as predictions:
        for number in range(3):
            assert next(predictions).file == f'{7 * number}.png'
            assert taken == list(range(number + 1))


def test_the_devices_do_not_wait():
    """The logits of a batch are fetched when the next one was given to the devices."""
    events = []

    class Output:
        def asnumpy(self):
            events.append('fetched')
            return np.zeros((4, 3), np.float32)

    list(run(stub(lambda batch: events.append('started') or Output()), (grey(7 * n) for n in range(12)), batch_size=4))
    assert events == ['started', 'started', 'fetched', 'started', 'fetched', 'fetched']


def test_bad_outputs():
    with pytest.raises(DataError, match='output for 7.png is not finite'):
        list(run(stub(lambda batch: mx.nd.array([[0, 1, 2], [0, np.nan, 2]])), [grey(0), grey(7)]))
    embedding = Brightness()
    embedding.outputs = 512
    with pytest.raises(UsageError, match='embeddings of 512 numbers'):
        run(stub(embedding), [grey(0)])


def names(network, labels=None):
    return class_names(on_devices(network, CPUS), labels)


def test_names_of_the_classes(tmp_path):
    assert names(stub(None)) == ['0', '1', '2']
    assert names(stub(None, names=['a', 'b', 'c'])) == ['a', 'b', 'c']
    assert names(stub(None, names=['a', 'b'])) == ['0', '1', '2']
    assert names(stub(None, classes=1000))[-1] == 'toilet tissue'
    labels = tmp_path / 'labels.txt'
    labels.write_bytes(b'crane\r\nn01440764 tench, Tinca tinca\r\ncrane\r\n')  # ImageNet has two cranes
    assert names(stub(None, names=['a', 'b', 'c']), labels) == ['crane', 'n01440764 tench, Tinca tinca', 'crane']
    with pytest.raises(DataError, match='names 3 classes, stub has 10'):
        names(stub(None, classes=10), labels)
    with pytest.raises(UsageError, match='no file'):
        names(stub(None), tmp_path / 'none.txt')
    labels.write_bytes(b'caf\xe9\n')
    with pytest.raises(DataError, match='no text in UTF-8'):
        names(stub(None), labels)


def test_decoded_images_are_taken():
    images = [np.full((8, 8, 3), number, np.uint8) for number in (0, 200, 40)]
    predictions = list(run(stub(Brightness()), images))
    assert [prediction.file for prediction in predictions] == ['image 0', 'image 1', 'image 2']
    logits = np.array([0, 1, 2]) * 200 / 255
    assert predictions[1].top[0].probability == pytest.approx(np.exp(logits).max() / np.exp(logits).sum())


@pytest.mark.parametrize('picture', [np.ones((8, 8, 3)), 'a.png', ImageSource('a', None, lambda: np.ones((8, 8)))])
def test_other_values_are_refused(picture):
    with pytest.raises(UsageError, match=r'an image must be .*\(H, W, 3\) uint8 RGB, got'):
        list(run(stub(Brightness()), [picture]))

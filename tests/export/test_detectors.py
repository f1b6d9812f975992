"""Detectors in symbols for stock MXNet and in ONNX: the same rows as the network, in the same order."""

import checks
import mxnet as mx
import numpy as np
import pytest
import stock_mxnet

from gluon_cbam import get_model, weights
from gluon_cbam.common.errors import RunError, UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.export.detection_rows import compare_rows
from gluon_cbam.export.exporter import export_network
from gluon_cbam.export.onnx import operators
from gluon_cbam.export.onnx.suppression import suppress
from gluon_cbam.export.request import ExportRequest
from gluon_cbam.export.runtime import load_exported
from gluon_cbam.export.runtime.session import exported_session
from gluon_cbam.export.samples import sample_images
from gluon_cbam.export.tracing import GraphKind
from gluon_cbam.inference.network import LoadedNetwork, load_network
from gluon_cbam.models import variant
from gluon_cbam.tasks import get_task

SIZE = 64
OPTIONS = {'backbone': 'cbam_resnet18', 'widen': 0.25}
STOCK = f"""{stock_mxnet.PREPARE}
import mxnet as mx
"""
STOCK += """prefix, batch, output = FILES
net = mx.gluon.SymbolBlock.imports(f'{prefix}-symbol.json', ['data'], f'{prefix}-0000.params')
numpy.save(output, net(mx.nd.array(numpy.load(batch))).asnumpy())
"""


@pytest.fixture(scope='module')
def detector(tmp_path_factory):
    """A detector with every parameter random, and its file with a card."""
    path = tmp_path_factory.mktemp('detector') / 'net.params'
    net = checks.fill(get_model('ssd_300', classes=3, **OPTIONS))
    preprocessing = Preprocessing.of(variant('ssd_300'), image_size=SIZE)
    card = {'class_names': ['a', 'b', 'c'], 'preprocessing': preprocessing.as_dict(), 'task': 'detection'}
    weights.save(net, path, network='ssd_300', classes=3, options=OPTIONS, **card)
    return net, path


def test_stock_mxnet_runs_the_symbol(detector, cbam_here, python, tmp_path):
    net, path = detector
    done = cbam_here('export', '--params', path, '--format', 'symbol', '--output', tmp_path / 'net')
    assert done.returncode == 0, done.stderr
    x = np.random.RandomState(0).normal(0, 1, (2, 3, SIZE, SIZE)).astype('float32')
    np.save(str(tmp_path / 'x.npy'), x)
    files = [str(tmp_path / name) for name in ('net', 'x.npy', 'y.npy')]
    done = python(f'FILES = {files!r}\n{STOCK}')
    assert done.returncode == 0, done.stderr
    assert np.abs(np.load(str(tmp_path / 'y.npy')) - net(mx.nd.array(x)).asnumpy()).max() <= 1e-4


@pytest.fixture(scope='module')
def loaded(detector):
    return load_network(None, [mx.cpu()], str(detector[1]))


def exported(loaded, path, form='onnx', size=SIZE, **request):
    """The report of an export, and the file in ONNX Runtime."""
    report = export_network(ExportRequest(loaded, **request), form, path, sample_images(size))
    return report, load_exported(path, 'onnxruntime', threads=1)


def batch(count, height=SIZE, width=SIZE):
    return np.random.RandomState(count).normal(0, 1, (count, 3, height, width)).astype('float32')


def assert_same_rows(found, expected):
    """The same rows in the same order, to rounding; most of them are detections."""
    assert (expected[:, :, 0] >= 0).mean() > 0.9
    np.testing.assert_array_equal(found[:, :, 0], expected[:, :, 0])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ('name', 'size'),
    [
        ('ssd_300', SIZE),
        ('ssd_300_lite', SIZE),
        ('stairnet_300', SIZE),
        ('ssd_300_vgg16', 259),
        ('stairnet_300_vgg16', 75),
        ('centernet', SIZE),
        ('yolo3', SIZE),
    ],
)
def test_onnx_gives_the_rows_of_the_network(name, size, tmp_path):
    options = {'widen': 0.0625} if 'vgg16' in name else OPTIONS
    net = checks.fill(get_model(name, classes=3, **options))
    preprocessing = Preprocessing.of(variant(name), image_size=size)
    network = LoadedNetwork(net, name, 3, ['a', 'b', 'c'], preprocessing, None, task=get_task('detection'))
    report, file = exported(network, tmp_path / 'net.onnx', size=size)
    rows = report.difference.rows
    assert rows.agreeing == rows.rows > 500
    for count in (1, 3):
        x = batch(count, size, size)
        assert_same_rows(file.run(x)[0], net(mx.nd.array(x)).asnumpy())
    assert (file.class_names, file.preprocessing) == (['a', 'b', 'c'], preprocessing)


@pytest.mark.parametrize('options', [{'nms_threshold': 0.7, 'keep': 30}, {'nms_top': 5, 'keep': 5}, {'nms_top': 900}])
def test_options_of_the_suppression(options, tmp_path):
    net = checks.fill(get_model('ssd_300', classes=3, **OPTIONS, **options))
    network = LoadedNetwork(net, 'ssd_300', 3, None, Preprocessing(SIZE), None, task=get_task('detection'))
    (found,) = exported(network, tmp_path / 'net.onnx')[1].run(batch(2))
    assert_same_rows(found, net(mx.nd.array(batch(2))).asnumpy())


@pytest.mark.parametrize('form', ['onnx', 'onnx-float16'])
def test_any_size(loaded, tmp_path, form):
    report, file = exported(loaded, tmp_path / 'net.onnx', form, graph=GraphKind(dynamic=True))
    assert len(report.sizes) == 2 and file.dynamic
    for height, width in ((SIZE, SIZE), (96, 150)):
        x = batch(2, height, width)
        expected = loaded.net(mx.nd.array(x)).asnumpy()
        if form == 'onnx':
            assert_same_rows(file.run(x)[0], expected)
        else:
            assert compare_rows(file.run(x)[0], expected, 2e-2).part > 0.9


def test_a_size_that_the_network_refuses(loaded, tmp_path, monkeypatch):
    monkeypatch.setattr(loaded.net, '_smallest', 40)
    exported(loaded, tmp_path / 'net.onnx', graph=GraphKind(dynamic=True))
    assert load_exported(tmp_path / 'net.onnx', image_size=40).preprocessing.image_size == 40
    with pytest.raises(UsageError, match='takes images of at least 40 x 40 pixels, got 39'):
        load_exported(tmp_path / 'net.onnx', image_size=39)


def test_openvino(loaded, tmp_path):
    pytest.importorskip('openvino')
    exported(loaded, tmp_path / 'net.onnx', engine='openvino', graph=GraphKind(dynamic=True))
    (found,) = load_exported(tmp_path / 'net.onnx', 'openvino', threads=1).run(batch(2, 64, 96))
    expected = loaded.net(mx.nd.array(batch(2, 64, 96))).asnumpy()
    assert compare_rows(found, expected, 1e-4).part > 0.99


def test_without_suppression(loaded, tmp_path):
    _, file = exported(loaded, tmp_path / 'net.onnx', graph=GraphKind(nms=False))
    boxes, scores = file.run(batch(2))
    anchors = loaded.net.anchors(SIZE, SIZE).shape[0]
    assert (boxes.shape, scores.shape) == ((2, anchors, 4), (2, anchors, 3))
    detections = loaded.net(mx.nd.array(batch(2))).asnumpy()
    for image in range(2):
        best = detections[image, 0]
        place = scores[image, :, int(best[0])].argmax()
        np.testing.assert_allclose([scores[image, place, int(best[0])], *boxes[image, place]], best[1:], atol=1e-4)
    with pytest.raises(UsageError, match='no detections: export it without --no-nms'):
        exported_session(file)


def test_verification_counts_detections(loaded, tmp_path):
    exported(loaded, tmp_path / 'net.onnx')
    file = load_exported(tmp_path / 'net.onnx', threads=1, verify=True)
    assert '400 of 400 detections the same' in file.verification.text()


def test_another_suppression_is_noticed(loaded, tmp_path, monkeypatch):
    def looser(call):
        call._attributes['overlap_thresh'] = '0.5'
        return suppress(call)

    monkeypatch.setitem(operators.OPERATORS, '_contrib_box_nms', looser)
    with pytest.raises(RunError, match='detections agree: the file was not kept'):
        exported(loaded, tmp_path / 'net.onnx')
    assert list(tmp_path.iterdir()) == []


def test_nothing_found_is_no_comparison(tmp_path):
    net = checks.fill(get_model('ssd_300', classes=3, score_threshold=0.9999, **OPTIONS))
    network = LoadedNetwork(net, 'ssd_300', 3, None, Preprocessing(SIZE), None, task=get_task('detection'))
    with pytest.raises(RunError, match='nothing is found on these images: compare on others with --image FILE'):
        exported(network, tmp_path / 'net.onnx')


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (
            ['--format', 'insightface'],
            'insightface does not hold detectors such as ssd_300: give --format symbol, onnx,',
        ),
        (
            ['--format', 'symbol', '--dynamic'],
            '--dynamic is for onnx, onnx-float16 or onnx-int8, got',
        ),
        (['--format', 'safetensors', '--no-nms'], '--no-nms is for onnx, onnx-float16 or onnx-int8, got'),
    ],
)
def test_formats_that_do_not_hold_it(detector, cbam_here, tmp_path, words, message):
    name = 'net.safetensors' if 'safetensors' in words else 'net'
    done = cbam_here('export', '--params', detector[1], *words, '--output', tmp_path / name)
    assert message in checks.assert_one_line(done, 2)
    assert list(tmp_path.iterdir()) == []

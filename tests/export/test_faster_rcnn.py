"""Faster R-CNN in ONNX: the same rows as the network, in the same order, for any batch."""

from dataclasses import replace

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import get_model, weights
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.export.agreement import compare
from gluon_cbam.export.detection_rows import candidate_rows, compare_rows
from gluon_cbam.export.exporter import export_network
from gluon_cbam.export.int8.quantization import Calibration
from gluon_cbam.export.request import ExportRequest
from gluon_cbam.export.runtime import load_exported
from gluon_cbam.export.samples import sample_images
from gluon_cbam.export.tracing import GraphKind
from gluon_cbam.inference.network import load_network
from gluon_cbam.models import variant

SIZE = 96
FORMS = {'faster_rcnn_fpn': {'pyramid_channels': 16, 'head_channels': 24}, 'faster_rcnn_c4': {}}


@pytest.fixture(params=FORMS)
def loaded(request, tmp_path):
    """A detector with every parameter random."""
    name, path = request.param, tmp_path / 'net.params'
    options = {'backbone': 'cbam_resnet18', 'widen': 0.25, 'region_channels': 16, 'proposals': 40, **FORMS[name]}
    net = checks.fill(get_model(name, classes=3, **options))
    preprocessing = Preprocessing.of(variant(name), image_size=SIZE)
    card = {'class_names': ['a', 'b', 'c'], 'preprocessing': preprocessing.as_dict(), 'task': 'detection'}
    weights.save(net, path, network=name, classes=3, options=options, **card)
    return load_network(None, [mx.cpu()], str(path))


def test_rows_are_those_of_the_network(loaded, tmp_path):
    report = export_network(ExportRequest(loaded), 'onnx', tmp_path / 'net.onnx', sample_images(SIZE))
    assert report.difference.rows.agreeing == report.difference.rows.rows > 50
    run = load_exported(tmp_path / 'net.onnx', 'onnxruntime', threads=1)
    for count in (1, 3):
        x = np.random.RandomState(count).normal(0, 1, (count, 3, SIZE, SIZE)).astype('float32')
        found, expected = run(x), loaded.net(mx.nd.array(x)).asnumpy()
        assert (expected[:, :, 0] >= 0).sum() > 10 * count
        assert np.array_equal(found[:, :, 0], expected[:, :, 0])
        assert np.abs(found - expected).max() <= 1e-2  # sizes are exponentials of random offsets


def test_any_size(loaded, tmp_path):
    """Also where all but the smallest pictures have as many anchors as are considered."""
    loaded.net._proposals = replace(loaded.net._proposals, before=300)
    request = ExportRequest(loaded, graph=GraphKind(dynamic=True))
    report = export_network(request, 'onnx', tmp_path / 'net.onnx', sample_images(SIZE, count=2))
    assert len(report.sizes) == 2 and report.difference.rows.agreeing == report.difference.rows.rows > 100
    run = load_exported(tmp_path / 'net.onnx', 'onnxruntime', threads=1)
    for height, width in ((34, 40), (130, 64)):
        x = np.random.RandomState(height).normal(0, 1, (2, 3, height, width)).astype('float32')
        rows = compare_rows(run(x), loaded.net(mx.nd.array(x)).asnumpy(), 1e-4)  # some have nearly the same score
        assert rows.agreeing == rows.rows > 1


def test_without_the_last_suppression(loaded, tmp_path):
    """Each RoI has a score and a box for each class; MXNet's suppression of them gives the detections."""
    request = ExportRequest(loaded, graph=GraphKind(dynamic=True, nms=False))
    report = export_network(request, 'onnx', tmp_path / 'net.onnx', sample_images(SIZE, count=2))
    assert report.difference.rows.agreeing == report.difference.rows.rows > 100
    x = np.random.RandomState(0).normal(0, 1, (2, 3, 64, 80)).astype('float32')
    boxes, scores = load_exported(tmp_path / 'net.onnx', 'onnxruntime', threads=1, verify=True).run(x)
    assert (boxes.shape, scores.shape) == ((2, 40, 3, 4), (2, 40, 3))
    rows = mx.nd.array(candidate_rows(boxes, scores))
    net = loaded.net.suppression
    kept = mx.nd.contrib.box_nms(
        rows, overlap_thresh=net.threshold, valid_thresh=net.score, id_index=0, score_index=1, coord_start=2
    ).asnumpy()
    expected = loaded.net(mx.nd.array(x)).asnumpy()
    count = int((expected[..., 0] >= 0).sum(axis=1).min())
    assert count > 10 and np.abs(kept[:, :count] - expected[:, :count]).max() <= 1e-2
    order = np.random.RandomState(1).permutation(40)  # RoIs of nearly the same score may change places
    assert compare([boxes[:, order], scores[:, order]], [boxes, scores], 1e-4, boxes=True).agrees('float32')
    assert not compare([boxes[:, order], scores], [boxes, scores], 1e-4, boxes=True).agrees('float32')


@pytest.mark.parametrize('loaded', ['faster_rcnn_fpn'], indirect=True)
def test_int8_of_what_belongs_to_rois(loaded, tmp_path, monkeypatch):
    """Ranges are measured on outputs of which the first axis is a multiple of the batch."""
    monkeypatch.setattr('gluon_cbam.export.formats._speeds', lambda *pair: [])
    samples = sample_images(SIZE, count=2)
    request = ExportRequest(loaded, calibration=Calibration(samples, 'int8'))
    report = export_network(request, 'onnx-int8', tmp_path / 'net.onnx', samples)
    assert 0 < report.details['error'] < 0.3 and report.difference.rows.part > 0.3

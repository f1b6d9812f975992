"""Faster R-CNN in ONNX: the same rows as the network, in the same order, for any batch."""

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import get_model, weights
from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.export.exporter import export_network
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
    assert report.difference.detections.agreeing == report.difference.detections.rows > 50
    run = load_exported(tmp_path / 'net.onnx', 'onnxruntime', threads=1)
    for count in (1, 3):
        x = np.random.RandomState(count).normal(0, 1, (count, 3, SIZE, SIZE)).astype('float32')
        found, expected = run(x), loaded.net(mx.nd.array(x)).asnumpy()
        assert (expected[:, :, 0] >= 0).sum() > 10 * count
        assert np.array_equal(found[:, :, 0], expected[:, :, 0])
        assert np.abs(found - expected).max() <= 1e-2  # sizes are exponentials of random offsets


def test_what_cannot_be_written_is_said(loaded, tmp_path):
    for kind, message in (
        (GraphKind(nms=False), 'has no boxes before one non-maximum suppression: leave out --no-nms'),
        (GraphKind(dynamic=True), 'for one size of images, .*: leave out --dynamic'),
    ):
        with pytest.raises(UsageError, match=message):
            export_network(ExportRequest(loaded, graph=kind), 'onnx', tmp_path / 'net.onnx', sample_images(SIZE))
    assert not (tmp_path / 'net.onnx').exists()

"""Mask R-CNN in ONNX: the rows and the masks of the network, for any batch, and the same AP."""

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import get_model, weights
from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.boxes.segmentations import bitmap
from gluon_cbam.data.datasets.box_scenes import write_box_shapes
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.export.exporter import export_network
from gluon_cbam.export.request import ExportRequest
from gluon_cbam.export.runtime import load_exported
from gluon_cbam.export.runtime.session import exported_session
from gluon_cbam.export.samples import sample_images
from gluon_cbam.export.tracing import GraphKind
from gluon_cbam.inference.network import load_network
from gluon_cbam.inference.session import on_devices
from gluon_cbam.models import variant

SIZE = 96


@pytest.fixture(scope='module')
def loaded(tmp_path_factory):
    """A detector with every parameter random."""
    name, path = 'mask_rcnn_fpn', tmp_path_factory.mktemp('net') / 'net.params'
    options = {
        'backbone': 'cbam_resnet18', 'widen': 0.25, 'region_channels': 16, 'proposals': 40, 'pyramid_channels': 16,
        'head_channels': 24, 'mask_channels': 8, 'keep': 30,
    }  # fmt: skip
    net = checks.fill(get_model(name, classes=3, **options))
    preprocessing = Preprocessing.of(variant(name), image_size=SIZE)
    card = {'class_names': ['a', 'b', 'c'], 'preprocessing': preprocessing.as_dict(), 'task': 'detection'}
    weights.save(net, path, network=name, classes=3, options=options, **card)
    return load_network(None, [mx.cpu()], str(path))


def test_rows_and_masks_are_those_of_the_network(loaded, tmp_path):
    report = export_network(ExportRequest(loaded), 'onnx', tmp_path / 'net.onnx', sample_images(SIZE))
    assert report.difference.rows.agreeing == report.difference.rows.rows > 30
    run = load_exported(tmp_path / 'net.onnx', 'onnxruntime', threads=1)
    for count in (1, 3):
        x = np.random.RandomState(count).normal(0, 1, (count, 3, SIZE, SIZE)).astype('float32')
        (rows, masks), expected = run.run(x), [each.asnumpy() for each in loaded.net(mx.nd.array(x))]
        assert (expected[0][:, :, 0] >= 0).sum() > 10 * count
        assert np.array_equal(rows[:, :, 0], expected[0][:, :, 0])
        assert np.abs(rows - expected[0]).max() <= 1e-2
        assert masks.shape == (count, 30, 28, 28)
        assert np.abs(masks - expected[1]).max() <= 1e-3


def test_files_before_the_suppression_have_no_masks(loaded, tmp_path):
    with pytest.raises(UsageError, match='masks are of the boxes that .* keeps: leave out --no-nms'):
        export_network(
            ExportRequest(loaded, graph=GraphKind(nms=False)), 'onnx', tmp_path / 'net.onnx', sample_images(SIZE)
        )
    assert not (tmp_path / 'net.onnx').exists()


def test_any_size(loaded, tmp_path):
    request = ExportRequest(loaded, graph=GraphKind(dynamic=True))
    report = export_network(request, 'onnx', tmp_path / 'net.onnx', sample_images(SIZE))
    assert len(report.sizes) == 2
    assert report.difference.rows.agreeing == report.difference.rows.rows > 30


def test_a_file_scores_and_predicts_as_the_network(loaded, tmp_path):
    """The masks are in pixels of each picture, whatever computed them."""
    write_box_shapes(tmp_path / 'data', 96, 1, 6, classes=3)
    (tmp_path / 'data' / 'classes.txt').write_text('a\nb\nc\n')
    export_network(ExportRequest(loaded, pixels=True), 'onnx', tmp_path / 'net.onnx', sample_images(SIZE))
    session = exported_session(load_exported(tmp_path / 'net.onnx', 'onnxruntime', threads=1))
    found = []
    for each in (session, on_devices(loaded, [mx.cpu()])):
        data = each.task.open_validation(tmp_path / 'data' / 'val.rec', 3)
        found.append(each.task.evaluate(each.start, data, each.preparation, 4, 1))
    assert found[0].figures == pytest.approx(found[1].figures, abs=1e-3)
    assert 'mask_ap' in found[0].figures
    for one, two in zip(*(each.results.detections for each in found)):
        assert len(one) == len(two)
        for text, other in zip(one.segmentations, two.segmentations):
            assert np.mean(bitmap(text, 96, 96) != bitmap(other, 96, 96)) < 1e-2

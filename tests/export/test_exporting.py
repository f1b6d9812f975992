"""Files are compared with the network before they are kept, and whole or not there."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import get_model
from gluon_cbam.common import packages
from gluon_cbam.common.errors import DataError, DependencyError, RunError, UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.export.exporter import export_network
from gluon_cbam.export.formats import FORMATS
from gluon_cbam.export.int8.quantization import Calibration
from gluon_cbam.export.onnx import operators, translation
from gluon_cbam.export.onnx.graph import NEWEST_OPSET, OLDEST_OPSET
from gluon_cbam.export.request import ExportRequest
from gluon_cbam.export.runtime import load_exported
from gluon_cbam.export.samples import sample_images
from gluon_cbam.inference.network import LoadedNetwork, load_network


def test_the_report(digits_network, digits, tmp_path):
    shown = sample_images(16, RecordFile(digits / 'val.rec'))
    report = export_network(ExportRequest(digits_network), 'onnx', tmp_path / 'net.onnx', shown)
    assert report.files == [tmp_path / 'net.onnx'] == list(tmp_path.iterdir())
    assert report.images == '8 images of val.rec'
    assert 0 < report.difference.largest < 1e-4 < report.difference.scale


def wrong(call):
    return call.emit('ReduceMax', call.inputs[0], axes=[1], keepdims=1)


@pytest.mark.parametrize('form', ['onnx', 'onnx-int8'])
def test_a_file_that_computes_something_else_is_not_kept(digits_network, tmp_path, monkeypatch, form):
    monkeypatch.setitem(operators.OPERATORS, 'mean', wrong)
    request = ExportRequest(digits_network, calibration=Calibration(sample_images(16)))
    (tmp_path / 'net.onnx').write_text('the file of yesterday')
    with pytest.raises(RunError, match='net.onnx differs from MXNet by'):
        export_network(request, form, tmp_path / 'net.onnx', sample_images(16))
    assert [path.name for path in tmp_path.iterdir()] == ['net.onnx']
    assert (tmp_path / 'net.onnx').read_text() == 'the file of yesterday'


def test_outputs_that_are_not_finite_are_no_reason_to_keep_a_file(digits_network, tmp_path):
    net = get_model('cbamnet_tiny', classes=10)
    net.initialize()
    net.fc.bias.set_data(mx.nd.full((10,), np.nan))
    broken = LoadedNetwork(net, 'cbamnet_tiny', 10, None, digits_network.preprocessing, None)
    with pytest.raises(RunError, match='not finite'):
        export_network(ExportRequest(broken), 'onnx', tmp_path / 'net.onnx', sample_images(16))
    assert not list(tmp_path.iterdir())


def test_operators_without_a_row_are_named(digits_network, tmp_path, monkeypatch):
    monkeypatch.delitem(operators.OPERATORS, 'broadcast_mul')
    with pytest.raises(DataError, match='operator broadcast_mul cannot be translated to ONNX'):
        export_network(ExportRequest(digits_network), 'onnx', tmp_path / 'net.onnx', sample_images(16))


@pytest.mark.parametrize('opset', range(OLDEST_OPSET, NEWEST_OPSET + 1))
def test_every_opset(digits_network, tmp_path, opset):
    onnx = pytest.importorskip('onnx')
    if opset > onnx.defs.onnx_opset_version():
        pytest.skip('newer than the onnx that is installed')
    path = tmp_path / 'net.onnx'
    request = ExportRequest(
        digits_network, pixels=True, opset=opset, engine='openvino'
    )  # it has every kind of reduction
    try:
        export_network(request, 'onnx', path, sample_images(16))
    except DependencyError as error:  # onnx 1.17 and ONNX Runtime 1.19 are the newest of Python 3.8
        assert f'update it, or export with --opset {opset - 1}' in str(error)
        assert not path.exists()
        pytest.skip('newer than the ONNX Runtime that is installed')
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    assert [entry.version for entry in model.opset_import] == [opset]


@pytest.mark.parametrize(
    ('form', 'name', 'request_changes', 'message'),
    [
        ('tflite', 'net.onnx', {}, "unknown format 'tflite'"),
        ('onnx', 'net.pb', {}, 'ends in .onnx'),
        ('onnx', 'nowhere/net.onnx', {}, 'no folder'),
        ('onnx', 'net.onnx', {'opset': 9}, 'the opset must be in 13'),
        ('onnx', 'net.onnx', {'engine': 'tensorrt'}, "unknown engine 'tensorrt'"),
        ('onnx-int8', 'net.onnx', {}, 'give --calibration'),
    ],
)
def test_bad_arguments(digits_network, tmp_path, form, name, request_changes, message):
    with pytest.raises(UsageError, match=message):
        export_network(ExportRequest(digits_network, **request_changes), form, tmp_path / name, sample_images(16))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('form', [form for form, row in FORMATS.items() if row.suffix])
def test_a_missing_package_is_one_line(digits_network, tmp_path, monkeypatch, form):
    monkeypatch.setattr(packages.util, 'find_spec', lambda name: None)
    request = ExportRequest(digits_network, calibration=Calibration(sample_images(16)))
    with pytest.raises(DependencyError, match=r"is not installed: pip install 'gluon_cbam\[") as raised:
        export_network(request, form, tmp_path / f'net{FORMATS[form][0]}', sample_images(16))
    assert raised.value.exit_code == 3


def test_features_have_several_outputs(tmp_path):
    loaded = load_network('cbamnet_tiny', [mx.cpu()], pretrained=True, features=(0, 1))
    export_network(ExportRequest(loaded), 'onnx', tmp_path / 'maps.onnx', sample_images(16))
    exported = load_exported(tmp_path / 'maps.onnx')
    assert [value.shape for value in exported.run(np.zeros((2, 3, 16, 16), np.float32))] == [
        (2, 64, 16, 16),
        (2, 128, 8, 8),
    ]
    with pytest.raises(DataError, match='feature maps'):
        exported(np.zeros((2, 3, 16, 16), np.float32))


def test_what_is_exported_does_not_depend_on_what_ran_before(digits_network, tmp_path):
    """Neither on other networks of the process, nor on whether this one was hybridized and ran."""
    texts = []
    for hybridized in (False, True):
        net = get_model('cbamnet_tiny', pretrained=True)
        if hybridized:
            net.hybridize(static_alloc=True, static_shape=True)
            net(mx.nd.zeros((2, 3, 16, 16)))
        loaded = LoadedNetwork(net, 'cbamnet_tiny', 10, None, Preprocessing(16, 1.0), None)
        export_network(ExportRequest(loaded), 'symbol', tmp_path / 'net', sample_images(16))
        texts.append((tmp_path / 'net-symbol.json').read_text())
    assert texts[0] == texts[1]
    assert translation.DATA in texts[0]

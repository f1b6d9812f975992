"""Quantization to int8: QDQ nodes where they should be, and the accuracy that is left."""

from collections import Counter

import numpy as np
import pytest
from lively import lively

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.export.exporter import export_network
from gluon_cbam.export.int8.calibration import QuantizationParameters, calibrate
from gluon_cbam.export.int8.quantization import LARGEST_ERROR, Calibration
from gluon_cbam.export.request import ExportRequest
from gluon_cbam.export.runtime import load_exported
from gluon_cbam.export.runtime.evaluation import evaluate_exported
from gluon_cbam.export.samples import sample_images
from gluon_cbam.inference.network import LoadedNetwork
from gluon_cbam.models.mobilenet import MobileNet
from gluon_cbam.models.modified_cbamnet import ModifiedCBAMNet
from gluon_cbam.models.resnet import ResNet


@pytest.fixture(scope='module')
def quantized(digits_network, digits, tmp_path_factory):
    """Path and report of the digits network in int8, scored."""
    path = tmp_path_factory.mktemp('int8') / 'digits.onnx'
    records = RecordFile(digits / 'val.rec')
    calibration = Calibration(sample_images(16, RecordFile(digits / 'train.rec'), count=64))
    request = ExportRequest(digits_network, pixels=True, calibration=calibration, records=records)
    return path, export_network(request, 'onnx-int8', path, sample_images(16, records)), records


def test_accuracy_and_size(quantized, exported_digits):
    path, report, records = quantized
    scores = report.details['accuracy']
    assert scores['float32']['records'] == scores['int8']['records'] == 360
    assert scores['int8']['top1'] >= scores['float32']['top1'] - 0.01
    assert report.details['error'] < LARGEST_ERROR
    assert evaluate_exported(load_exported(path), records, 50, 1).top1 == scores['int8']['top1']
    assert path.stat().st_size < 0.4 * (exported_digits / 'digits.onnx').stat().st_size


def test_a_gpu_has_no_int8(quantized):
    assert load_exported(quantized[0]).placement.numbers == 'int8'
    assert load_exported(quantized[0]).engine_as_dict()['precision'] == 'int8'
    with pytest.raises(UsageError, match='cuda takes files in float32 or float16, this one is in int8'):
        load_exported(quantized[0], provider='cuda')


def test_qdq_nodes_are_where_they_should_be(quantized):
    onnx = pytest.importorskip('onnx')
    model = onnx.load(str(quantized[0]))
    onnx.checker.check_model(model, full_check=True)
    constants = {value.name: onnx.numpy_helper.to_array(value) for value in model.graph.initializer}
    kernels = [value for value in constants.values() if value.dtype == np.int8 and value.ndim == 4]
    assert sorted(value.shape for value in kernels if value.shape[2] == 3) == [(64, 3, 3, 3), (128, 64, 3, 3)]
    made = {name: node for node in model.graph.node for name in node.output}
    taken = Counter(name for node in model.graph.node for name in node.input)
    for node in model.graph.node:
        if node.op_type == 'Conv' and constants.get(node.input[1]) is None:  # in int8
            assert [made[name].op_type for name in node.input] == ['DequantizeLinear'] * len(node.input)
            x, weight, bias = (constants[made[name].input[1]] for name in node.input)
            np.testing.assert_allclose(bias, x * weight, rtol=1e-6, err_msg='the scale that engines add it with')
            assert taken[node.output[0]] == 1, 'a QDQ pair with another consumer is not fused'
    pools = [made[node.input[0]].op_type for node in model.graph.node if node.op_type == 'MaxPool']
    assert pools == ['Mul'] * 2, 'CBAMNet looks at what BatchNorm gives, in float'


NETWORKS = {
    'cbam_resnet18': lambda: ResNet('basic', (1, 1, 1, 1), 7, attention='cbam', widen=0.25),
    'parallel': lambda: ResNet('basic', (1, 1, 1, 1), 7, attention='cbam', order='parallel', widen=0.25),
    'bam_resnet18': lambda: ResNet('basic', (1, 1, 1, 1), 7, attention='bam', widen=0.25),
    'se_mobilenet0.7': lambda: MobileNet(0.25, 7, 'se'),
    'modified_cbamnet18': lambda: ModifiedCBAMNet((1, 1, 1, 1), (16, 16, 16, 32, 32), False, 9, 1, 'B', ibn=True),
}


@pytest.mark.parametrize('attention', ['int8', 'float'])
@pytest.mark.parametrize('name', NETWORKS)
def test_every_family_is_quantized(tmp_path, name, attention):
    net = lively(NETWORKS[name](), 32)
    loaded = LoadedNetwork(net, name, 7, None, Preprocessing(32, 1.0), None)
    request = ExportRequest(loaded, calibration=Calibration(sample_images(32), attention))
    report = export_network(request, 'onnx-int8', tmp_path / 'net.onnx', sample_images(32))
    assert report.details['attention'] == attention
    assert report.details['error'] < 0.15


def test_attention_stays_in_float_where_the_int8_error_is_large(tmp_path, monkeypatch):
    net = lively(NETWORKS['cbam_resnet18'](), 32)
    loaded = LoadedNetwork(net, 'cbam_resnet18', 7, None, Preprocessing(32, 1.0), None)
    request, attentions = ExportRequest(loaded, calibration=Calibration(sample_images(32))), []
    for largest, gate in ((LARGEST_ERROR, 1.0), (0.0, 0.2)):  # gates that are cut off at 0.2 are wrong
        monkeypatch.setattr('gluon_cbam.export.int8.quantization.LARGEST_ERROR', largest)
        monkeypatch.setattr(
            'gluon_cbam.export.int8.qdq._GATES', {'Sigmoid': QuantizationParameters.of_range(0.0, gate)}
        )
        attentions.append(
            export_network(request, 'onnx-int8', tmp_path / 'net.onnx', sample_images(32)).details['attention']
        )
    assert attentions == ['int8', 'float']


def test_ranges_hold_zero_and_leave_outliers_out():
    assert QuantizationParameters.of_range(0.0, 2.55) == QuantizationParameters(2.55 / 255, 0)
    assert QuantizationParameters.of_range(-1.0, 1.55).zero_point == 100
    assert QuantizationParameters.of_range(0.5, 1.0) == QuantizationParameters.of_range(0.0, 1.0)
    assert QuantizationParameters.of_range(0.0, 0.0).scale == 1.0

    class Graph:
        input = 'data'

    values = np.random.RandomState(0).randn(4, 5000).astype(np.float32)
    values[0, 0] = 12.0
    found = calibrate(Graph(), ['data'], [values], lambda graph: lambda batch: [])['data']
    assert 255 * found.scale < 0.85 * (12.0 - values.min())
    assert type(found.scale) is float  # with a float64 of numpy, numpy 2 would compute in double precision


def test_bad_arguments(digits_network):
    with pytest.raises(UsageError, match="unknown precision of attention 'int4'"):
        Calibration(sample_images(16), 'int4')
    with pytest.raises(UsageError, match='needs images'):
        Calibration([])

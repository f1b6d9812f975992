"""Files in float16; test_families.py has the networks."""

import numpy as np
import pytest

from gluon_cbam.common.errors import DataError
from gluon_cbam.export.exporter import export_network
from gluon_cbam.export.onnx.file import read_contents
from gluon_cbam.export.onnx.float16 import to_float16
from gluon_cbam.export.onnx.simplification import simplify
from gluon_cbam.export.onnx.translation import to_onnx_graph
from gluon_cbam.export.request import ExportRequest
from gluon_cbam.export.runtime import load_exported
from gluon_cbam.export.samples import sample_images
from gluon_cbam.export.tracing import trace

TOLERANCE = 5e-3  # of the largest output; float16 has 10 bits


@pytest.mark.parametrize('pixels', [False, True])
def test_a_file_has_half_the_size(digits_network, exported_digits, tmp_path, pictures, pixels):
    path = tmp_path / 'half.onnx'
    report = export_network(ExportRequest(digits_network, pixels=pixels), 'onnx-float16', path, sample_images(16))
    assert report.difference.relative < TOLERANCE
    exact = exported_digits / ('pixels.onnx' if pixels else 'digits.onnx')
    assert path.stat().st_size < 0.6 * exact.stat().st_size
    assert [read_contents(file).precision for file in (path, exact)] == ['float16', 'float32']
    network = load_exported(path, threads=1)
    batch = np.stack([network.prepare(picture) for picture in pictures])
    assert network(batch).dtype == np.float32
    np.testing.assert_allclose(network(batch), load_exported(exact, threads=1)(batch), atol=0.05)


def test_a_parameter_that_is_too_large(digits_network):
    graph = to_onnx_graph(trace(digits_network.net, 16))
    simplify(graph)
    graph.name_outputs(['logits'])
    name = next(node.inputs[1] for node in graph.nodes if node.op == 'Gemm')
    graph.constants[name] = graph.constants[name] * np.float32(1e6)
    with pytest.raises(DataError, match='and the largest number of float16 is 65504'):
        to_float16(graph)

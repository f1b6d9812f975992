"""Convolutions in tiles give what MXNet's direct ones give, for every size of map, and only where they pay."""

from collections import Counter

import mxnet as mx
import numpy as np
import pytest
from lively import lively

from gluon_cbam.export.onnx import winograd as module
from gluon_cbam.export.onnx.engine_passes import ENGINE_PASSES, optimize_for_engine
from gluon_cbam.export.onnx.graph import Node, OnnxGraph, to_model
from gluon_cbam.export.onnx.simplification import simplify
from gluon_cbam.export.onnx.translation import to_onnx_graph
from gluon_cbam.export.onnx.winograd import WinogradMatrices, best_tile, replace_convolution, winograd_convolutions
from gluon_cbam.export.runtime.onnxruntime_engine import onnxruntime_session
from gluon_cbam.export.tracing import trace
from gluon_cbam.models.resnet import ResNet

TILES = (2, 3, 4)


def convolution(shape, kernel, bias=None, **changes):
    """A graph of one convolution, and the node."""
    attributes = {'kernel_shape': [3, 3], 'strides': (1, 1), 'pads': (1, 1, 1, 1), 'group': 1, **changes}
    constants = {'kernel': kernel} if bias is None else {'kernel': kernel, 'bias': bias}
    node = Node('Conv', ['data', *constants], ['out'], attributes)
    shapes = {'data': (1, *shape), 'out': (1, len(kernel), *shape[1:])}
    return OnnxGraph([node], constants, 'data', shape, 'float32', ['out'], shapes), node


def run(graph, batch):
    return onnxruntime_session(to_model(graph, 17, {}, 'net').SerializeToString(), 1)(batch)[0]


@pytest.mark.parametrize('tile', TILES)
def test_matrices_filter_numbers_exactly(tile):
    draw = np.random.RandomState(tile)
    data, kernel, matrices = draw.randn(tile + 2), draw.randn(3), WinogradMatrices.of_tile(tile)
    found = matrices.output @ ((matrices.kernel @ kernel) * (matrices.input @ data))
    np.testing.assert_allclose(found, np.correlate(data, kernel, 'valid'), atol=1e-12)


@pytest.mark.parametrize('size', [(1, 1), (3, 9), (7, 7), (8, 6), (14, 13)])
@pytest.mark.parametrize('tile', TILES)
def test_maps_of_every_size(tile, size):
    draw = np.random.RandomState(0)
    batch = draw.randn(3, 16, *size).astype(np.float32)
    kernel, bias = draw.randn(32, 16, 3, 3).astype(np.float32), draw.randn(32).astype(np.float32)
    given = [mx.nd.array(value) for value in (batch, kernel, bias)]
    wanted = mx.nd.Convolution(*given, kernel=(3, 3), pad=(1, 1), num_filter=32).asnumpy()
    graph, node = convolution((16, *size), kernel, bias)
    replace_convolution(graph, node, tile)
    assert [len(node.inputs) for node in graph.nodes if node.op == 'Conv'] == [3], (
        'the bias, without a sum over channels'
    )
    np.testing.assert_allclose(run(graph, batch), wanted, atol=3e-6 * np.abs(wanted).max())


def test_a_convolution_without_bias():
    draw = np.random.RandomState(0)
    batch, kernel = draw.randn(2, 8, 5, 5).astype(np.float32), draw.randn(4, 8, 3, 3).astype(np.float32)
    graph, node = convolution((8, 5, 5), kernel)
    wanted = run(graph, batch)
    replace_convolution(graph, node, 3)
    assert 'Conv' not in {node.op for node in graph.nodes}
    np.testing.assert_allclose(run(graph, batch), wanted, atol=3e-6 * np.abs(wanted).max())


@pytest.mark.parametrize(
    'changes',
    [{'strides': (2, 2)}, {'pads': (0, 0, 0, 0)}, {'dilations': (2, 2)}, {'group': 2}, {'kernel_shape': [1, 1]}],
    ids=str,
)
def test_other_convolutions_stay(changes, monkeypatch):
    monkeypatch.setattr(module, 'best_tile', lambda *sizes: 2)
    size = changes.get('kernel_shape', [3, 3])
    graph, node = convolution((8, 6, 6), np.zeros((8, 8 // changes.get('group', 1), *size), np.float32), **changes)
    winograd_convolutions(graph)
    assert graph.nodes == [node]


def test_tiles_are_used_where_they_are_faster():
    """The convolutions of ResNet-50: those with few channels have too much to transform, those with few tiles too many
    kernels to read."""
    tiles = {
        (channels, size): best_tile(channels, channels, size, size)
        for channels, size in zip((64, 128, 256, 512), (56, 28, 14, 7))
    }
    assert tiles == {(64, 56): None, (128, 28): 4, (256, 14): 3, (512, 7): None}


@pytest.fixture(scope='module')
def network():
    return lively(ResNet('bottleneck', (2, 1, 2, 1), 7, attention='cbam', widen=0.25), 35)


def graph_of(network):
    graph = to_onnx_graph(trace(network, 35))
    simplify(graph)
    return graph


def kernels(graph):
    """How many convolutions that could be in tiles are not."""
    return sum(module._is_supported(graph, node) for node in graph.nodes)


@pytest.mark.parametrize('engine', ENGINE_PASSES)
def test_networks_do_not_change(network, engine, monkeypatch):
    """Every 3 x 3 convolution in tiles of some size, for images of an odd one."""
    monkeypatch.setattr(module, 'best_tile', lambda channels, filters, height, width: 2 + height % 3)
    batch = np.random.RandomState(0).randn(3, 3, 35, 35).astype(np.float32)
    wanted = network(mx.nd.array(batch)).asnumpy()
    graph = graph_of(network)
    assert kernels(graph) == 3, 'those of the first blocks of later stages have a stride'
    optimize_for_engine(graph, engine)
    assert kernels(graph) == (3 if engine == 'gpu' else 0), 'a GPU has its own'
    np.testing.assert_allclose(run(graph, batch), wanted, atol=1e-5 * np.abs(wanted).max())


def test_onnxruntime_still_adds_in_convolutions(network, tmp_path, monkeypatch):
    """It does where it knows that both maps have the same batch: what it makes of the file adds no more often than
    without tiles."""
    onnx, onnxruntime = pytest.importorskip('onnx'), pytest.importorskip('onnxruntime')
    found = []
    for tile in (None, 3):
        monkeypatch.setattr(module, 'best_tile', lambda *sizes, tile=tile: tile)
        graph = graph_of(network)
        optimize_for_engine(graph, 'onnxruntime')
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath, options.log_severity_level = str(tmp_path / f'{tile}.onnx'), 3
        model = to_model(graph, 17, {}, 'net').SerializeToString()
        onnxruntime.InferenceSession(model, options, providers=['CPUExecutionProvider'])
        optimized = onnx.load(options.optimized_model_filepath)
        found.append(Counter(node.op_type for node in optimized.graph.node))
    assert found[1]['MatMul'] > found[0]['MatMul']
    assert [found[1][op] for op in ('Add', 'Relu')] == [found[0][op] for op in ('Add', 'Relu')]


def test_the_file_states_the_batch_axis():
    graph, node = convolution((8, 5, 5), np.zeros((4, 8, 3, 3), np.float32))
    replace_convolution(graph, node, 4)
    model = to_model(graph, 17, {}, 'net')
    (said,) = model.graph.value_info
    assert [axis.dim_param or axis.dim_value for axis in said.type.tensor_type.shape.dim] == ['N', 5, 5, 4]
    onnx = pytest.importorskip('onnx')
    found = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    assert [axis.dim_param for axis in found.graph.output[0].type.tensor_type.shape.dim][0] == 'N'

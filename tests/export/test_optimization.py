"""Graph optimizations keep the outputs and make the operators that they are for."""

from collections import Counter

import numpy as np
import pytest
from lively import lively

from gluon_cbam import CBAM
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.export.onnx.engine_passes import ENGINE_PASSES, average_before_convolution
from gluon_cbam.export.onnx.graph import Node, OnnxGraph, to_model
from gluon_cbam.export.onnx.simplification import SIMPLIFICATION_PASSES
from gluon_cbam.export.onnx.translation import to_onnx_graph
from gluon_cbam.export.runtime.onnxruntime_engine import onnxruntime_session
from gluon_cbam.export.tracing import trace
from gluon_cbam.models.resnet import ResNet


def outputs(graph, batch):
    return onnxruntime_session(to_model(graph, 17, {}, 'net').SerializeToString(), 1)(batch)[0]


@pytest.fixture(scope='module')
def network():
    return lively(ResNet('basic', (2, 2, 2, 2), 7, attention='cbam', widen=0.25), 32)


@pytest.fixture(scope='module')
def bottlenecks():
    """A network whose blocks end in 1 x 1 convolutions."""
    return lively(ResNet('bottleneck', (1, 2, 1, 1), 7, attention='cbam', widen=0.25), 32)


@pytest.mark.parametrize('kind', ['network', 'bottlenecks'])
@pytest.mark.parametrize('engine', ENGINE_PASSES)
def test_each_pass_keeps_the_numbers(request, kind, engine):
    network = request.getfixturevalue(kind)
    batch = np.random.RandomState(0).randint(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    graph = to_onnx_graph(trace(network, 32, Preprocessing(32)))
    before = outputs(graph, batch)
    for rewrite in SIMPLIFICATION_PASSES + ENGINE_PASSES[engine]:
        rewrite(graph)
        np.testing.assert_allclose(outputs(graph, batch), before, atol=2e-6 * np.abs(before).max())


def test_everything_foldable_is_folded(network):
    graph = to_onnx_graph(trace(network, 32, Preprocessing(32)))
    before = Counter(node.op for node in graph.nodes)
    for rewrite in SIMPLIFICATION_PASSES:
        rewrite(graph)
    after = Counter(node.op for node in graph.nodes)
    assert before['BatchNormalization'] == 29 and after['BatchNormalization'] == 0
    assert before['Mul'] - after['Mul'] == 1, 'the scale of the normalisation went into the first convolution'
    assert before['Gemm'] - after['Gemm'] == 8, 'each MLP has one last layer for both pooled vectors'


def test_a_shared_layer_is_merged_only_without_other_consumers():
    """A dense layer whose output is taken twice stays."""
    net = lively(CBAM(8, 2, pool_types=('avg', 'max', 'lp')), 6)
    graph = to_onnx_graph(trace(net, 6))
    first = next(node for node in graph.nodes if node.op == 'Add')
    graph.outputs.append(first.inputs[0])
    for rewrite in SIMPLIFICATION_PASSES:
        rewrite(graph)
    assert sum(node.op == 'Gemm' for node in graph.nodes) > 4


def operators(network, engine):
    graph = to_onnx_graph(trace(network, 32))
    for rewrite in SIMPLIFICATION_PASSES + ENGINE_PASSES[engine]:
        rewrite(graph)
    return graph, Counter(node.op for node in graph.nodes)


def test_onnxruntime_adds_and_rectifies_in_convolutions(network):
    graph, count = operators(network, 'onnxruntime')
    made = {node.output: node for node in graph.nodes}
    added = [node for node in graph.nodes if node.op == 'Relu' and made[node.inputs[0]].op == 'Add']
    shortcuts = [node for node in added if len(graph.shapes[node.inputs[0]]) == 4]
    assert len(shortcuts) == 8 and 'GlobalMaxPool' not in count and 'ReduceMean' not in count
    for node in shortcuts:
        assert 'Conv' in {made[name].op for name in made[node.inputs[0]].inputs}
    assert sum(node.attributes.get('group', 1) > 1 for node in graph.nodes if node.op == 'Conv') == 8


def test_openvino_gets_convolutions_for_dense_layers(network):
    _, count = operators(network, 'openvino')
    assert count['Gemm'] == 1 and 'Unsqueeze' not in count and 'GlobalAveragePool' not in count


def test_onnxruntime_takes_maxima_of_parts(network):
    graph, _ = operators(network, 'onnxruntime')
    made = {node.output: node for node in graph.nodes}
    maxima = [node.attributes for node in graph.nodes if node.op == 'ReduceMax']
    assert maxima == [{'axes': [2], 'keepdims': 0}, {'axes': [1], 'keepdims': 1}] * 8
    for node in [node for node in graph.nodes if node.op == 'ReduceMax' and node.attributes['axes'] == [2]]:
        flat = made[node.inputs[0]]
        _, channels, height, width = graph.shapes[flat.inputs[0]]
        assert graph.constants[flat.inputs[1]].tolist() == [0, 4, channels // 4, height * width]


@pytest.mark.parametrize('engine', [name for name in ENGINE_PASSES if name != 'gpu'])  # that has no such pass
def test_averages_are_taken_of_narrow_maps(network, bottlenecks, engine):
    """Of what comes before a block's last convolution where that is 1 x 1 and makes the map wider."""
    for net, blocks in ((network, 0), (bottlenecks, 5)):
        graph, _ = operators(net, engine)
        made = {node.output: node for node in graph.nodes}
        pools = {op: [node.inputs[0] for node in graph.nodes if node.op == op] for op in ('AveragePool', 'MaxPool')}
        gates = [name for name in pools['MaxPool'] if made[name].op == 'Conv']
        before = [name for name in pools['AveragePool'] if name not in gates]
        assert len(before) == blocks + 1, 'and that of the head'
        widened = [made[name].inputs[0] for name in gates]
        assert sorted(name for name in before if name in widened) == sorted(widened if blocks else [])


def test_averages_of_wide_maps_stay():
    """Where the first convolution makes a map narrower, its own output is the cheaper one to average."""
    draw = np.random.RandomState(0)
    constants = {name: np.float32(draw.randn(*shape, 1, 1)) for name, shape in (('a', (2, 6)), ('b', (3, 2)))}
    shapes = {'data': (1, 6, 4, 4), 'x': (1, 2, 4, 4), 'mean': (1, 2, 1, 1), 'out': (1, 3, 1, 1)}
    nodes = [
        Node('Conv', ['data', 'a'], ['x'], {'kernel_shape': [1, 1]}),
        Node('AveragePool', ['x'], ['mean'], {'kernel_shape': [4, 4]}),
        Node('Conv', ['mean', 'b'], ['out'], {'kernel_shape': [1, 1]}),
    ]
    graph = OnnxGraph(list(nodes), constants, 'data', (6, 4, 4), 'float32', ['out'], shapes)
    average_before_convolution(graph)
    assert graph.nodes == nodes

"""Operators of detectors in ONNX, each against MXNet."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.common.errors import DataError
from gluon_cbam.export.onnx.graph import to_model
from gluon_cbam.export.onnx.translation import to_onnx_graph
from gluon_cbam.export.runtime.onnxruntime_engine import onnxruntime_session
from gluon_cbam.export.tracing import TracedNetwork

S, F = mx.sym, mx.sym.contrib
REGIONS = np.array([[0, 1, 2, 9, 8], [1, 0, 0, 20, 20], [0, -3, 5, 4, 30], [1, 6, 6, 6.2, 6.2]], np.float32)
WEIGHT = np.random.RandomState(1).normal(size=(3, 4, 4, 4)).astype(np.float32)
OPERATORS = {
    'Deconvolution': lambda x: S.Deconvolution(
        x, S.Variable('weight'), kernel=(4, 4), stride=(2, 2), pad=(1, 1), num_filter=4, no_bias=True
    ),
    'UpSampling': lambda x: S.UpSampling(x, scale=2, sample_type='nearest'),
    'ROIAlign': lambda x: F.ROIAlign(x, S.Variable('regions'), pooled_size=(3, 2), spatial_scale=0.5, sample_ratio=2),
    'where, rows': lambda x: S.where(S.max(x, axis=(1, 2, 3)) > 2.4, x, S.zeros_like(x)),
    'where': lambda x: S.where(x > 0, x, S.ones_like(x)),
    'equal': lambda x: S.broadcast_mul(S.floor(x) == S.floor(x + 0.5), x),
    'equal to a number': lambda x: (S.floor(x) == 1) + (x >= 0.5),
    'limits': lambda x: S.clip(x, -0.5, 0.5) + S.maximum(x, 0.2) + S.minimum(x, 0.1),
    'minimum': lambda x: S.broadcast_minimum(x, S.min(x, axis=3, keepdims=True) + 1),
    'product': lambda x: S.broadcast_add(x, S.prod(x, axis=3, keepdims=True)),
    'logarithm': lambda x: S.log2(S.relu(x) + 0.1),
    'slice': lambda x: S.slice(x, begin=(None, 1, 2, None), end=(None, 3, 40, 5)),
    'slice_like': lambda x: S.slice_like(x, S.slice_axis(x, axis=3, begin=2, end=9), axes=(2, 3)),
    'broadcast_like': lambda x: S.broadcast_like(S.max(x, axis=3, keepdims=True), x) + x,
    'topk': lambda x: S.Group(list(S.topk(S.reshape(x, (0, -1)), k=7, axis=1, ret_typ='both'))),
    'topk, ascending': lambda x: S.topk(S.reshape(x, (0, -1)), k=7, axis=1, ret_typ='value', is_ascend=True),
    'topk, places': lambda x: S.topk(S.reshape(x, (0, -1)), k=7, axis=1),
    'take': lambda x: S.take(S.reshape(x, (0, -1)), S.Variable('places'), axis=1),
}


@pytest.mark.parametrize('opset', [13, 18])
@pytest.mark.parametrize('what', OPERATORS)
def test_equals_mxnet(what, opset):
    symbol = OPERATORS[what](S.Variable('data'))
    x = np.random.RandomState(0).normal(size=(2, 3, 10, 12)).astype(np.float32)
    values = {'weight': WEIGHT, 'regions': REGIONS, 'places': np.array([[3, 1, 200]], np.float32)}
    values = {name: value for name, value in values.items() if name in symbol.list_arguments()}
    arrays = {name: mx.nd.array(value) for name, value in {'data': x, **values}.items()}
    wanted = [output.asnumpy() for output in symbol.bind(mx.cpu(), arrays).forward()]
    graph = to_onnx_graph(TracedNetwork(symbol, values, x.shape[1:], 'float32'))
    found = onnxruntime_session(to_model(graph, opset, {}, 'one').SerializeToString(), 1)(x)
    for one, two in zip(found, wanted):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)
    assert len(found) == len(wanted)


@pytest.mark.parametrize(
    'make',
    [
        lambda x: S.UpSampling(x, scale=2, sample_type='nearest', num_args=2),
        lambda x: F.ROIAlign(x, x, pooled_size=(2, 2), spatial_scale=1, aligned=True),
        lambda x: S.slice(x, begin=(None, 0), end=(None, 3), step=(1, 2)),
        lambda x: S.softmax(x, temperature=2),
        F.arange_like,
    ],
)
def test_other_kinds_are_refused(make, monkeypatch):
    from gluon_cbam.export.onnx import translation

    symbol = make(S.Variable('data'))
    monkeypatch.setattr(translation, '_shapes', lambda traced: AnyShape())
    with pytest.raises(DataError, match='translated to ONNX'):
        to_onnx_graph(TracedNetwork(symbol, {}, (3, 8, 8), 'float32'))


class AnyShape(dict):
    def __missing__(self, key):
        return (1, 3, 8, 8)

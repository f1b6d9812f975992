"""Quantization of networks to int8."""

import json

import mxnet as mx
import numpy as np
import pytest

import gluon_cbam
from gluon_cbam.attention import ModifiedCBAM
from gluon_cbam.common.errors import EnvironmentProblem, UsageError
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.inference.network import load_network
from gluon_cbam.ops import status, tracing
from gluon_cbam.quantization import graph
from gluon_cbam.tasks.classification.evaluation import evaluate

pytestmark = pytest.mark.skipif(
    not status.operators_status().ok, reason=f'compiled operators: {status.operators_status().detail}'
)


def small(attention='cbam', **options):
    """A residual network of all that is to be quantized, with BatchNorms that are no identities."""
    mx.random.seed(3)
    net = gluon_cbam.ResNet('bottleneck', (1, 2, 1, 1), classes=10, attention=attention, widen=0.25, **options)
    net.initialize()
    for name, parameter in net.collect_params().items():
        if name.endswith(('gamma', 'running_var')):
            parameter.set_data(mx.nd.random.uniform(0.5, 1.5, shape=parameter.shape))
        elif name.endswith(('beta', 'running_mean')):
            parameter.set_data(mx.nd.random.normal(0, 0.1, shape=parameter.shape))
    return net


@pytest.mark.parametrize('form', ['NDArray', 'numpy', 'list', 'data', 'data and label', 'tuples'])
def test_images_in_any_form(form):
    """The same batches give the same block."""
    net, x = small(), mx.nd.random.normal(shape=(4, 3, 32, 32))
    data, label = mx.gluon.data.ArrayDataset, mx.nd.arange(4)
    images = {
        'NDArray': x,
        'numpy': x.asnumpy().astype(np.float64),
        'list': [x],
        'data': mx.gluon.data.DataLoader(data(x), 4),
        'data and label': mx.gluon.data.DataLoader(data(x, label), 4),
        'tuples': ((batch, None) for batch in [x.asnumpy()]),
    }[form]
    wanted = gluon_cbam.quantize(net, [x.asnumpy()])(x).asnumpy()
    assert np.array_equal(gluon_cbam.quantize(net, images)(x).asnumpy(), wanted)


GOOD = np.ones((2, 3, 32, 32), np.float32)


@pytest.mark.parametrize(
    ('images', 'words'),
    [
        (GOOD.transpose(0, 2, 3, 1), r'batch 0 is \(2, 32, 32, 3\) float32: .*3 channels'),
        ([GOOD, GOOD[0]], r'batch 1 is \(3, 32, 32\) float32: stack images'),
        (GOOD.astype(np.uint8), 'uint8: scale and normalize'),
        (GOOD[:, :1], 'takes 3 channels'),
        (GOOD * np.nan, 'not finite'),
        (GOOD[:0], 'empty'),
        ([], 'got none'),
        (7, 'got int'),
        (['a.jpg'], r'batch 0 is \(\)'),
    ],
)
def test_wrong_images_are_found_before_the_work(images, words, monkeypatch):
    monkeypatch.setattr(tracing, 'quantization_symbol', lambda net: pytest.fail('it works already'))
    with pytest.raises(UsageError, match=words):
        gluon_cbam.quantize(small(), images)


def test_networks_that_cannot_be_quantized():
    with pytest.raises(UsageError, match='has no values yet'):
        gluon_cbam.quantize(gluon_cbam.get_model('cbamnet_tiny'), GOOD)
    net = small()
    net.cast('float16')
    with pytest.raises(UsageError, match=r"is float16 on cpu\(0\): .*net.cast\('float32'\)"):
        gluon_cbam.quantize(net, GOOD)


def operators(block):
    return [node.attr('op') or node.name for node in block._cached_graph[1].get_internals()]


def error(net, block, images):
    exact, about = net(images).asnumpy(), block(images).asnumpy()
    return np.abs(exact - about).mean() / exact.std(axis=1).mean()


@pytest.mark.parametrize(
    ('options', 'in_int8'),
    [
        ({}, 5),
        ({'attention': None}, 0),
        ({'attention': 'se'}, 0),
        ({'order': 'spatial_channel'}, 0),
        ({'pool_types': ('max',)}, 5),
        ({'gate': 'identity'}, 5),
    ],
)
def test_outputs_stay_near(options, in_int8):
    """To a few per cent; and the attention of each block is in int8, where there are operators for it."""
    net = small(**options)
    images = mx.nd.random.normal(shape=(12, 3, 64, 64))
    block = gluon_cbam.quantize(net, [images[:4].asnumpy(), images[4:8].asnumpy()])
    graph = block._cached_graph[1].tojson()
    assert graph.count('"_cbam_quantized_scale"') == in_int8
    assert '"quantized": "true"' in graph
    assert error(net, block, images[8:]) < 0.1
    assert error(net, block, images[8:9]) < 0.15, 'another batch than that of the calibration'


def test_maps_without_negative_values():
    """MXNet takes unsigned integers for them, which the attention's operators do not."""
    net = small()
    for block in (block for stage in (net.layer1, net.layer2) for block in stage):
        block.bn3.gamma.set_data(block.bn3.gamma.data() * 0.01)
        block.bn3.beta.set_data(block.bn3.beta.data() * 0 + 1)
    images = mx.nd.random.normal(shape=(8, 3, 64, 64))
    block = gluon_cbam.quantize(net, [images[:4].asnumpy()])
    assert block._cached_graph[1].tojson().count('"_cbam_quantized_scale"') == 2, 'of the stages after them'
    assert error(net, block, images[4:]) < 0.1


def test_accuracy_on_digits(digits):
    loaded = load_network('cifar_cbam_resnet18', [mx.cpu()], pretrained=True)
    records = RecordFile(digits / 'train.rec')
    images = np.stack([loaded.preprocessing(decode_record(records, number)) for number in range(64)])
    block = gluon_cbam.quantize(loaded.net, [images])
    assert block._cached_graph[1].tojson().count('"_cbam_quantized_scale"') == 8
    validation = RecordFile(digits / 'val.rec')
    before, after = (evaluate(net, validation, loaded.preprocessing, [mx.cpu()], 60, 1) for net in (loaded.net, block))
    assert before.top1 > 0.98
    assert after.top1 > before.top1 - 0.01
    assert after.loss != before.loss


def test_the_network_does_not_change():
    net = small()
    images = mx.nd.random.normal(shape=(4, 3, 64, 64))
    net.hybridize()
    before = net(images).asnumpy()
    block = gluon_cbam.quantize(net, [images.asnumpy()])
    net(images)
    assert (net(images).asnumpy() == before).all()
    quantized = block(images).asnumpy()
    for parameter in net.collect_params().values():
        parameter.set_data(parameter.data() * 0)
    assert (block(images).asnumpy() == quantized).all(), 'its parameters are its own'


def test_errors(monkeypatch):
    with pytest.raises(UsageError, match='needs images'):
        gluon_cbam.quantize(small(), [])
    monkeypatch.setenv('CBAM_KERNELS', 'graph')
    with pytest.raises(EnvironmentProblem, match='left out by CBAM_KERNELS=graph'):
        gluon_cbam.quantize(small(), [np.zeros((1, 3, 64, 64))])


@pytest.mark.parametrize('activation', ['prelu', 'leaky'])
def test_gates_stay_in_float32(activation):
    """All convolutions that compute gates are excluded, those after a PReLU of ours as well."""
    symbol = tracing.quantization_symbol(ModifiedCBAM(16, 4, activation))
    convolutions = [n['name'] for n in json.loads(symbol.tojson())['nodes'] if n['op'] == 'Convolution']
    assert len(convolutions) == 5
    assert set(convolutions) <= set(graph.excluded_names(symbol))


def test_graphs_with_former_names_of_operators_are_loaded():
    """Exported quantized networks, and those that kept attention in float32, name the operators."""
    net = small(pool_types=('max',), order='channel_spatial')
    images = mx.nd.random.normal(shape=(4, 3, 64, 64))
    block = gluon_cbam.quantize(net, [images.asnumpy()])
    inference = tracing.quantization_symbol(net)
    renamed = {'global_pool': 'pool', 'channel_pool': 'describe', 'channel_gate': 'gate'}
    for symbol in (block._cached_graph[1], inference):
        written = symbol.tojson()
        for name, former in renamed.items():
            for kind in ('_cbam_', '_cbam_quantized_'):
                written = written.replace(f'"op": "{kind}{name}', f'"op": "{kind}{former}')
        assert '_cbam_' in written and written != symbol.tojson()
        assert mx.sym.load_json(written).tojson() == symbol.tojson()

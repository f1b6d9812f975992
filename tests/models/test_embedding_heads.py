"""Networks of classification with an embedding head instead of the dense layer."""

import json
import logging

import mxnet as mx
import numpy as np
import pytest

import gluon_cbam
from gluon_cbam import get_model
from gluon_cbam.models.embedding_head import EMBEDDING_HEADS

FAMILIES = {
    'cbamnet_tiny': (30, 7, {}),
    'cbam_mobilenet0.7': (60, 2, {}),
    'cifar_cbam_resnet18': (28, 4, {'widen': 0.25}),
    'cbam_resnet18': (60, 2, {'widen': 0.25}),
}  # image size, side of the last map


def build(name, **options):
    size, _, narrow = FAMILIES[name]
    net = get_model(name, embedding=12, image_size=size, **narrow, **options)
    net.initialize()
    return net


@pytest.mark.parametrize('name', FAMILIES)
def test_the_head_is_a_dense_layer_over_the_last_map(name):
    """As insightface's E: BatchNorm, dropout, dense layer and BatchNorm without gamma; compared with numpy."""
    size, side, _ = FAMILIES[name]
    net = build(name)
    assert net.outputs == 12
    assert not [key for key in net._collect_params_with_prefix() if key.startswith('fc.')]
    x = mx.nd.random.normal(shape=(2, 3, size, size))
    found = net(x).asnumpy()
    last = net.stages(x) if name.startswith('cbamnet') else list(net.stage_outputs(mx.nd, x))[-1]
    assert last.shape[2:] == (side, side)
    scale = np.sqrt(1 + 2e-5)
    weight, bias = (getattr(net.head.pre_fc1, key).data().asnumpy() for key in ('weight', 'bias'))
    expected = (last.asnumpy().reshape(2, -1) / scale) @ weight.T / scale + bias / scale
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert net.head.fc1.gamma.grad_req == 'null'


@pytest.mark.parametrize('head', EMBEDDING_HEADS)
def test_every_head_gives_embeddings_and_learns(head):
    net = build('cbamnet_tiny', embedding_head=head)
    x = mx.nd.random.normal(shape=(3, 3, 30, 30))
    with mx.autograd.record():
        loss = (net(x) ** 2).sum()
        loss.backward()
    assert net(x).shape == (3, 12)
    assert all(
        np.isfinite(parameter.grad().asnumpy()).all()
        for parameter in net.collect_params().values()
        if parameter.grad_req != 'null'
    )


def test_heads_that_pool_take_any_size_and_the_others_one():
    x = mx.nd.random.normal(shape=(1, 3, 40, 40))
    assert build('cbamnet_tiny', embedding_head='GAP')(x).shape == (1, 12)
    for head in ('E', 'GDC'):
        with pytest.raises(ValueError, match='a last map of 49 cells.*gives 100: give --option image_size=40'):
            build('cbamnet_tiny', embedding_head=head)(x)


def test_weights_of_a_classifier_start_a_network_with_embeddings(tmp_path, caplog):
    full = get_model('cbamnet_tiny', classes=6)
    full.initialize()
    full.save_parameters(str(tmp_path / 'net.params'))
    with caplog.at_level(logging.WARNING, 'gluon_cbam'):
        net = get_model('cbamnet_tiny', pretrained=str(tmp_path / 'net.params'), embedding=8)
    x = mx.nd.random.normal(shape=(1, 3, 32, 32))
    assert np.array_equal(net.stages(x).asnumpy(), full.stages(x).asnumpy())
    assert net(x).shape == (1, 8)
    assert 'newly initialized: head.bn1.gamma' in caplog.text


def test_an_embedding_of_another_size_starts_anew(tmp_path):
    first = build('cbamnet_tiny')
    first.save_parameters(str(tmp_path / 'net.params'))
    net = get_model('cbamnet_tiny', pretrained=str(tmp_path / 'net.params'), embedding=8, image_size=30)
    assert net.outputs == 8
    classes = get_model('cbamnet_tiny', pretrained=str(tmp_path / 'net.params'), classes=4)
    x = mx.nd.random.normal(shape=(1, 3, 30, 30))
    assert np.array_equal(classes.stages(x).asnumpy(), first.stages(x).asnumpy())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'embedding': 0}, 'embedding must be a positive integer'),
        ({'embedding': 8, 'embedding_head': 'K'}, "unknown embedding_head 'K'"),
        ({'embedding': 8, 'image_size': 3}, 'image_size 3 leaves no cell'),
        ({'embedding': 8, 'include_top': False}, 'embedding needs a head'),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        get_model('cbamnet_tiny', **options)


def test_the_command_counts_the_head(cbam_here):
    process = cbam_here('models', 'info', 'cbamnet_tiny', '--option', 'embedding=512', '--json')
    value = json.loads(process.stdout)
    net = gluon_cbam.get_model('cbamnet_tiny', embedding=512)
    counted = [p for name, p in net.collect_params().items() if 'running_' not in name]
    assert value['parameters'] == sum(np.prod(parameter.shape) for parameter in counted)
    assert net.head.pre_fc1.weight.shape == (512, 128 * 8 * 8)

"""Grad-CAM against finite differences, autograd of other parameters, CAM and the papers' formulas."""

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

import gluon_cbam
from gluon_cbam import explain
from gluon_cbam.common.errors import UsageError

CLASSES = 4


def normalized(heat):
    heat = np.maximum(heat, 0)
    return heat / heat.max(axis=(1, 2), keepdims=True)


def randomized(net, dtype='float32'):
    """The network with parameters of which none is what it starts as."""
    net.initialize()
    net.cast(dtype)
    random = np.random.RandomState(2)
    for name, parameter in net.collect_params().items():
        values = random.randn(*parameter.shape)
        scale = max(1, np.prod(parameter.shape[1:])) ** -0.5
        parameter.set_data(mx.nd.array(np.abs(values) + 0.5 if name.endswith('var') else values * scale, dtype=dtype))
    return net


@pytest.fixture(scope='module')
def chain():
    """conv - CBAM - conv - average pool - dense, float64, and two images."""
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(4, 3, padding=1, in_channels=3),
        gluon_cbam.CBAM(4, 2, 3),
        nn.Conv2D(5, 3, in_channels=4, activation='sigmoid'),
        nn.GlobalAvgPool2D(),
        nn.Dense(CLASSES, in_units=5),
    )
    return randomized(net, 'float64'), np.random.RandomState(3).randn(2, 3, 6, 6)


@pytest.fixture(scope='module')
def differences(chain):
    """The map after the first convolution, and the central differences of a logit of each image with respect to it."""
    net, images = chain
    classes, step = (1, 3), 1e-5
    maps = net[0](mx.nd.array(images, dtype='float64')).asnumpy()
    moved = np.repeat(maps[None], maps[0].size, 0).reshape(*maps[0].shape, *maps.shape)
    for place in np.ndindex(*maps[0].shape):
        moved[place][(slice(None), *place)] += step

    def logits(values):
        x = mx.nd.array(values.reshape(-1, *maps.shape[1:]), dtype='float64')
        for block in list(net)[1:]:
            x = block(x)
        out = x.asnumpy().reshape(*maps[0].shape, len(maps), CLASSES)
        return np.stack([out[..., number, chosen] for number, chosen in enumerate(classes)])

    return classes, maps, (logits(moved) - logits(2 * maps - moved)) / (2 * step)


def test_gradcam_equals_finite_differences(chain, differences):
    classes, maps, gradients = differences
    found = explain.grad_cam(*chain, targets=classes, layer='0')
    weights = gradients.mean(axis=(2, 3))  # equation 1
    np.testing.assert_allclose(found.maps, normalized((weights[:, :, None, None] * maps).sum(axis=1)), atol=1e-6)
    assert found.maps.max(axis=(1, 2)).tolist() == [1, 1] and found.maps.min() == 0
    assert found.classes.tolist() == list(classes)


@pytest.mark.parametrize('method', explain.METHODS)
def test_max_pooling_behind_the_layer(method):
    """The same in float32, which oneDNN computes on CPUs, as in float64, which it does not, and every time."""
    net = gluon_cbam.get_model('cbamnet_tiny', pretrained=True)
    images = np.random.RandomState(0).randn(4, 3, 16, 16).astype(np.float32)
    found = [explain.grad_cam(net, images, 3, 'stages.0', method).maps for _ in range(3)]
    net.cast('float64')
    expected = explain.grad_cam(net, images, 3, 'stages.0', method).maps
    for maps in found:
        np.testing.assert_allclose(maps, expected, atol=1e-3)


def test_dropout_and_batch_norm_are_those_of_inference():
    net = nn.HybridSequential()
    net.add(nn.Conv2D(4, 3, in_channels=3), nn.BatchNorm(in_channels=4), nn.Dropout(0.5), nn.GlobalAvgPool2D())
    net.add(nn.Dense(CLASSES, in_units=4))
    randomized(net)
    images = np.random.RandomState(0).randn(2, 3, 8, 8).astype(np.float32)
    before = {name: value.data().asnumpy() for name, value in net.collect_params().items()}
    found = [explain.grad_cam(net, images, 1, '0') for _ in range(2)]
    np.testing.assert_array_equal(found[0].maps, found[1].maps)
    np.testing.assert_allclose(found[0].logits, net(mx.nd.array(images)).asnumpy(), atol=1e-6)
    scale = before[net[1].gamma.name] / np.sqrt(before[net[1].running_var.name] + 1e-5)
    weights = scale * before[net[4].weight.name][1]
    maps = net[0](mx.nd.array(images)).asnumpy()
    np.testing.assert_allclose(found[0].maps, normalized(np.einsum('c,nchw->nhw', weights, maps)), atol=1e-5)
    for name, value in net.collect_params().items():
        np.testing.assert_array_equal(value.data().asnumpy(), before[name])


def test_gradcam_plus_plus_equals_its_formula(chain, differences):
    """Equations 1, 5 and 10 of Chattopadhay et al. with Y = exp(S), whose derivatives are taken as they come."""
    classes, maps, gradients = differences
    found = explain.grad_cam(*chain, targets=classes, layer='0', method='gradcam++')
    scores = found.logits[np.arange(2), classes]
    heat = np.zeros(maps.shape[0:1] + maps.shape[2:])
    for n, k in np.ndindex(*maps.shape[:2]):
        weight = 0
        for place in np.ndindex(*maps.shape[2:]):
            first, second, third = (np.exp(scores[n]) * gradients[n, k][place] ** order for order in (1, 2, 3))
            weight += second / (2 * second + maps[n, k].sum() * third) * max(first, 0)
        heat[n] += weight * maps[n, k]
    np.testing.assert_allclose(found.maps, normalized(heat), atol=1e-5)
    assert np.abs(found.maps - explain.grad_cam(*chain, targets=classes, layer='0').maps).max() > 0.01


def test_gradcam_before_a_linear_head_is_cam():
    """Zhou et al., CVPR 2016: the class's weights of the dense layer, over the pooled map."""
    net = gluon_cbam.get_model('cbamnet_tiny', pretrained=True)
    images = np.random.RandomState(0).randn(3, 3, 16, 16).astype(np.float32)
    found = explain.grad_cam(net, images)
    maps = net.stages(mx.nd.array(images)).asnumpy()
    weights = net.fc.weight.data().asnumpy()[found.classes]
    np.testing.assert_allclose(found.maps, normalized(np.einsum('nc,nchw->nhw', weights, maps)), atol=1e-5)
    assert found.layer == 'stages'
    assert found.classes.tolist() == net(mx.nd.array(images)).asnumpy().argmax(axis=1).tolist()
    assert explain.grad_cam(net, images, targets=7).classes.tolist() == [7, 7, 7]


def test_a_layer_inside_a_residual_block():
    """The mean gradient of a map is, over its positions, that of a bias added to it: here of BatchNorm's beta."""
    net = randomized(gluon_cbam.get_model('cifar_cbam_resnet18', classes=CLASSES))
    image = np.random.RandomState(0).randn(1, 3, 16, 16).astype(np.float32)
    found = explain.grad_cam(net, image, 1, layer='layer3.0.bn1')
    kept = []
    norm = net.layer3[0].bn1
    hook = norm.register_forward_hook(lambda block, inputs, output: kept.append(output))
    with mx.autograd.record(train_mode=False):
        logit = net(mx.nd.array(image))[0, 1]
    logit.backward(train_mode=False)
    hook.detach()
    maps, weights = kept[0].asnumpy(), norm.beta.grad().asnumpy() / kept[0][0, 0].size
    np.testing.assert_allclose(found.maps, normalized(np.einsum('c,nchw->nhw', weights, maps)), atol=1e-5)


def test_layers_by_default():
    images = np.random.RandomState(0).rand(1, 3, 32, 32)
    for name, options, layer, size in (
        ('cbam_resnet18', {}, 'layer4', (1, 1)),
        ('cbam_mobilenet0.7', {}, 'units', (1, 1)),
        ('modified_cbamnet18', {'image_size': 32, 'embedding': 8}, 'head.bn1', (2, 2)),
        ('modified_cbamnet18', {'version_output': 'A'}, 'head.relu1', (2, 2)),
    ):
        net = gluon_cbam.get_model(name, classes=CLASSES, **options)
        net.initialize()
        found = explain.grad_cam(net, images, targets=1)
        assert (found.layer, found.maps.shape) == (layer, (1, *size))
        assert found.maps.dtype == np.float32 and set(found.maps.max(axis=(1, 2))) <= {0, 1}


def test_the_layer_by_default_of_a_network_of_gluoncv():
    """Its last outputs of four dimensions are those of its pooling and of the blocks that hold it, 1 x 1."""
    from gluoncv.model_zoo import get_model

    net = get_model('cifar_resnet20_v1')
    net.initialize()
    found = explain.grad_cam(net, np.random.RandomState(0).rand(2, 3, 32, 32))
    assert found.layer == 'features.4' and found.maps.shape == (2, 8, 8) and found.logits.shape == (2, 10)


def test_no_positive_evidence_is_a_map_of_zeros():
    net = nn.HybridSequential()
    net.add(nn.Conv2D(1, 1, activation='relu', in_channels=3), nn.GlobalAvgPool2D(), nn.Dense(2, in_units=1))
    net.initialize(mx.init.One())
    net[2].weight.set_data(mx.nd.array([[1], [-1]]))
    for method in explain.METHODS:
        assert (explain.grad_cam(net, np.ones((1, 3, 4, 4)), 0, method=method).maps == 1).all()
        assert (explain.grad_cam(net, np.ones((1, 3, 4, 4)), 1, method=method).maps == 0).all()


@pytest.mark.parametrize(
    'arguments, words',
    [
        (dict(method='gradcan'), "unknown method 'gradcan': did you mean gradcam"),
        (dict(layer='stages.0.atention'), "unknown layer 'stages.0.atention': did you mean stages.0.attention"),
        (dict(layer='fc'), 'the output of fc is not a map'),
        (dict(targets=10), r'targets must be in 0..9, got 10'),
        (dict(targets=[1, 2]), 'a class or 1 of them'),
        (dict(targets=0.5), 'a class or 1 of them'),
    ],
)
def test_wrong_arguments(arguments, words):
    net = gluon_cbam.get_model('cbamnet_tiny', classes=10)
    net.initialize()
    with pytest.raises(UsageError, match=words):
        explain.grad_cam(net, np.zeros((1, 3, 16, 16)), **arguments)


def test_networks_without_classes():
    embeds = gluon_cbam.get_model('modified_cbamnet18', image_size=32, embedding=8)
    maps = gluon_cbam.CBAMNet(include_top=False)
    several = gluon_cbam.features('cbamnet_tiny')
    for net, words in (
        (embeds, 'returns embeddings, which have no classes: give targets, indices below 8'),
        (maps, 'the output of CBAMNet does not depend on stages'),
        (several, 'returns several arrays'),
    ):
        net.initialize()
        with pytest.raises(UsageError, match=words):
            explain.grad_cam(net, np.zeros((1, 3, 32, 32)))


def test_a_graph_without_blocks():
    """An exported network: it has neither paths nor modules."""
    symbol = mx.sym.Pooling(mx.sym.Variable('data'), global_pool=True, pool_type='avg').flatten()
    net = mx.gluon.SymbolBlock(symbol, mx.sym.Variable('data'))
    assert explain.attention_maps(net, np.zeros((1, 3, 8, 8))) == []
    with pytest.raises(UsageError, match='SymbolBlock has no block with a map'):
        explain.grad_cam(net, np.zeros((1, 3, 8, 8)))

"""Networks as backbones."""

import json
import warnings

import mxnet as mx
import numpy as np
import pytest

import gluon_cbam
from gluon_cbam import CBAMNet, features, get_model
from gluon_cbam.models import variant


def outputs(backbone, x):
    return [output.asnumpy() for output in backbone(x)]


@pytest.mark.parametrize(
    ('name', 'indices', 'channels', 'strides'),
    [
        ('cbam_resnet18', (1, 2, 3), (128, 256, 512), (8, 16, 32)),
        ('resnet50', (0, -1), (256, 2048), (4, 32)),
        ('cifar_cbam_resnet18', (2, 0), (256, 64), (4, 1)),
        ('cbamnet_small', None, (64, 128, 256), (1, 2, 4)),
        ('bam_resnet18', (0, 1), (64, 128), (4, 8)),
        ('se_wide_resnet18_x1_5', (3,), (768,), (32,)),
        ('cbam_mobilenet0.7', None, (44, 89, 179, 358, 716), (2, 4, 8, 16, 32)),
        ('mobilenet1.0', (-1, 0), (1024, 64), (32, 2)),
        ('vgg16_atrous', (3, -1), (512, 1024), (8, 16)),
        ('modified_cbamnet18', (0, 3), (64, 512), (2, 16)),
        ('cbamnet_base', (0,), (128,), (1,)),
    ],
)
def test_channels_and_strides_of_the_maps(name, indices, channels, strides, tmp_path):
    backbone = features(name, indices)
    assert (backbone.channels, backbone.strides) == (channels, strides)
    backbone.initialize()
    x = mx.nd.random.normal(shape=(2, 3, 64, 64))
    first = outputs(backbone, x)
    assert [output.shape for output in first] == [(2, c, 64 // s, 64 // s) for c, s in zip(channels, strides)]
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # mxnet warns of parameters that a graph does not use
        backbone.hybridize(static_alloc=True, static_shape=True)
        second = outputs(backbone, x)
        backbone.export(str(tmp_path / 'net'))
    imported = mx.gluon.SymbolBlock.imports(
        str(tmp_path / 'net-symbol.json'), ['data'], str(tmp_path / 'net-0000.params')
    )
    third = imported(x)
    third = [output.asnumpy() for output in (third if isinstance(third, (list, tuple)) else [third])]
    for a, b, c in zip(first, second, third):
        assert np.abs(a - b).max() <= 1e-5 * np.abs(a).max()
        assert np.abs(a - c).max() <= 1e-5 * np.abs(a).max()


@pytest.mark.parametrize('name', [name for name in gluon_cbam.list_models() if not hasattr(variant(name), 'backbone')])
def test_every_network_has_stages(name):
    """Channels and strides are those of the graph, which is not run."""
    size = 128
    backbone = features(name)
    symbol = mx.sym.Group(list(backbone(mx.sym.Variable('data'))))
    _, shapes, _ = symbol.infer_shape(data=(1, 3, size, size))
    assert shapes == [(1, c, size // s, size // s) for c, s in zip(backbone.channels, backbone.strides)]


def test_features_share_the_networks_parameters():
    net = get_model('cifar_cbam_resnet18', classes=5)
    net.initialize()
    x = mx.nd.random.normal(shape=(1, 3, 32, 32))
    (last,) = features(net, (-1,))(x)
    assert np.array_equal(net.fc(mx.nd.Pooling(last, global_pool=True, pool_type='avg')).asnumpy(), net(x).asnumpy())
    names = set(features(net, (1,))._collect_params_with_prefix())
    assert names == {
        name for name in net._collect_params_with_prefix() if name.startswith(('conv1.', 'bn1.', 'layer1.', 'layer2.'))
    }


def test_cbamnet_gives_the_attended_maps():
    net = get_model('cbamnet_tiny')
    net.initialize()
    x = mx.nd.random.normal(shape=(1, 3, 16, 16))
    first, second = features(net)(x)
    stage = net.stages[0]
    assert np.array_equal(first.asnumpy(), stage.attention(stage.bn(stage.conv(x))).asnumpy())
    pooled = mx.nd.Pooling(second, kernel=(2, 2), stride=(2, 2), pool_type='max')
    assert np.array_equal(pooled.asnumpy(), net.stages(x).asnumpy())


def test_backbones_learn():
    backbone = features('cbamnet_tiny', (0,))
    backbone.initialize()
    with mx.autograd.record():
        (output,) = backbone(mx.nd.random.normal(shape=(1, 3, 16, 16)))
        loss = (output * output).sum()
    loss.backward()
    for parameter in backbone.collect_params().values():
        if parameter.grad_req != 'null':
            assert parameter.grad().asnumpy().any(), parameter.name


def test_bad_choices():
    with pytest.raises(ValueError, match=r'stages 0\.\.3, got 4 in \(1, 4\)'):
        features('resnet18', (1, 4))
    with pytest.raises(ValueError, match='at least one stage'):
        features('resnet18', ())
    with pytest.raises(ValueError, match='is not a network of this package'):
        features(mx.gluon.nn.Conv2D(3, 3))
    with pytest.raises(ValueError, match="'classes' go with the name"):
        features(get_model('resnet18'), classes=3)
    with pytest.raises(ValueError, match='takes 3 channels'):
        backbone = features('cbamnet_tiny')
        backbone.initialize()
        backbone(mx.nd.zeros((1, 1, 8, 8)))


def test_cbamnet_round_trip_in_a_fresh_process(tmp_path, python):
    net = CBAMNet(classes=4, dims=(16, 24), reduction=4, kernel_size=3, channel_l2=1e-3)
    net.initialize()
    x = mx.nd.random.normal(shape=(2, 3, 12, 12))
    np.save(str(tmp_path / 'x.npy'), x.asnumpy())
    np.save(str(tmp_path / 'y.npy'), net(x).asnumpy())
    net.save_parameters(str(tmp_path / 'net.params'))
    (tmp_path / 'config.json').write_text(json.dumps(net.get_config()))
    code = (
        f'import json, numpy as np, gluon_cbam, mxnet as mx; folder = {str(tmp_path)!r}\n'
        'net = gluon_cbam.CBAMNet.from_config(json.load(open(folder + "/config.json")))\n'
        'net.load_parameters(folder + "/net.params")\n'
        'print(np.array_equal(net(mx.nd.array(np.load(folder + "/x.npy"))).asnumpy(), np.load(folder + "/y.npy")))\n'
        'print(net.get_config() == json.load(open(folder + "/config.json")))'
    )
    process = python(code)
    assert process.stdout.split() == ['True', 'True'], process.stderr


def test_the_public_name():
    assert gluon_cbam.features is features

"""Drop path: each sample's branch is left out or divided by the probability to keep it, on every ops backend."""

from functools import partial

import checks
import mxnet as mx
import numpy as np
import pytest
from run_folders import state

from gluon_cbam.attention import CBAM, ModifiedCBAM, SqueezeExcitation
from gluon_cbam.models import build, resnet
from gluon_cbam.models.modified_cbamnet import BasicUnit
from gluon_cbam.models.normalization import keep_statistics
from gluon_cbam.ops.drop_path import path_rates
from gluon_cbam.ops.status import VARIABLE
from gluon_cbam.ops.tracing import export_symbol
from gluon_cbam.training import make_config, train
from gluon_cbam.training.logging import curves
from gluon_cbam.training.loop.random_state import draws

NETWORKS = {
    'cifar_resnet18': {'widen': 0.125},
    'cifar_se_resnet18': {'widen': 0.25},
    'cifar_cbam_resnet18': {'widen': 0.25},
}
CHANNELS, IMAGES = 16, 16
BLOCKS = {
    'none': partial(resnet.BasicBlock, CHANNELS, CHANNELS, 1, None, '3x3', 1, 64),
    'se': partial(resnet.BasicBlock, CHANNELS, CHANNELS, 1, partial(SqueezeExcitation, reduction=4), '3x3', 1, 64),
    'cbam': partial(resnet.BasicBlock, CHANNELS, CHANNELS, 1, partial(CBAM, reduction=4), '3x3', 1, 64),
    'bottleneck': partial(resnet.Bottleneck, CHANNELS, CHANNELS // 4, 1, partial(CBAM, reduction=4), '3x3', 1, 64),
    'faces': partial(BasicUnit, CHANNELS, CHANNELS, 1, False, 'bn', partial(ModifiedCBAM, reduction=4)),
}


def network(name, rate):
    mx.random.seed(1)
    return checks.fill(build(name, classes=4, drop_path=rate, **NETWORKS[name]))


def block_of(kind, rate):
    block = BLOCKS[kind](drop_path=rate)
    keep_statistics(block, True)  # so that only the paths differ from inference
    return checks.fill(block)


def images(channels=3, count=IMAGES):
    return mx.nd.array(np.random.RandomState(0).normal(0, 1, (count, channels, 8, 8)))


def test_rates_are_linear_in_depth_as_in_timm():
    """timm.models.resnet.make_blocks: drop_path_rate * net_block_idx / (net_num_blocks - 1)."""
    assert path_rates(0.3, 4) == pytest.approx([0, 0.1, 0.2, 0.3])
    assert path_rates(0.3, 1) == [0]
    net = build('resnet50', drop_path=0.15)
    rates = [block._drop_path for stage in (net.layer1, net.layer2, net.layer3, net.layer4) for block in stage]
    assert rates == pytest.approx([0.01 * number for number in range(16)])


@pytest.mark.parametrize('rate', [-0.1, 1, float('nan'), '0.1', True, None])
def test_a_rate_that_is_none(rate):
    with pytest.raises(ValueError, match='drop_path must be a number of at least 0 and below 1, got'):
        build('cifar_resnet18', drop_path=rate)


@pytest.mark.parametrize('name', NETWORKS)
def test_inference_parameters_and_exports_do_not_depend_on_it(name):
    x, nets = images(), [network(name, rate) for rate in (0.0, 0.5)]
    without, dropping = ([key.split('_', 1)[1] for key in net.collect_params()] for net in nets)
    assert without == dropping
    assert np.array_equal(nets[0](x).asnumpy(), nets[1](x).asnumpy())
    for net in nets:
        net.hybridize(static_alloc=True, static_shape=True)
    assert np.array_equal(nets[0](x).asnumpy(), nets[1](x).asnumpy())
    assert 'Dropout' not in export_symbol(nets[1], mx.sym.Variable('data')).tojson()
    assert [draws(net) for net in nets] == [False, True]


@pytest.mark.parametrize('hybridized', [False, True])
@pytest.mark.parametrize('kernels', ['auto', 'graph', 'plain'])
@pytest.mark.parametrize('kind', BLOCKS)
def test_each_sample_is_left_out_or_scaled(kind, kernels, hybridized, monkeypatch):
    """The output is relu(shortcut + f * branch) of the same block without drop path, f in 0, 1 / 0.7."""
    monkeypatch.setenv(VARIABLE, kernels)
    x, block, without = images(CHANNELS), block_of(kind, 0.3), block_of(kind, 0)
    shortcut = x.asnumpy()
    if kind == 'faces':
        branch, relu = without(x).asnumpy() - shortcut, lambda values: values
    else:
        body, relu = without._body(mx.nd, x), lambda values: np.maximum(values, 0)
        branch = (body if without.attention is None else without.attention(body)).asnumpy()
    if hybridized:
        block.hybridize(static_alloc=True, static_shape=True)
    output, again, third = (trained(block, x, seed) for seed in (9, 9, None))
    factors = np.array([0, 1 / 0.7])[:, None, None, None, None]
    errors = np.abs(relu(shortcut + factors * branch) - output).max(axis=(2, 3, 4))  # (2, N)
    assert (errors.min(axis=0) < 1e-4 * np.abs(branch).max()).all()
    assert 0 < (errors[0] < errors[1]).sum() < IMAGES * 0.6
    assert np.array_equal(again, output)
    assert not np.array_equal(third, output)


def trained(block, x, seed):
    """The output while training, whose draws follow from the seed; None for those after the last ones."""
    if seed is not None:
        mx.random.seed(seed)
    with mx.autograd.record():
        return block(x).asnumpy()


@pytest.mark.parametrize('kind', ['cbam', 'se'])
def test_the_gradients_of_the_backends_agree(kind, monkeypatch):
    """The paths are left out in a gate on the compiled operators, and its gradient must be scaled, too."""
    found = []
    for kernels in ('auto', 'plain'):
        monkeypatch.setenv(VARIABLE, kernels)
        block = block_of(kind, 0.5)
        block.hybridize()
        mx.random.seed(3)
        with mx.autograd.record():
            loss = (block(images(CHANNELS)) ** 2).sum()
        loss.backward()
        found.append([value.grad().asnumpy() for value in block.collect_params().values() if value.grad_req != 'null'])
    for one, other in zip(*found):
        assert np.abs(one - other).max() <= 1e-4 * np.abs(other).max()


def test_a_dropped_branch_has_no_gradient():
    block, sizes = block_of('cbam', 0.5), []
    for seed in range(8):
        mx.random.seed(seed)
        with mx.autograd.record():
            loss = block(images(CHANNELS, count=1)).sum()
        loss.backward()
        weights = block.conv2.weight, block.attention.channel.fc1.weight, block.attention.spatial.conv.weight
        sizes.append([float(np.abs(weight.grad().asnumpy()).max()) for weight in weights])
    dropped = [size for size in sizes if size[0] == 0]
    assert 0 < len(dropped) < len(sizes)
    assert not np.any(dropped)


def test_a_resumed_run_drops_the_same_paths(digits, tmp_path, monkeypatch):
    """On two devices, which draw in turn."""
    given = {
        'network': 'cifar_resnet18', 'option': {'widen': 0.0625, 'drop_path': 0.5}, 'workers': 1, 'image_size': 8,
        'data_train': str(digits / 'val.rec'), 'batch_size': 60, 'augment': 'none', 'lr': 0.01, 'cpus': 2,
    }  # fmt: skip
    monkeypatch.setattr(curves, 'draw', lambda *arguments: None)
    for folder, epochs in (('whole', 2), ('parts', 1)):
        train(make_config(**given, output=str(tmp_path / folder), epochs=epochs))
    train(make_config(**given, output=str(tmp_path / 'parts'), epochs=2, resume='auto'))
    mine, expected = state(tmp_path / 'parts'), state(tmp_path / 'whole')
    for name, value in mine.items():
        assert np.array_equal(value, expected[name]), name

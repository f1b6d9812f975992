"""Explaining leaves a network as it was."""

import mxnet as mx
import numpy as np
import pytest

import gluon_cbam
from gluon_cbam import explain

IMAGES = np.random.RandomState(0).randn(2, 3, 16, 16).astype(np.float32)


def made():
    """cifar_cbam_resnet18 after a step of training that left gradients, half of them added up."""
    mx.random.seed(0)
    net = gluon_cbam.get_model('cifar_cbam_resnet18', classes=3)
    net.initialize(ctx=[mx.cpu(0)])
    net.collect_params('.*weight').setattr('grad_req', 'add')
    with mx.autograd.record():
        net(mx.nd.array(IMAGES)).sum().backward()
    return net


def explained(net):
    arrays = [array for maps in explain.attention_maps(net, IMAGES) for array in (maps.channel, maps.spatial)]
    for method in explain.METHODS:
        arrays += [explain.grad_cam(net, IMAGES, 1, layer, method).maps for layer in (None, 'layer2')]
    return arrays


def state(net, folder):
    """All that a user could see of a hybridized network."""
    net.export(str(folder / 'net'))
    parameters = net._collect_params_with_prefix()
    return {
        'graph': (folder / 'net-symbol.json').read_text(),
        'exported': (folder / 'net-0000.params').read_bytes(),
        'output': net(mx.nd.array(IMAGES)).asnumpy().tobytes(),
        'requests': {name: parameter.grad_req for name, parameter in parameters.items()},
        'values': {name: parameter.data().asnumpy().tobytes() for name, parameter in parameters.items()},
        'gradients': {
            name: parameter.grad().asnumpy().tobytes()
            for name, parameter in parameters.items()
            if parameter.grad_req != 'null'
        },
        'hybridized': net._active,
        'graphs': (id(net._cached_op), id(net._cached_graph)),
        'hooks': [len(block._forward_hooks) for block in (net, net.layer1[0].attention)],
    }


@pytest.fixture(scope='module')
def net():
    return made()


def test_a_hybridized_network_is_the_same_afterwards_and_has_the_same_maps(net, tmp_path):
    imperative = explained(net)
    net.hybridize(static_alloc=True, static_shape=True)
    net(mx.nd.array(IMAGES))
    before = state(net, tmp_path)
    hybridized = explained(net)
    after = state(net, tmp_path)
    for name, value in before.items():
        assert after[name] == value, name
    assert set(before['requests'].values()) == {'add', 'write', 'null'}
    for first, second in zip(imperative, hybridized):
        np.testing.assert_array_equal(first, second)


def test_statistics_stay_while_a_caller_trains(net):
    """Inside a caller's own recording too, where the maps are still those of inference, and its gradients are those
    without explaining."""
    net.hybridize(False)
    parameters = net.collect_params()
    parameters.setattr('grad_req', 'write')
    running = [parameter for name, parameter in parameters.items() if 'running' in name]

    def step(explains):
        with mx.autograd.record():
            loss = net(mx.nd.array(IMAGES)).sum()
            before = [parameter.data().asnumpy() for parameter in running]
            maps = explained(net) if explains else []
            mx.nd.waitall()
            after = [parameter.data().asnumpy() for parameter in running]
        assert len(running) > 40 and all((one == other).all() for one, other in zip(before, after))
        if explains:
            for inside, outside in zip(maps, explained(net)):
                np.testing.assert_array_equal(inside, outside)
        loss.backward()
        return [parameter.grad().asnumpy() for parameter in parameters.values() if parameter.grad_req != 'null']

    for plain, beside in zip(step(False), step(True)):
        np.testing.assert_array_equal(plain, beside)

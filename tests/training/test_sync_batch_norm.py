"""MXNet's SyncBatchNorm in our networks, as far as it can be tested on a CPU."""

import json

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import get_model
from gluon_cbam.common.errors import EnvironmentProblem
from gluon_cbam.training.parameters.sync_batch_norm import convert_batch_norm, replace_batch_norm


def trained(static, devices=None):
    mx.random.seed(0)
    net = get_model('cbamnet_tiny', classes=10)
    if devices:
        replace_batch_norm(net, devices)
    net.initialize()
    net.hybridize(static_alloc=static, static_shape=static)
    trainer = mx.gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.01}, update_on_kvstore=False)
    x = mx.nd.array(np.random.RandomState(0).randn(8, 3, 16, 16))
    for _ in range(2):
        with mx.autograd.record():
            loss = -net(x).log_softmax()[:, 0]
        loss.backward()
        trainer.step(8)
    return {name: value.data().asnumpy() for name, value in net._collect_params_with_prefix().items()}


@pytest.mark.parametrize('static', [False, True])
def test_one_device_learns_what_batchnorm_learns(static):
    ours, theirs = trained(static, devices=1), trained(static)
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        assert np.abs(value - theirs[name]).max() < 1e-4 * max(1, np.abs(theirs[name]).max()), name


def test_several_cpu_contexts_are_refused():
    """MXNet hangs there."""
    net = get_model('cbamnet_tiny', classes=10)
    with pytest.raises(EnvironmentProblem, match='SyncBatchNorm hangs on 2 CPU contexts: use GPUs, or one context'):
        convert_batch_norm(net, [mx.cpu(0), mx.cpu(1)])


def test_the_layers_of_a_backbone_are_replaced_where_they_are_called():
    """Those that are children of the backbone itself belong to its network, too."""
    net = get_model('ssd_300', classes=2, backbone='cbam_resnet18', widen=0.25)
    convert_batch_norm(net, [mx.cpu()])
    operators = [node['op'] for node in json.loads(net(mx.sym.Variable('data')).tojson())['nodes']]
    assert 'BatchNorm' not in operators
    assert operators.count('_contrib_SyncBatchNorm') == 21 + 8 + 6  # of the stages, of the gates, of the extra layers

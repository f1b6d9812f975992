"""Networks whose BatchNorm keeps its statistics."""

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.models import build

NETWORKS = {
    'cbam_resnet18': 64,
    'bam_resnet18': 64,
    'cbam_mobilenet0.7': 64,
    'cbamnet_tiny': 32,
    'modified_cbamnet18': 112,
}


@pytest.mark.parametrize('name', NETWORKS)
@pytest.mark.parametrize('hybridized', [False, True])
def test_training_computes_what_inference_does(name, hybridized):
    without_dropout = {'version_output': 'A'} if name == 'modified_cbamnet18' else {}
    net = checks.fill(build(name, classes=4, use_global_stats=True, **without_dropout))
    x = mx.nd.array(np.random.RandomState(0).normal(0, 1, (2, 3, NETWORKS[name], NETWORKS[name])))
    if hybridized:
        net.hybridize(static_alloc=True, static_shape=True)
    statistics = {key: value.data().asnumpy() for key, value in net.collect_params('.*running').items()}
    expected = net(x).asnumpy()
    with mx.autograd.record():
        output = net(x)
    output.backward()
    assert np.abs(output.asnumpy() - expected).max() <= 1e-5 * np.abs(expected).max()
    assert len(statistics) >= 4
    for key, value in net.collect_params('.*running').items():
        assert np.array_equal(value.data().asnumpy(), statistics[key]), key


@pytest.mark.parametrize('name', [*NETWORKS, 'faster_rcnn_fpn'])
def test_a_text_is_no_choice(name):
    """``'no'`` would count as true."""
    with pytest.raises(ValueError, match="use_global_stats must be True or False, got 'no'"):
        build(name, classes=4, use_global_stats='no')


def test_without_the_option_they_follow_the_batch():
    net = checks.fill(build('cbamnet_tiny', classes=4))
    before = net.stages[0].bn.running_mean.data().asnumpy()
    with mx.autograd.record():
        output = net(mx.nd.ones((2, 3, 32, 32)))
    output.backward()
    assert not np.array_equal(net.stages[0].bn.running_mean.data().asnumpy(), before)


def test_only_the_backbone_of_a_detector_keeps_them():
    net = checks.fill(build('ssd_300', classes=2, backbone='resnet18', widen=0.25, use_global_stats=True))
    before = {key: value.data().asnumpy() for key, value in net._collect_params_with_prefix().items()}
    with mx.autograd.record():
        loss = sum(output.sum() for output in net(mx.nd.ones((2, 3, 64, 64))))
    loss.backward()
    after = {key: value.data().asnumpy() for key, value in net._collect_params_with_prefix().items()}
    moved = {key.split('.')[0] for key in before if not np.array_equal(before[key], after[key])}
    assert moved == {'extras'}

"""Networks with parameters of which none is neutral."""

import mxnet as mx
import numpy as np


def lively(net, size):
    """Parameters that leave nothing at its neutral value, so that no part of a network goes unseen."""
    mx.random.seed(1)
    net.initialize(mx.init.Xavier())
    net(mx.nd.zeros((1, net._in_channels, size, size)))
    draw = np.random.RandomState(1)
    for name, parameter in net.collect_params().items():
        if name.endswith(('gamma', 'var')):
            parameter.set_data(mx.nd.array(draw.uniform(0.5, 1.5, parameter.shape)))
        elif name.endswith(('mean', 'beta', 'bias')):
            parameter.set_data(mx.nd.array(draw.uniform(-0.2, 0.2, parameter.shape)))
    return net

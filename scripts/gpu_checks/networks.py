"""Every network on the device, hybridized with static memory as in training, against MXNet's operators on the CPU."""

import os

import mxnet as mx
import numpy as np

import gluon_cbam
from gluon_cbam.models.registry import option_names, variant

from . import comparison
from .recorder import Recorder
from .setting import Setting

OUTPUTS, GRADIENTS = 1e-3, 0.5
"""Largest distances, see :func:`.comparison.distances`.

Between the compiled operators and MXNet's on a CPU, the outputs of 14 networks were up to 3e-5 apart. The gradients
with new weights turn the rounding of float32 into 0.07 in cbam_resnet101 and 0.22 in cbam_resnet152. A gradient that is
missing is 1 apart; the check of operators has the narrow limits.
"""
# the last maps of a ResNet are then of 2 x 2: BatchNorm over fewer values turns rounding into large differences
_IMAGES, _SIZE = 4, 64
_QUICK = ('cbam_resnet18', 'cbamnet_tiny')


def run(setting: Setting, record: Recorder) -> None:
    """Compare every network on small images."""
    names = _QUICK if setting.quick else [name for name in gluon_cbam.list_models() if not _detects(name)]
    device = setting.devices()[0]
    for name in names:
        with record.part(name):
            outputs, others = compare(name, device)
            record.figure(f'{name}: outputs', outputs, OUTPUTS)
            record.figure(f'{name}: gradients and statistics', others, GRADIENTS)
    record.figure('networks', len(names))


def _detects(name: str) -> bool:
    """Whether a network is a detector, whose outputs and gradients are of two graphs."""
    return getattr(variant(name), 'detects', False)


def compare(name: str, device: mx.Context) -> tuple:
    """The distances of a network on a device from the same network on the CPU."""
    size = variant(name).image_size if 'image_size' in option_names(name) else _SIZE
    mx.random.seed(0)
    reference = gluon_cbam.get_model(name, classes=10)
    reference.initialize(mx.init.Xavier(magnitude=2), ctx=mx.cpu())
    net = gluon_cbam.get_model(name, classes=10)
    net.initialize(ctx=device)
    images = np.random.RandomState(0).uniform(0, 1, (_IMAGES, 3, size, size)).astype('float32')
    reference(mx.nd.array(images))  # gives every parameter its shape
    theirs = reference._collect_params_with_prefix()
    for key, parameter in net._collect_params_with_prefix().items():
        parameter.shape = theirs[key].shape
        parameter.set_data(theirs[key].data())
    os.environ['CBAM_KERNELS'] = 'plain'
    expected = comparison.outcome(reference, images, mx.cpu())
    del os.environ['CBAM_KERNELS']
    net.hybridize(static_alloc=True, static_shape=True)
    return comparison.distances(comparison.outcome(net, images, device), expected)

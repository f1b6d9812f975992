"""Writes the weights and outputs of our network for :mod:`.reference`, as the workload of a benchmark process."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import Dict, Iterator, Set

import mxnet as mx
import numpy as np

from gluon_cbam import convert
from gluon_cbam.common.errors import UsageError

from . import reference
from .cbam_workloads import load
from .context import BenchmarkContext
from .workload import Workload

_SOURCES = ('official', 'imgclsmob')
_RANGES = {'gamma': (0.4, 0.6), 'running_var': (0.5, 1.5), 'beta': (-0.2, 0.2), 'running_mean': (-0.2, 0.2)}
"""Ending of a name -> range of its random values. At their usual first values, they would hide errors."""
_GAIN = 1.5  # of kernels and dense weights; with these gammas, maps neither vanish nor grow over a hundred layers


@contextmanager
def write(context: BenchmarkContext) -> Iterator[Workload]:
    """Write random weights and the outputs of our network with them.

    Args:
        context: description of the measurement, with the folder as ``reference``.

    Yields:
        A workload that does nothing; ``written`` of its details is False for a detector, or a network with several
        outputs, for which nothing is written: rounding decides which of two detections is kept.
    """
    mx.random.seed(0)
    net = load(context, [mx.cpu()]).net
    images = mx.nd.array(reference.noise(context))
    net(images[:1])  # parameters have their shapes after a call
    _randomize(net)
    output = net(images)
    written = isinstance(output, mx.nd.NDArray) and not getattr(net, 'detects', False)
    if written:
        reference.save(str(context.reference), output.asnumpy(), _weights(net))
    yield Workload(context.batch, lambda: None, lambda: None, 'cpu(0)', {'written': written})


def _randomize(net: mx.gluon.HybridBlock) -> None:
    """Give a network weights with which rounding stays rounding: it is 1e-6 of the largest output."""
    random = np.random.RandomState(0)
    fixed = _fixed_gammas(net)
    for name, parameter in net._collect_params_with_prefix().items():
        limits, shape = _RANGES.get(name.rpartition('.')[2]), parameter.shape
        if limits and parameter.name not in fixed:
            parameter.set_data(mx.nd.array(random.uniform(*limits, shape)))
        elif len(shape) > 1:
            deviation = np.sqrt(_GAIN / np.prod(shape[1:]))
            parameter.set_data(mx.nd.array(random.standard_normal(shape) * deviation))


def _fixed_gammas(net: mx.gluon.Block) -> Set[str]:
    """The names of the gammas that count as 1, whatever their values are."""
    found: Set[str] = set()

    def add(block: mx.gluon.Block) -> None:
        if isinstance(block, mx.gluon.nn.BatchNorm) and block._kwargs['fix_gamma']:
            found.add(block.gamma.name)

    net.apply(add)
    return found


def _weights(net: mx.gluon.HybridBlock) -> Dict[str, Dict[str, np.ndarray]]:
    """The weights under the names of each source that has names for them."""
    parameters = net._collect_params_with_prefix().items()
    found = {reference.OURS: {name: value.data().asnumpy() for name, value in parameters}}
    for source in _SOURCES:
        with suppress(UsageError):
            found[source] = convert.to_arrays(net, source)
    return found

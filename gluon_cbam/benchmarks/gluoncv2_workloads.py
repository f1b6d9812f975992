"""Workloads of gluoncv2, and the plain Gluon training loop that runs them and other networks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

import mxnet as mx

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.image_size import shown_image_size
from gluon_cbam.compat import devices
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.tasks.classification.evaluation import evaluate
from gluon_cbam.tasks.classification.loss import SmoothedCrossEntropy

from . import reference
from .cbam_workloads import inference, noise_batch, set_weights
from .context import BenchmarkContext
from .workload import Workload

_STRIDE, _POOLED = 32, 7  # of its networks: pixels for each position of the last map, and its height and width


def gluoncv2_name(network: str) -> str:
    """The name in gluoncv2 of one of our networks.

    gluoncv2's ``resnet...b`` have the stride in the 3 x 3 convolution of the bottleneck, as ours.

    Args:
        network: our name.

    Returns:
        The name for ``gluoncv2.model_provider.get_model``.

    Raises:
        UsageError: gluoncv2 does not have this network.
    """
    kind, _, depth = network.rpartition('resnet')
    if kind not in ('', 'cbam_', 'bam_') or depth not in ('18', '34', '50', '101', '152'):
        raise UsageError(f'gluoncv2 has no network like {network}: compare [cbam_|bam_]resnet18 to 152')
    return f'{network}b' if kind == '' and int(depth) >= 50 else network


def _network(context: BenchmarkContext) -> mx.gluon.HybridBlock:
    from gluoncv2.model_provider import get_model

    name = gluoncv2_name(context.network)
    if any(-(-side // _STRIDE) != _POOLED for side in context.shape):
        raise UsageError(
            f"gluoncv2's {name} pools over {_POOLED} x {_POOLED} positions, as of 224 x 224 pixels, got "
            f'{shown_image_size(context.image_size)}'
        )
    return get_model(name, classes=context.classes)


def _ready(net: mx.gluon.HybridBlock, ctx: mx.Context) -> mx.gluon.HybridBlock:
    """The network, initialized and hybridized."""
    net.initialize(ctx=ctx)
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def single_device(context: BenchmarkContext) -> mx.Context:
    """The device of a context.

    Args:
        context: description of the measurement.

    Returns:
        The device.

    Raises:
        UsageError: the context has several devices; the plain loops run on one.
    """
    ctx = devices.contexts(context.gpus, context.cpus)
    if len(ctx) > 1:
        raise UsageError(f'the bare loops run on one device, got {len(ctx)}: leave --compare out, or use one')
    return ctx[0]


@contextmanager
def predict(context: BenchmarkContext) -> Iterator[Workload]:
    """Inference on a batch of noise.

    Args:
        context: description of the measurement.

    Yields:
        The workload.
    """
    ctx = single_device(context)
    net, weights = _ready(_network(context), ctx), reference.weights(context, 'imgclsmob')
    set_weights(net, weights)
    yield inference(context, net, noise_batch(context, ctx), comparable=weights is not None)


@contextmanager
def validate(context: BenchmarkContext) -> Iterator[Workload]:
    """The evaluation loop of this package on a network of gluoncv2.

    Args:
        context: description of the measurement, with ``data``.

    Yields:
        The workload.
    """
    ctx = single_device(context)
    net, records = _ready(_network(context), ctx), RecordFile(context.record_path)
    preprocessing = Preprocessing(context.image_size)
    yield Workload(
        len(records),
        lambda: evaluate(net, records, preprocessing, [ctx], context.batch, context.workers),
        mx.nd.waitall,
        str(ctx),
    )


@contextmanager
def train(context: BenchmarkContext) -> Iterator[Workload]:
    """Forward, backward and update by SGD with momentum, on a batch of noise.

    Args:
        context: description of the measurement.

    Yields:
        The workload.
    """
    yield training_step(_network(context), context)


def training_step(net: mx.gluon.HybridBlock, context: BenchmarkContext) -> Workload:
    """A training step of any network by :class:`GluonLoop`, on a batch of noise.

    Args:
        net: the network, not initialized.
        context: description of the measurement.

    Returns:
        The workload.
    """
    ctx = single_device(context)
    loop = GluonLoop(net, ctx)
    batch, labels = noise_batch(context, ctx), mx.nd.arange(context.batch, ctx=ctx) % min(context.classes, 10)
    return Workload(context.batch, lambda: loop.step(batch, labels), mx.nd.waitall, str(ctx))


class GluonLoop:
    """The training loop of Gluon's tutorials, hybridized: SGD with momentum 0.9, weight decay 1e-4, learning rate 1e-3.

    Args:
        net: the network, not initialized.
        ctx: the device.
    """

    def __init__(self, net: mx.gluon.HybridBlock, ctx: mx.Context):
        self._net, self._loss = _ready(net, ctx), SmoothedCrossEntropy()
        self._loss.hybridize(static_alloc=True, static_shape=True)
        self._trainer = mx.gluon.Trainer(
            net.collect_params(), 'sgd', {'learning_rate': 1e-3, 'momentum': 0.9, 'wd': 1e-4}
        )

    def step(self, images: mx.nd.NDArray, labels: mx.nd.NDArray) -> None:
        """Train on a batch.

        Args:
            images: (N, 3, H, W), normalized.
            labels: (N,) class indices.
        """
        with mx.autograd.record():
            loss = self._loss(self._net(images), labels)
        loss.backward()
        self._trainer.step(len(images))

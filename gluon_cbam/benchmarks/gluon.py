"""Bare Gluon loops: for the networks of gluoncv2, and for ours where the machinery around them is to be measured."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.compat import devices
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.models import build
from gluon_cbam.tasks.classification.evaluation import evaluate
from gluon_cbam.tasks.classification.loss import SmoothedCrossEntropy

from .context import Spec
from .ours import ready_batch
from .timing import Subject


def gluoncv2_network(spec: Spec) -> mx.gluon.HybridBlock:
    """gluoncv2's form of one of our networks.

    Raises:
        UsageError: it has none that computes the same.
    """
    from gluoncv2.model_provider import get_model as theirs

    return theirs(gluoncv2_name(spec.network), classes=spec.classes)


def gluoncv2_name(network: str) -> str:
    """What gluoncv2 calls one of our networks: its plain bottleneck ResNets have the stride of ours under ``...b``.

    Raises:
        UsageError: it has none that computes the same.
    """
    kind, _, depth = network.rpartition('resnet')
    if kind not in ('', 'cbam_', 'bam_') or depth not in ('18', '34', '50', '101', '152'):
        raise UsageError(f'gluoncv2 has no network like {network}: compare [cbam_|bam_]resnet18 to 152')
    return f'{network}b' if kind == '' and int(depth) >= 50 else network


def _ready(net: mx.gluon.HybridBlock, ctx: mx.Context) -> mx.gluon.HybridBlock:
    net.initialize(ctx=ctx)
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def _one_context(spec: Spec) -> mx.Context:
    ctx = devices.contexts(spec.gpus, spec.cpus)
    if len(ctx) > 1:
        raise UsageError(f'the bare loops run on one device, got {len(ctx)}: leave --compare out, or use one')
    return ctx[0]


@contextmanager
def predicting_gluoncv2(spec: Spec) -> Iterator[Subject]:
    """The network alone on a batch that is ready."""
    ctx = _one_context(spec)
    net, batch = _ready(gluoncv2_network(spec), ctx), ready_batch(spec, ctx)
    yield Subject(spec.batch, lambda: net(batch), mx.nd.waitall, str(ctx))


@contextmanager
def validating_gluoncv2(spec: Spec) -> Iterator[Subject]:
    """Our evaluation of their network."""
    ctx = _one_context(spec)
    net, records = _ready(gluoncv2_network(spec), ctx), RecordFile(spec.data)
    preprocessing = Preprocessing(spec.image_size)
    yield Subject(
        len(records),
        lambda: evaluate(net, records, preprocessing, [ctx], spec.batch, spec.workers),
        mx.nd.waitall,
        str(ctx),
    )


@contextmanager
def training_gluoncv2(spec: Spec) -> Iterator[Subject]:
    """Forward, backward and update by SGD with momentum on floats that are ready."""
    yield _training(gluoncv2_network(spec), spec)


@contextmanager
def training_ours(spec: Spec) -> Iterator[Subject]:
    """The same with our network: what ``cbam train`` does beyond it is left out. Embeddings are taken for logits."""
    yield _training(build(spec.network, classes=spec.classes, **spec.options), spec)


def _training(net: mx.gluon.HybridBlock, spec: Spec) -> Subject:
    ctx = _one_context(spec)
    loop = _Loop(net, ctx)
    batch, labels = ready_batch(spec, ctx), mx.nd.arange(spec.batch, ctx=ctx) % min(spec.classes, 10)
    return Subject(spec.batch, lambda: loop.step(batch, labels), mx.nd.waitall, str(ctx))


class _Loop:
    """The loop of Gluon's tutorials, hybridized."""

    def __init__(self, net: mx.gluon.HybridBlock, ctx: mx.Context):
        self._net, self._loss = _ready(net, ctx), SmoothedCrossEntropy()
        self._loss.hybridize(static_alloc=True, static_shape=True)
        self._trainer = mx.gluon.Trainer(
            net.collect_params(), 'sgd', {'learning_rate': 1e-3, 'momentum': 0.9, 'wd': 1e-4}
        )

    def step(self, images: mx.nd.NDArray, labels: mx.nd.NDArray) -> None:
        with mx.autograd.record():
            loss = self._loss(self._net(images), labels)
        loss.backward()
        self._trainer.step(len(images))


@contextmanager
def epoch_in_memory(spec: Spec) -> Iterator[Subject]:
    """All images of a file as floats in memory, each used once a call: no reading, no figures, no saving."""
    ctx, records = _one_context(spec), RecordFile(spec.data)
    loop = _Loop(build(spec.network, classes=spec.classes, **spec.options), ctx)
    random, size = np.random.RandomState(0), spec.image_size
    steps = [
        (
            mx.nd.array(random.standard_normal((spec.batch, 3, size, size)), ctx),
            mx.nd.array(records.labels[first : first + spec.batch], ctx),
        )
        for first in range(0, len(records) // spec.batch * spec.batch, spec.batch)
    ]

    def epoch() -> None:
        for images, labels in steps:
            loop.step(images, labels)

    yield Subject(len(steps) * spec.batch, epoch, mx.nd.waitall, str(ctx))

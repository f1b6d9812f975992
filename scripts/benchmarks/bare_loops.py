"""Workloads of our networks in a plain Gluon loop, without the training loop of this package."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

import mxnet as mx
import numpy as np

from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.benchmarks.gluoncv2_workloads import GluonLoop, single_device, training_step
from gluon_cbam.benchmarks.workload import Workload
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.models import build


@contextmanager
def train(context: BenchmarkContext) -> Iterator[Workload]:
    """Forward, backward and update by SGD with momentum on a batch of noise; embeddings are used as logits."""
    yield training_step(build(context.network, classes=context.classes, **context.options), context)


@contextmanager
def epoch_in_memory(context: BenchmarkContext) -> Iterator[Workload]:
    """The steps of an epoch, on float32 images in memory: no reading, no metrics, no checkpoints."""
    ctx, records = single_device(context), RecordFile(context.record_path)
    loop = GluonLoop(build(context.network, classes=context.classes, **context.options), ctx)
    random, size = np.random.RandomState(0), context.image_size
    steps = [
        (
            mx.nd.array(random.standard_normal((context.batch, 3, size, size)), ctx),
            mx.nd.array(records.labels[first : first + context.batch], ctx),
        )
        for first in range(0, len(records) // context.batch * context.batch, context.batch)
    ]

    def epoch() -> None:
        for images, labels in steps:
            loop.step(images, labels)

    yield Workload(len(steps) * context.batch, epoch, mx.nd.waitall, str(ctx))

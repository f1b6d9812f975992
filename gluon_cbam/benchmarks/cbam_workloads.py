"""Workloads of this package: what ``cbam train``, ``cbam validate`` and ``cbam predict`` run."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional

import mxnet as mx

from gluon_cbam.compat import devices
from gluon_cbam.data.sources.images import open_images
from gluon_cbam.inference import prediction
from gluon_cbam.inference.network import LoadedNetwork, load_network
from gluon_cbam.inference.session import on_devices
from gluon_cbam.tasks import Task, get_task
from gluon_cbam.tasks.evaluation import evaluate
from gluon_cbam.training import TrainConfig, make_config
from gluon_cbam.training.loop.engine import Engine
from gluon_cbam.training.optim import amp
from gluon_cbam.training.setup import prepare

from . import reference, textures
from .context import BenchmarkContext
from .workload import Workload

if TYPE_CHECKING:
    import numpy as np


def noise_batch(context: BenchmarkContext, ctx: mx.Context) -> mx.nd.NDArray:
    """A batch of standard normal noise, which has the mean and variance of normalized images.

    Args:
        context: description of the measurement.
        ctx: the device.

    Returns:
        (N, C, H, W) float32.
    """
    return mx.nd.array(reference.noise(context), ctx)


def load(context: BenchmarkContext, ctx: List[mx.Context]) -> LoadedNetwork:
    """The network of a context on devices, with the weights of its reference, or random ones."""
    network = load_network(
        context.network,
        ctx,
        classes=context.classes,
        image_size=context.image_size,
        options=dict(context.options),
        task=context.task,
    )
    set_weights(network.net, reference.weights(context))
    return network


def set_weights(net: mx.gluon.HybridBlock, weights: Optional[Dict[str, np.ndarray]]) -> None:
    """Give a network weights.

    Args:
        net: the network, initialized.
        weights: an array for every name of ``Block.save_parameters``; None leaves the weights as they are.
    """
    if weights is not None:
        for name, parameter in net._collect_params_with_prefix().items():
            parameter.set_data(mx.nd.array(weights[name]))


@contextmanager
def predict(context: BenchmarkContext) -> Iterator[Workload]:
    """Inference on a batch of noise, or ``cbam predict`` from JPEG files.

    Args:
        context: description of the measurement.

    Yields:
        The workload.
    """
    ctx = devices.contexts(context.gpus, context.cpus)
    network = load(context, ctx)
    if not context.with_decode:
        amp.check(context.dtype, ctx)
        network.net.cast(context.dtype)
        batch = noise_batch(context, ctx[0]).astype(context.dtype)
        yield inference(context, network.net, batch, comparable=True)
        return
    with tempfile.TemporaryDirectory(prefix='cbam-bench-') as folder:
        files = [Path(folder) / f'{number}.jpg' for number in range(context.batch)]
        for file, image in zip(files, textures.jpegs(context.batch)):
            file.write_bytes(image)
        names, session = [str(file) for file in files], on_devices(network, ctx)
        yield Workload(
            context.batch,
            lambda: list(prediction.predict(session, open_images(names), 5, context.batch, context.workers)),
            mx.nd.waitall,
            str(ctx[0]),
        )


def inference(context: BenchmarkContext, net: mx.gluon.HybridBlock, batch: mx.nd.NDArray, comparable: bool) -> Workload:
    """Inference of a network of MXNet on a batch.

    Args:
        context: description of the measurement.
        net: the network.
        batch: its input.
        comparable: whether it has the weights of the reference.
    """
    outputs = (lambda: net(batch).asnumpy()) if comparable else None
    device = str(batch.context)
    return Workload(context.batch, lambda: net(batch), mx.nd.waitall, device, outputs=outputs)


@contextmanager
def validate(context: BenchmarkContext) -> Iterator[Workload]:
    """The evaluation of a whole record file.

    Args:
        context: description of the measurement, with ``data``.

    Yields:
        The workload.
    """
    ctx = devices.contexts(context.gpus, context.cpus)
    network = load(context, ctx)
    records = network.task.open_validation(context.record_path, context.classes)
    yield Workload(
        len(records),
        lambda: evaluate(
            network.task, network.net, records, network.preprocessing, ctx, context.batch, context.workers
        ),
        mx.nd.waitall,
        ', '.join(map(str, ctx)),
    )


@contextmanager
def train(context: BenchmarkContext) -> Iterator[Workload]:
    """A step of ``cbam train``: normalization, forward, backward and update by SGD with momentum.

    The images are noise in memory. Since a run needs data, a file with the images of one step is written.

    Args:
        context: description of the measurement.

    Yields:
        The workload.
    """
    task, ctx = get_task(context.task), devices.contexts(context.gpus, context.cpus)
    images = context.batch * len(ctx)
    with tempfile.TemporaryDirectory(prefix='cbam-bench-') as folder:
        path = Path(folder) / 'stand_in.rec'
        task.write_example(path, images, context.classes)
        setup = prepare(training_config(context, data_train=str(path), output=str(Path(folder) / 'run')))
        engine, batch = Engine(setup), _example_batch(task, context, images)
        steps = iter(range(10**9))
        yield Workload(
            images,
            lambda: engine.step([batch] * setup.config.accumulate, next(steps) % setup.steps_per_epoch),
            mx.nd.waitall,
            ', '.join(map(str, ctx)),
        )


def _example_batch(task: Task, context: BenchmarkContext, images: int) -> Any:
    """A training batch of noise with as many channels as the network takes."""
    batch: Any = task.example_batch(images, context.image_size, context.classes)  # a named tuple, its images first
    return type(batch)(batch[0][..., : context.channels], *batch[1:])


def training_config(context: BenchmarkContext, **settings: Any) -> TrainConfig:
    """The training configuration for a measurement.

    Args:
        context: description of the measurement.
        **settings: further fields of :class:`TrainConfig`.

    Returns:
        The configuration, without augmentation.
    """
    return make_config(
        task=get_task(context.task).name, network=context.network, option=dict(context.options),
        classes=context.classes, image_size=context.image_size,
        batch_size=context.batch, gpus=context.gpus, cpus=context.cpus, workers=context.workers, lr=1e-3,
        dtype=context.dtype, augment='none', **settings,
    )  # fmt: skip

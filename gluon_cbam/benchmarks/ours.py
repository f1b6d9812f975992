"""Our own networks, as ``cbam train``, ``validate`` and ``predict`` run them."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List

import cv2
import mxnet as mx
import numpy as np

from gluon_cbam.compat import devices
from gluon_cbam.data.loading.training import Batch
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.data.sources.images import open_images
from gluon_cbam.inference.classifier import on_devices
from gluon_cbam.inference.network import LoadedNetwork, load_network
from gluon_cbam.inference.prediction import predict
from gluon_cbam.tasks.classification.evaluation import evaluate
from gluon_cbam.training import TrainConfig
from gluon_cbam.training.loop.engine import Engine
from gluon_cbam.training.loop.setup import prepare

from . import textures
from .context import Spec
from .timing import Subject


def ready_batch(spec: Spec, ctx: mx.Context, dtype: str = 'float32') -> mx.nd.NDArray:
    """(N, 3, H, W) floats on a device: noise with the spread of normalised images."""
    random = np.random.RandomState(0)
    return mx.nd.array(random.standard_normal((spec.batch, 3, spec.image_size, spec.image_size)), ctx, dtype)


def _load(spec: Spec, ctx: List[mx.Context]) -> LoadedNetwork:
    return load_network(spec.network, ctx, classes=spec.classes, image_size=spec.image_size, options=dict(spec.options))


@contextmanager
def predicting(spec: Spec) -> Iterator[Subject]:
    """The network alone on a batch that is ready, or ``cbam predict`` from JPEG files on."""
    ctx = devices.contexts(spec.gpus, spec.cpus)
    network = _load(spec, ctx)
    if not spec.with_decode:
        batch = ready_batch(spec, ctx[0])
        yield Subject(spec.batch, lambda: network.net(batch), mx.nd.waitall, str(ctx[0]))
        return
    with tempfile.TemporaryDirectory(prefix='cbam-bench-') as folder:
        files = [Path(folder) / f'{number}.jpg' for number in range(spec.batch)]
        for file, image in zip(files, textures.jpegs(spec.batch)):
            file.write_bytes(image)
        names, classifier = [str(file) for file in files], on_devices(network, ctx)
        yield Subject(
            spec.batch,
            lambda: list(predict(classifier, open_images(names), 5, spec.batch, spec.workers)),
            mx.nd.waitall,
            str(ctx[0]),
        )


@contextmanager
def validating(spec: Spec) -> Iterator[Subject]:
    """A whole evaluation of a file."""
    ctx = devices.contexts(spec.gpus, spec.cpus)
    network, records = _load(spec, ctx), RecordFile(spec.data)
    records.check_labels(spec.classes)
    yield Subject(
        len(records),
        lambda: evaluate(network.net, records, network.preprocessing, ctx, spec.batch, spec.workers),
        mx.nd.waitall,
        ', '.join(map(str, ctx)),
    )


@contextmanager
def training(spec: Spec) -> Iterator[Subject]:
    """A step of ``cbam train``: normalising, forward, backward and update by SGD with momentum.

    The images are noise that is ready; the record file that a run's preparation wants is made, of as many images as a
    step needs.
    """
    ctx = devices.contexts(spec.gpus, spec.cpus)
    images = spec.batch * len(ctx)
    with tempfile.TemporaryDirectory(prefix='cbam-bench-') as folder:
        path = Path(folder) / 'stand_in.rec'
        with RecordWriter(path) as writer:
            image = cv2.imencode('.png', np.zeros((8, 8, 3), np.uint8))[1].tobytes()
            for number in range(images):
                writer.write(number % spec.classes, image)
        setup = prepare(training_config(spec, data_train=str(path), output=str(Path(folder) / 'run')))
        engine, batch = Engine(setup), noise(images, spec)
        steps = iter(range(10**9))
        yield Subject(
            images,
            lambda: engine.train_on([batch] * setup.config.accumulate, next(steps) % setup.steps_per_epoch),
            mx.nd.waitall,
            ', '.join(map(str, ctx)),
        )


def training_config(spec: Spec, **more) -> TrainConfig:
    """The settings of a run that is measured."""
    return TrainConfig(
        network=spec.network, option=dict(spec.options), classes=spec.classes, image_size=spec.image_size,
        batch_size=spec.batch, gpus=spec.gpus, cpus=spec.cpus, workers=spec.workers, lr=1e-3, augment='none', **more,
    )  # fmt: skip


def noise(images: int, spec: Spec) -> Batch:
    """Images of noise and their labels, as the loader gives them."""
    random = np.random.RandomState(0)
    pixels = random.randint(0, 256, (images, spec.image_size, spec.image_size, 3), np.uint8)
    return Batch(mx.nd.array(pixels, dtype='uint8'), mx.nd.array(random.randint(0, spec.classes, images)))

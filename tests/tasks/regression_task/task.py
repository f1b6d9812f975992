"""The mean brightness of an image in 0..1 as a :class:`gluon_cbam.tasks.Task`: one number, and lower is better."""

from __future__ import annotations

import time
from copy import copy
from dataclasses import dataclass
from typing import Any, Dict, NamedTuple, Optional

import cv2
import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.settings import setting
from gluon_cbam.data.loading.training import Batch, Normalize
from gluon_cbam.data.records.recordio import RecordWriter
from gluon_cbam.tasks import figures, prediction
from gluon_cbam.tasks.base import Labels
from gluon_cbam.tasks.evaluation import sum_over_records
from gluon_cbam.tasks.figures import Figure
from gluon_cbam.tasks.objective import Objective
from gluon_cbam.tasks.prediction import Predictor
from gluon_cbam.tasks.protocols import no_progress
from gluon_cbam.tasks.record_task import RecordTask

LOSS = Figure('loss', 'loss', 'loss', higher_is_better=False, unit='squared error')
MAE = Figure('mae', 'MAE', 'mean absolute error', higher_is_better=False)


@dataclass(frozen=True)
class Evaluation(figures.Evaluation):
    records: int
    mae: float
    loss: float
    seconds: float


@dataclass(frozen=True)
class Prediction(prediction.Prediction):
    file: str
    number: Optional[int] = None
    brightness: Optional[float] = None
    error: Optional[str] = None

    def values(self) -> Dict[str, Any]:
        return {'brightness': self.brightness}

    def text(self):
        return f'{self.brightness:.4f}'

    def row(self):
        return [self.brightness]


@dataclass
class BrightnessSettings:
    """The settings that this task alone has: ``cbam train --task brightness --huber 0.1``."""

    huber: float = setting(
        0.0, 'error from which the loss is linear; 0 for a squared error', kind=float, minimum=0, immutable=True
    )
    best_by: str = setting('mae', 'figure by which parameters are kept as the best', choices=('mae', 'loss'))


class BrightnessPredictor(Predictor):
    columns = ('brightness',)

    def __call__(self, image, outputs):
        return Prediction(image.file, image.number, float(outputs[0][0]))

    def unreadable(self, image, error):
        return Prediction(image.file, image.number, error=error)


class _Inputs(NamedTuple):
    images: mx.nd.NDArray
    labels: mx.nd.NDArray


class SquaredError(Objective):
    def __init__(self, preprocessing, huber=0.0):
        self._normalize = Normalize(preprocessing)
        self._huber = huber

    def prepare(self, parts, step, index):
        return [_Inputs(self._normalize(part.images), part.labels) for part in parts]

    def loss(self, net, inputs):
        outputs = net(inputs.images)[:, 0]
        errors = (outputs - inputs.labels).abs()
        if not self._huber:
            return errors**2, outputs
        return mx.nd.where(errors < self._huber, errors**2, self._huber * (2 * errors - self._huber)), outputs

    def statistics(self, inputs, losses, outputs):
        return losses.sum(), (outputs - inputs.labels).abs().sum()


class Brightness(RecordTask):
    name = 'brightness'
    training_figures = (LOSS, MAE)
    validation_figures = (LOSS, MAE)
    best = MAE
    compared = ('mae',)
    output_names = ('brightness',)
    settings = BrightnessSettings

    def configured(self, settings):
        task = copy(self)
        task.best = self.figure(settings['best_by'])
        return task

    def check_settings(self, settings):
        for name in ('label_smoothing', 'mixup', 'cutmix'):
            if settings[name]:
                raise UsageError(f'--{name.replace("_", "-")} is for classes, got {settings[name]:g}')

    def labels(self, data_train, classes):
        return Labels(classes or 1, None)

    def check_network(self, net, network, classes):
        if getattr(net, 'outputs', classes) != 1:
            raise UsageError(f'{network} gives {classes} numbers: give --classes 1')

    def check_labels(self, records, classes):
        bad = ~((records.labels >= 0) & (records.labels <= 1))
        if bad.any():
            raise DataError(f'{records.path}: record {np.flatnonzero(bad)[0]} has no brightness in 0..1')

    def objective(self, settings, preprocessing, rank, data):
        return SquaredError(preprocessing, settings['huber'])

    def evaluate(
        self, start, data, prepare, batch_size, workers, progress=no_progress, process_group=None
    ):  # fmt: skip
        began = time.time()

        def count(numbers, outputs):
            errors = outputs[0][:, 0] - data.labels[numbers]
            return np.abs(errors).sum(), (errors**2).sum()

        mae, loss = sum_over_records(
            start, data, prepare, batch_size, workers, count, 2, progress, process_group
        )  # fmt: skip
        return Evaluation(len(data), mae / len(data), loss / len(data), time.time() - began)

    def predictor(self, model, top, names=None, labels=None):
        return BrightnessPredictor()

    def tolerance(self, measured_by, records):
        return 1e-4

    def example_batch(self, images, image_size, classes):
        pixels = mx.nd.random.randint(0, 256, (images, image_size, image_size, 3)).astype('uint8')
        return Batch(pixels, pixels.astype('float32').mean(axis=(1, 2, 3)) / 255)

    def write_example(self, path, images, classes):
        write(path, np.linspace(0, 1, images))


def write(path, labels):
    """A record file of plain images whose brightness is their label, with a little noise."""
    random = np.random.RandomState(len(labels))
    with RecordWriter(path) as writer:
        for label in labels:
            pixels = np.clip(255 * label + random.randn(8, 8, 3), 0, 255).astype(np.uint8)
            writer.write(float(label), cv2.imencode('.png', pixels)[1].tobytes())

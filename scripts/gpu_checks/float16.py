"""Training in float16 with loss scaling, beside float32, and what happens when gradients overflow."""

import gluon_cbam  # noqa: F401 (prepares the import of mxnet)

# isort: split
import numpy as np
from run_folders import metrics
from steps import Training, batch, difference

from gluon_cbam.data.datasets.digits import write_digits
from gluon_cbam.training import TrainConfig, train
from gluon_cbam.training.optim.amp import LossScaler

from .recorder import Recorder
from .setting import Setting

_MOST_SKIPPED = 60  # steps until a scale of 2 ** 60 is 1


def run(setting: Setting, record: Recorder) -> None:
    """Train on digits in both types, float32 first, since float16 stays enabled in a process; then overflow."""
    dtype = 'float16'
    if setting.gpus is None:
        dtype = 'float32'
        record.note('float32 in place of float16, which MXNet does not have on CPUs')
    with record.part('training'):
        write_digits(setting.path / 'digits')
        plain, half = (_trained(setting, name, kind) for name, kind in (('plain', 'float32'), ('half', dtype)))
        record.figure('loss at the end over loss at the start, float16', half['fall'], 0.5)
        record.figure('loss of validation, float32', plain['loss'])
        record.figure('loss of validation, float16', half['loss'])
        record.figure('difference of the losses', abs(half['loss'] - plain['loss']), 0.1)
        record.figure('top-1 of float32 less that of float16', plain['top1'] - half['top1'], 0.03)
    with record.part('overflow'):
        _overflow(setting, record, dtype)


def _trained(setting: Setting, name: str, dtype: str) -> dict:
    folder = setting.path / name
    summary = train(TrainConfig(
        network='cbamnet_tiny', data_train=str(setting.path / 'digits' / 'train.rec'),
        data_val=str(setting.path / 'digits' / 'val.rec'), output=str(folder), image_size=16, lr=0.05,
        epochs=1 if setting.quick else 3, log_interval=5, dtype=dtype, **setting.training(),
    ))  # fmt: skip
    losses = [record['loss'] for record in metrics(folder) if record['kind'] == 'interval']
    return {**summary['final'], 'fall': losses[-1] / losses[0]}


def _overflow(setting: Setting, record: Recorder, dtype: str) -> None:
    """Steps of a small network: with infinite images, and with a scale that is too large for float16."""
    training = Training(devices=setting.devices()[:1], dtype=dtype)
    training.optimization._scaler = LossScaler(scale=2.0**10)
    training.step(batch(0))
    before, broken = training.values(), batch(1)
    broken.images[0, 0, 0, 0] = np.inf
    skipped = not training.step(broken).updated
    record.require('an overflow leaves the update out', skipped, f'update left out: {skipped}')
    record.figure('change of the parameters by a step that overflows', difference(before, training.values()), 0)
    record.figure('loss scale after the overflow over that before', training.optimization.loss_scale / 2.0**10, 0.5)
    training.optimization._scaler = LossScaler(scale=2.0**60)
    steps = 1
    while not training.step(batch(2)).updated and steps < _MOST_SKIPPED:
        steps += 1
    record.figure('steps until an update from a scale of 2 ** 60', steps, _MOST_SKIPPED - 1)
    finite = all(np.isfinite(value).all() for value in training.values().values())
    record.require('the parameters are finite', finite, f'finite: {finite}')

"""Training steps on small networks, without files: what tests of the optimization share."""

import mxnet as mx
import numpy as np

from gluon_cbam.attention.blocks import CheckedBlock
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import Batch
from gluon_cbam.tasks import get_task
from gluon_cbam.training.config.task_settings import make_config
from gluon_cbam.training.distributed.process_group import ProcessGroup
from gluon_cbam.training.loop.step import TrainStep
from gluon_cbam.training.optim.learning_rates import set_learning_rates
from gluon_cbam.training.optim.update import Optimization
from gluon_cbam.training.optim.weight_decay import set_weight_decay
from gluon_cbam.training.parameters.ema import ModelEma
from gluon_cbam.training.parameters.selection import named
from gluon_cbam.training.parameters.sync_batch_norm import convert_batch_norm

SIZE, CLASSES = 6, 4
AS_THEY_ARE = Preprocessing(SIZE, 1.0, mean=(0, 0, 0), std=(1 / 255, 1 / 255, 1 / 255))


class Small(CheckedBlock):
    """A convolution, with or without BatchNorm, and a fully connected layer; a penalty if wanted."""

    def __init__(self, norm=False, penalty=0.0):
        super().__init__()
        self.conv = mx.gluon.nn.Conv2D(5, 3, in_channels=3, activation='relu')
        self.bn = mx.gluon.nn.BatchNorm(in_channels=5) if norm else None
        self.fc = mx.gluon.nn.Dense(CLASSES, in_units=5 * (SIZE - 2) ** 2)
        self._strength = penalty

    def hybrid_forward(self, F, x):
        x = self.conv(x)
        return self.fc(x if self.bn is None else self.bn(x))

    def penalty(self, ctx):
        return self._strength * (self.fc.weight.data(ctx) ** 2).sum() if self._strength else None


def batch(number, count=8):
    """The same for the same number."""
    random = np.random.RandomState(number)
    images, labels = random.randn(count, SIZE, SIZE, 3), random.randint(CLASSES, size=count)
    return Batch(mx.nd.array(images), mx.nd.array(labels))


def halves(whole, parts=2):
    """A batch in equal parts."""
    return [Batch(*each) for each in zip(*(mx.nd.split(array, parts, axis=0) for array in whole))]


class Training:
    """A network in training: ``step(batch, ...)`` does a step of as many batches as are given."""

    def __init__(self, contexts=1, images=8, norm=False, penalty=0.0, rate=0.1, decay=True, devices=None, **settings):
        self.config = make_config(
            network='cbamnet_tiny', data_train='a.rec', image_size=SIZE, classes=CLASSES, **settings
        )  # fmt: skip
        self.ctx = devices or [mx.cpu(index) for index in range(contexts)]
        mx.random.seed(7)
        self.net = Small(norm, penalty)
        if self.config.sync_bn:
            convert_batch_norm(self.net, self.ctx)
        self.net.initialize(mx.init.Normal(0.2), ctx=self.ctx)
        self.net.hybridize(static_alloc=True, static_shape=True)
        if decay:
            set_weight_decay(self.net, self.config.no_decay, self.config.wd_mult)
        set_learning_rates(self.net, self.config.lr_mult)
        self.average = ModelEma(self.net, Small(norm), self.config.ema, self.ctx) if self.config.ema else None
        group = ProcessGroup(self.config.kv_store)
        self.optimization = Optimization(
            self.net, self.config, self.ctx, group, lambda step: rate, 1, images, self.average
        )
        group.start(self.optimization.trainer, images, 0)
        objective = get_task().objective(self.config.as_dict(), AS_THEY_ARE, 0, None)
        self._train_step = TrainStep(self.net, objective, self.ctx, self.optimization, self.config.accumulate)
        self._step = self._train_step.backward
        self.done = 0

    def step(self, *batches):
        self.result = self._train_step(batches, self.done)
        self.updated = self.result.updated
        self.done += 1
        return self

    def values(self, device=0):
        return {name: value.list_data()[device].asnumpy() for name, value in named(self.net).items()}

    def gradients(self):
        return {name: value.grad().asnumpy() for name, value in named(self.net).items() if value.grad_req != 'null'}


def difference(one, other):
    """The largest difference of two dictionaries of arrays."""
    assert set(one) == set(other)
    return max(np.abs(one[name] - other[name]).max() for name in one)

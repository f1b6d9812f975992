"""Sharded heads without a network, and fixed embeddings, for tests."""

import mxnet as mx
import numpy as np

from gluon_cbam.tasks.faces.heads.sharded import ShardedMarginHead
from gluon_cbam.tasks.faces.heads.table import HEADS, make_margin
from gluon_cbam.training import TrainConfig
from gluon_cbam.training.distributed.process_group import ProcessGroup
from gluon_cbam.training.optim.shards import ShardedOptimizer
from gluon_cbam.training.sharding.exchange import Exchange
from gluon_cbam.training.sharding.loss import ShardedLoss
from gluon_cbam.training.sharding.weight import ShardedWeight

CLASSES, WIDTH, EXAMPLES = 37, 8, 12
RANDOM = np.random.RandomState(3)
EMBEDDINGS = RANDOM.randn(EXAMPLES, WIDTH) * 7
LABELS = RANDOM.randint(CLASSES, size=EXAMPLES)


def joined(arrays):
    return np.concatenate([array.asnumpy() for array in arrays])


class Head:
    """A sharded head on some devices."""

    def __init__(
        self, name, devices, dtype='float64', rate=1.0, labels=LABELS, classes=CLASSES, group=None, **settings
    ):
        self.ctx, self.labels, self._dtype = [mx.cpu(number) for number in range(devices)], labels, dtype
        head = ShardedMarginHead(make_margin(name, dtype=dtype), classes, WIDTH, HEADS[name].subcenters, rate)
        self._group = group or ProcessGroup('device')
        exchange = Exchange(self.ctx, self._group)
        config = TrainConfig(network='cbamnet_tiny', data_train='a.rec', **settings)
        self.weight = ShardedWeight(head, self.ctx, self._group, 5, EXAMPLES, config.accumulate > 1, dtype)
        self.loss = ShardedLoss(self.weight, exchange)
        self.optimizer = ShardedOptimizer(self.weight, exchange, config)

    def split(self, values):
        parts = np.split(values, len(self.ctx) * self._group.size)[self._group.rank * len(self.ctx) :]
        return [mx.nd.array(part, context, self._dtype) for part, context in zip(parts, self.ctx)]

    def step(self, number=0, scale=1.0):
        result = self.loss(self.split(EMBEDDINGS), self.split(self.labels), number, 0, scale)
        outputs = {name: joined(arrays) for name, arrays in zip(result.outputs[0]._fields, zip(*result.outputs))}
        names = self.weight.head.parameters
        return {
            'losses': joined(result.losses),
            'gradients': joined(result.gradients),
            **outputs,
            **{f'{name}.gradient': self.gradient(name) for name in names},
            **{name: value.asnumpy() for name, value in self.loss.arrays().items()},
        }

    def train(self, steps, first=0, rate=0.1):
        """Train steps, each with other labels."""
        for number in range(first, first + steps):
            labels = np.roll(self.labels, number)
            self.weight.begin_step()
            self.loss(self.split(EMBEDDINGS), self.split(labels), number, 0)
            self.optimizer.update(rate, EXAMPLES)
        return self

    def whole(self, name):
        return joined([shard.values[name] for shard in self.weight.shards])

    def gradient(self, name):
        return joined([shard.active[name].grad for shard in self.weight.shards])

    def rows(self):
        return [shard.classes.first + shard._rows.asnumpy() for shard in self.weight.shards]

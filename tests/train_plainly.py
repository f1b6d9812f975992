"""Trains a network without BatchNorm with the settings of its argument, as cbam train does; for tests of processes.

With the option ``embedding``, the network gives embeddings.

With HOLD_AT_STEP in the environment, training waits at that step for SIGTERM, so that a test can stop it inside an
epoch on any machine.
"""

import json
import os
import sys
import time

import gluon_cbam  # noqa: F401 (prepares the import of mxnet)

# isort: split
import mxnet as mx

from gluon_cbam.attention.blocks import CheckedBlock
from gluon_cbam.common.errors import CbamError
from gluon_cbam.pretrained.resolve import ResolvedModel
from gluon_cbam.training import make_config, train
from gluon_cbam.training.loop.signals import SignalHandler

HOLD_AT_STEP = int(os.environ.get('HOLD_AT_STEP', '0'))
PATIENCE = 120  # seconds


class Plain(CheckedBlock):
    def __init__(self, name, classes, size=8):
        super().__init__()
        self.outputs = classes
        self.conv = mx.gluon.nn.Conv2D(8, 3, in_channels=3, activation='relu')
        self.fc = mx.gluon.nn.Dense(classes, in_units=8 * (size - 2) ** 2)

    def hybrid_forward(self, F, x):
        return self.fc(self.conv(x))


def plain(model):
    """Stands in for ResolvedModel.build."""
    return Plain(model.name, model.options.get('embedding') or model.classes, model.preprocessing.image_size)


class Hold:
    """Shows no progress, and holds the steps at HOLD_AT_STEP until SIGTERM was received."""

    def __init__(self):
        self._step = 0
        enter = SignalHandler.__enter__

        def entered(handler):
            self._signals = handler
            return enter(handler)

        SignalHandler.__enter__ = entered

    def __call__(self, batches, total, text):
        for batch in batches:
            self._step += 1
            deadline = time.time() + PATIENCE
            while self._step == HOLD_AT_STEP and not self._signals.received and time.time() < deadline:
                time.sleep(0.02)
            yield batch


if __name__ == '__main__':
    ResolvedModel.build = plain
    try:
        print(json.dumps(train(make_config(**json.loads(sys.argv[1])), progress=Hold() if HOLD_AT_STEP else None)))
    except CbamError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)

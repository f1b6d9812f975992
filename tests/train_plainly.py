"""Trains with the settings of its argument, as cbam train does, a network without BatchNorm; for tests of processes."""

import json
import sys

import gluon_cbam  # noqa: F401 (prepares the import of mxnet)

# isort: split
import mxnet as mx

from gluon_cbam.attention.blocks import CheckedBlock
from gluon_cbam.common.errors import CbamError
from gluon_cbam.pretrained.resolve import ResolvedModel
from gluon_cbam.training import TrainConfig, train


class Plain(CheckedBlock):
    def __init__(self, name, classes):
        super().__init__()
        self.conv = mx.gluon.nn.Conv2D(8, 3, in_channels=3, activation='relu')
        self.fc = mx.gluon.nn.Dense(classes, in_units=8 * 36)

    def hybrid_forward(self, F, x):
        return self.fc(self.conv(x))


if __name__ == '__main__':
    ResolvedModel.build = lambda model: Plain(model.name, model.classes)
    try:
        print(json.dumps(train(TrainConfig(**json.loads(sys.argv[1])))))
    except CbamError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)

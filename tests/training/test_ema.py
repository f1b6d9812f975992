"""The moving average against numpy, and where a run uses it."""

import json
from dataclasses import replace

import mxnet as mx
import numpy as np
import pytest
from steps import Training, batch

from gluon_cbam import get_model
from gluon_cbam.common.errors import DataError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.tasks.classification.evaluation import evaluate
from gluon_cbam.training import TrainConfig, train
from gluon_cbam.training.distributed.process_group import ProcessGroup
from gluon_cbam.training.loop.engine import Engine
from gluon_cbam.training.parameters.batch_norm import (
    running_statistics,
    synchronize_statistics,
    value_of,
)
from gluon_cbam.training.parameters.selection import named
from gluon_cbam.training.setup import prepare


@pytest.mark.parametrize('contexts', [1, 2])
def test_average_with_its_warm_up(contexts):
    """Of running statistics the mean over the devices, as in a checkpoint."""
    training = Training(contexts, norm=True, ema=0.2)
    expected = {name: value.astype(float) for name, value in training.values().items()}
    for number in range(4):
        training.step(batch(number))
        decay = min(0.2, (1 + number) / (10 + number))
        devices = [training.values(index) for index in range(contexts)]
        for name, before in expected.items():
            value = np.mean([device[name] for device in devices], axis=0, dtype=float)
            expected[name] = decay * before + (1 - decay) * value
    for name, value in training.average.arrays().items():
        if name != 'updates':
            assert np.abs(value.asnumpy() - expected[name]).max() < 1e-6, name
    synchronize_statistics(training.average.net)
    for index in range(contexts):
        for name, value in named(training.average.net).items():
            assert np.abs(value.list_data()[index].asnumpy() - expected[name]).max() < 1e-6, name
    assert np.abs(expected['bn.running_var'] - devices[0]['bn.running_var']).max() > 1e-4


def test_another_networks_average_is_refused():
    with pytest.raises(DataError, match=r'the moving average of bn\.gamma is missing'):
        Training(norm=True, ema=0.5).average.restore(Training(ema=0.5).average.arrays(), 0)


def test_a_run_scores_and_keeps_the_average(few, tmp_path):
    digits = few(*range(10))
    settings = {
        'network': 'cbamnet_tiny', 'data_train': str(digits / 'train.rec'), 'data_val': str(digits / 'val.rec'),
        'classes': 10, 'image_size': 8, 'epochs': 1, 'lr': 0.05,
    }  # fmt: skip
    plain = train(TrainConfig(**settings, output=str(tmp_path / 'plain')))
    summary = train(TrainConfig(**settings, output=str(tmp_path / 'run'), ema=0.95))
    newest = [next((tmp_path / name / 'checkpoints').glob('newest-*.params')) for name in ('plain', 'run')]
    one, other = (mx.nd.load(str(path)) for path in newest)
    assert all(np.array_equal(one[name].asnumpy(), other[name].asnumpy()) for name in one), 'it changed the training'
    card = json.loads((tmp_path / 'run' / 'checkpoints' / 'best.json').read_text())
    assert card['averaged'] == 0.95
    states = mx.nd.load(str(newest[1].with_suffix('.states')))
    best = mx.nd.load(str(tmp_path / 'run' / 'checkpoints' / 'best.params'))
    for name, value in best.items():
        assert np.array_equal(value.asnumpy(), states[f'average/{name}'].asnumpy()), name
    net = get_model('cbamnet_tiny', classes=10, pretrained=str(tmp_path / 'run'))
    scored = evaluate(net, RecordFile(digits / 'val.rec'), Preprocessing(8, 1.0), [mx.cpu()], 60, 2)
    assert scored.loss == pytest.approx(summary['final']['loss'], rel=1e-5) != plain['final']['loss']
    assert 'moving average of the parameters, decay 0.95' in (tmp_path / 'run' / 'train.log').read_text()


class OneOfTwo(ProcessGroup):
    """One of two processes; the other one has running statistics that are larger by 2."""

    size = 2

    def __init__(self):
        super().__init__('device')
        self.calls = 0

    def mean(self, arrays):
        self.calls += 1
        return [array + 1 for array in arrays]


def test_running_statistics_are_those_of_all_processes(few, tmp_path):
    """Of the network and of the average in one call, in the same order in all processes."""
    digits = few(*range(10))
    setup = prepare(
        TrainConfig(
            network='cbamnet_tiny', data_train=str(digits / 'train.rec'), classes=10, image_size=8, ema=0.9,
            output=str(tmp_path / 'run'), cpus=2, batch_size=4,
        )
    )  # fmt: skip
    group = OneOfTwo()
    engine = Engine(replace(setup, process_group=group))
    nets = (engine.net, engine.average.net)
    before = [[value_of(value).asnumpy() for value in running_statistics(net)] for net in nets]
    engine.synchronize()
    assert (group.calls, len(before[0])) == (1, len(before[1]))
    for net, values in zip(nets, before):
        for statistic, value in zip(running_statistics(net), values):
            assert all(np.array_equal(copy.asnumpy(), value + 1) for copy in statistic.list_data())

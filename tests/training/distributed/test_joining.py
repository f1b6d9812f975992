"""Joining a process group, and its errors."""

import json
import pickle
import socket
from pathlib import Path
from types import SimpleNamespace

import mxnet as mx
import pytest
from checks import assert_one_line

from gluon_cbam.common.errors import DependencyError, EnvironmentProblem, UsageError
from gluon_cbam.common.signing import TOKEN, signed
from gluon_cbam.training import TrainConfig
from gluon_cbam.training.config.train_config import KV_STORES
from gluon_cbam.training.distributed import parameter_server
from gluon_cbam.training.distributed.joining import _GROUPS, join
from gluon_cbam.training.distributed.server_node import controller
from gluon_cbam.training.distributed.server_optimizer import FIRST_SUM, ServerOptimizer


def test_every_store_has_an_engine():
    assert tuple(_GROUPS) == KV_STORES


def test_a_single_process():
    workers = join('device')
    assert (workers.rank, workers.size) == (0, 1)
    assert workers.agree([True, False]) == [True, False]


def test_not_started_by_the_launcher(cbam, digits, tmp_path):
    """MXNet would wait for ever."""
    process = cbam(
        'train', '--network', 'cbamnet_tiny', '--image-size', 8, '--data-train', digits / 'train.rec',
        '--kv-store', 'dist_sync', '--output', tmp_path / 'run',
    )  # fmt: skip
    line = assert_one_line(process, 2)
    assert (
        line
        == 'cbam: --kv-store dist_sync: DMLC_ROLE is not set; start it with cbam launch -n WORKERS -- cbam train ...'
    )
    assert not (tmp_path / 'run').exists()


def test_no_scheduler_answers(monkeypatch):
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        for name in parameter_server._VARIABLES:
            monkeypatch.setenv(name, '2')
        monkeypatch.setenv('DMLC_PS_ROOT_URI', '127.0.0.1')
        monkeypatch.setenv('DMLC_PS_ROOT_PORT', str(unused.getsockname()[1]))
        monkeypatch.setattr(parameter_server, '_CONNECT_TIMEOUT', 0.3)
        with pytest.raises(EnvironmentProblem, match='no scheduler answers at 127.0.0.1:.* start it with cbam launch'):
            join('dist_sync')


def test_a_local_store_under_the_launcher(monkeypatch):
    monkeypatch.setenv('DMLC_NUM_WORKER', '3')
    with pytest.raises(UsageError, match='--kv-store device would train 3 separate networks'):
        join('device')


def test_horovod_is_not_installed(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'horovod', None)
    with pytest.raises(DependencyError, match='--kv-store horovod.*pip install'):
        join('horovod')


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'gradient_compression': '1bit'}, "takes 2bit or 2bit:THRESHOLD, got '1bit'"),
        ({'gradient_compression': '2bit:-1'}, 'takes 2bit or'),
        ({'gradient_compression': '2bit', 'kv_store': 'dist_sync'}, 'needs --kv-store device, got dist_sync'),
        ({'kv_store': 'dist_async', 'clip_norm': 1.0}, 'dist_async cannot do --clip-norm 1.0: use dist_sync'),
        ({'kv_store': 'dist_async', 'optimizer': 'lars'}, 'dist_async cannot do --optimizer lars: use dist_sync'),
        ({'kv_store': 'dist_snyc'}, "'dist_snyc' is unknown: did you mean dist_sync"),
    ],
)
def test_refused_settings(settings, message):
    with pytest.raises(UsageError, match=message):
        TrainConfig(network='cbamnet_tiny', data_train='a.rec', **settings).check()


def test_the_optimizer_of_the_servers():
    """It is sent as JSON with the multipliers of the parameters and the learning rates, and adds to sums."""
    parameter = mx.gluon.Parameter('w', shape=(2,), lr_mult=1.0, wd_mult=0.0)
    optimizer = ServerOptimizer(mx.optimizer.SGD(learning_rate=9.0, wd=0.5), [1.0, 10.0], processes=2)
    optimizer.param_dict = {0: parameter}
    optimizer.prepare(images=4, step=0)
    served = mx.optimizer.get_updater(ServerOptimizer.of(json.loads(json.dumps(optimizer.settings()))))
    weight, gradient = mx.nd.ones(2), mx.nd.ones(2)
    changes = []
    for _ in range(4):  # two workers, two steps
        before = weight.asnumpy()
        served(0, gradient, weight)
        changes.append(float((before - weight.asnumpy())[0]))
    assert changes == pytest.approx([0.25, 0.25, 2.5, 2.5])
    total = mx.nd.ones(2)
    served(FIRST_SUM + 3, gradient, total)
    assert total.asnumpy().tolist() == [2, 2]


class Bomb:
    """Pickled, it makes a file when it is unpickled."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


def test_servers_take_settings_of_their_own_job_only(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv(TOKEN, 'of this job')
    optimizer = ServerOptimizer(mx.optimizer.SGD(learning_rate=9.0), [1.0], processes=1)
    optimizer.param_dict = {}
    optimizer.prepare(images=4, step=0)
    settings = json.dumps(optimizer.settings())
    received = []
    receive = controller(SimpleNamespace(set_optimizer=received.append))
    signature, _, text = signed(settings, 'of this job').partition(':')
    for command, body in (
        (0, pickle.dumps(Bomb(tmp_path / 'ran'), 0)),
        (0, settings.encode()),
        (0, signed(settings, 'of another job').encode()),
        (0, signed(settings, '').encode()),
        (0, f'{signature}:{text.replace("9.0", "8.0")}'.encode()),
        (0, b''),
        (7, signed(settings, 'of this job').encode()),
    ):
        receive(command, body, None)
        assert not received
        assert capsys.readouterr().err.startswith('cbam: a server received ')
    assert not (tmp_path / 'ran').exists()
    receive(0, signed(settings, 'of this job').encode(), None)
    assert received[0].settings() == optimizer.settings()
    monkeypatch.delenv(TOKEN)
    receive(0, signed(settings, '').encode(), None)
    assert len(received) == 1

"""Runs of faces with sharded heads: other numbers of devices, the plan of a dry run, and what is refused."""

import json
from contextlib import suppress

import numpy as np
import pytest
from face_identities import write_identities
from run_folders import metrics, state

from gluon_cbam.common.errors import UsageError
from gluon_cbam.training import make_config, train
from gluon_cbam.training.checkpoint.run_directory import open_run_directory
from gluon_cbam.training.loop.dry_run import dry_run
from gluon_cbam.training.loop.signals import SignalHandler
from gluon_cbam.training.loop.trainer import Trainer
from gluon_cbam.training.setup import prepare


class Stopped(Exception):
    """Ends a run between two steps, as a crash does."""


def stopping_at(step):
    """A display of progress that ends the run."""

    def show(steps, total, text):
        for number, batch in enumerate(steps, 1):
            if number > step:
                raise Stopped
            yield batch

    return show


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_identities(tmp_path_factory.mktemp('faces'), identities=24, pictures=2)


def settings(data, output, devices=1, **changes):
    return {
        'task': 'faces', 'network': 'cbamnet_tiny', 'option': {'embedding': 16, 'image_size': 16}, 'image_size': 16,
        'data_train': str(data / 'train.rec'), 'output': str(output), 'epochs': 1, 'batch_size': 6 // devices,
        'cpus': devices, 'lr': 0.05, 'scale': 16.0, 'workers': 1, 'augment': 'face', 'wd': 5e-4, 'log_interval': 1,
        **changes,
    }  # fmt: skip


@pytest.mark.parametrize('changes', [{}, {'sample_rate': 0.8, 'head': 'softmax', 'scale': None, 'ema': 0.9}])
def test_a_run_of_two_devices_resumes_on_three(data, tmp_path, changes):
    """The rows of all classes are those of the state, and the loss goes on from there."""
    folder = tmp_path / 'run'
    with suppress(Stopped):
        train(make_config(**settings(data, folder, 2, save_interval=4, **changes)), progress=stopping_at(5))
    saved = state(folder)
    assert saved['table/weight'].shape == (24, 16)
    setup = prepare(make_config(**settings(data, folder, 3, resume='auto', **changes)))
    restored = Trainer(setup, open_run_directory(setup.config), SignalHandler())._engine.tables()
    for name, table in restored.items():
        assert np.array_equal(np.concatenate(list(table.pieces())), saved[f'table/{name}']), name
    assert train(make_config(**settings(data, folder, 3, resume='auto', **changes)))['steps'] == 8
    losses = [record['loss'] for record in metrics(folder) if record['kind'] == 'interval']
    assert len(losses) == 8
    assert losses[4] < losses[0] * 1.5


def test_another_head_does_not_continue(data, tmp_path):
    train(make_config(**settings(data, tmp_path / 'run')))
    for changes in ({'sharded': False}, {'sample_rate': 0.5}):
        with pytest.raises(UsageError, match='was started otherwise'):
            train(make_config(**settings(data, tmp_path / 'run', resume='auto', epochs=2, **changes)))


def test_a_sharded_and_a_replicated_run_learn_the_same(data, tmp_path):
    """Their first weights differ; a loss that is not that of the identities would stay where it was."""
    finals = [
        train(make_config(**settings(data, tmp_path / str(sharded), 2, sharded=sharded, epochs=6)))['final']['loss']
        for sharded in (True, False)
    ]
    assert finals[0] == pytest.approx(finals[1], rel=0.25)


def test_a_dry_run_plans_one_and_eight_devices(data, tmp_path):
    config = settings(data, tmp_path / 'run', 2, classes=1000, sample_rate=0.1, clip_norm=1.0)
    result = dry_run(make_config(**config))
    one, two, eight = json.loads(json.dumps(result.as_dict()))['head']
    assert [entry['devices'] for entry in (one, two, eight)] == [1, 2, 8]
    assert [entry['classes'] for entry in (one, two, eight)] == [1000, 500, 125]
    assert (one['weight'], eight['weight']) == (1000 * 16 * 4, 125 * 16 * 4)
    assert one['sampled'] == 100
    assert 'head on 8 devices' in result.as_text()
    assert not (tmp_path / 'run').exists()
    replicated = dry_run(make_config(**settings(data, tmp_path / 'run', sharded=False))).as_dict()
    assert 'head' not in replicated


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'sample_rate': 0.0}, '--sample-rate 0 must be above 0'),
        ({'sample_rate': 1.5}, '--sample-rate 1.5 must be above 0 and at most 1'),
        ({'sample_rate': 0.5, 'sharded': False}, 'leave out --no-sharded'),
        ({'sample_rate': 0.5, 'head': 'triplet', 'scale': None}, '--sample-rate: the head triplet has none'),
        ({'optimizer': 'lars'}, '--optimizer lars .* --no-sharded'),
        ({'sample_rate': 0.1, 'accumulate': 2}, '--accumulate 2'),
        ({'classes': 24, 'cpus': 25, 'batch_size': 1}, '24 classes cannot be sharded over 25 devices'),
    ],
)
def test_what_does_not_fit_is_refused(data, tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        train(make_config(**settings(data, tmp_path / 'run', **changes)))

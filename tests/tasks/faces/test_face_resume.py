"""Runs of faces in processes that are killed, and resumed."""

import json
import signal
import subprocess
import sys

import pytest
from face_identities import face_settings as settings
from face_identities import write_identities
from run_folders import assert_same_run, metrics, state

from gluon_cbam.training import make_config, train


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_identities(tmp_path_factory.mktemp('faces'))


KILLED = """
import json, os, signal, sys
from gluon_cbam.training import make_config, train

def show(batches, total, text):
    for batch in batches:
        show.steps += 1
        if show.steps == 8:
            os.kill(os.getpid(), signal.SIGKILL)
        yield batch

show.steps = 0
train(make_config(**json.loads(sys.argv[1])), progress=show)
"""


# CurricularFace's t and AdaFace's mean and deviation follow from all steps before
@pytest.mark.parametrize(
    ('head', 'moving', 'cpus', 'sharded'),
    [('curricularface', 't', 1, True), ('adaface', 'mean', 3, True), ('curricularface', 't', 1, False)],
)
def test_a_killed_run_resumes_bit_for_bit(data, tmp_path, head, moving, cpus, sharded):
    changes = {'head': head, 'sharded': sharded, 'save_interval': 2, 'cpus': cpus, 'batch_size': 12 // cpus}
    run, unbroken = (settings(data, tmp_path / name, **changes) for name in ('run', 'unbroken'))
    train(make_config(**unbroken))
    process = subprocess.run([sys.executable, '-c', KILLED, json.dumps(run)], capture_output=True, check=False)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert 'step00000006' in ' '.join(path.name for path in (tmp_path / 'run' / 'checkpoints').iterdir())
    train(make_config(**run, resume='auto'))
    mine, expected = state(tmp_path / 'run'), state(tmp_path / 'unbroken')
    name = f'moving_statistics/{moving}' if sharded else f'head/moving.{moving}'
    assert mine[name] == expected[name]
    assert ({'table/weight', 'table/weight.0'} <= set(mine)) == sharded
    assert_same_run(tmp_path / 'run', tmp_path / 'unbroken')


KILLED_IN_VALIDATION = """
import json, os, signal, sys
from gluon_cbam.training import make_config, train
from gluon_cbam.training.checkpoint.manager import CheckpointManager
from gluon_cbam.training.loop.validation import Validation

owner, name, time = {
    'before': (Validation, 'within_epoch', 2), 'within': (Validation, '_interruptible', 4),
    'before its state': (CheckpointManager, 'validated', 2), 'after its state': (CheckpointManager, 'write_best', 2),
}[sys.argv[2]]
original, calls = getattr(owner, name), []

def kill(*arguments):
    calls.append(name)
    if len(calls) == time:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments)

setattr(owner, name, kill)
train(make_config(**json.loads(sys.argv[1])))
"""
VALIDATED = {'val_interval': 2, 'ema': 0.9, 'keep_best': 2, 'head': 'curricularface'}


@pytest.fixture(scope='module')
def unbroken(data, tmp_path_factory):
    """A run of two epochs of 5 steps that validates at steps 2 and 4 of each, and after it."""
    output = tmp_path_factory.mktemp('runs') / 'validated'
    train(make_config(**settings(data, output, **VALIDATED)))
    return output


# 'within' is between the two sets of the validation at step 4
@pytest.mark.parametrize('moment', ['before', 'within', 'before its state', 'after its state'])
def test_a_run_killed_around_a_validation_resumes_bit_for_bit(data, tmp_path, unbroken, moment):
    run = settings(data, tmp_path / 'run', **VALIDATED)
    process = subprocess.run(
        [sys.executable, '-c', KILLED_IN_VALIDATION, json.dumps(run), moment], capture_output=True, check=False
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    last = max(path.stem for path in (tmp_path / 'run' / 'checkpoints').glob('newest-*.json'))
    assert last == f'newest-epoch0000-step0000000{4 if moment == "after its state" else 2}_validated'
    train(make_config(**run, resume='auto'))
    assert_same_run(tmp_path / 'run', unbroken)
    assert [each['step'] for each in metrics(tmp_path / 'run') if each['kind'] == 'validation'] == [2, 4, 6, 8]
    names = [
        sorted(path.name for path in (each / 'checkpoints').glob('best*')) for each in (tmp_path / 'run', unbroken)
    ]
    assert names[0] == names[1]

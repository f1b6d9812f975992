"""The command ``cbam launch``."""

import json
import sys

import pytest
from checks import assert_one_line


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['-n', 2], 'no command: write it after --'),
        (['-n', 2, '--', 'cbam-trian'], "no command 'cbam-trian'"),
        (['-n', 2, '--env', 'X', '--', 'true'], "--env takes KEY=VALUE, got 'X'"),
        (['-n', 2, '--hosts', 'none.txt', '--', 'true'], 'No such file'),
        (['-n', 0, '--', 'true'], '-n must be at least 1, got 0'),
        (['-n', 2, '--port', 99999, '--', 'true'], '--port'),
        (['--', 'true'], '-n'),
    ],
)
def test_refused(cbam, arguments, message):
    assert message in assert_one_line(cbam('launch', *arguments), 2)


@pytest.mark.slow
def test_results_and_logs_are_separate(cbam):
    """With real schedulers and servers, which end only after the workers were connected."""
    code = 'import os, gluon_cbam, mxnet as mx; kv = mx.kv.create("dist_sync"); kv._barrier(); '
    command = [sys.executable, '-c', code + """print('{"worker": %s}' % os.environ['DMLC_WORKER_ID'])"""]
    process = cbam('launch', '-n', 3, '-s', 2, '--json', '--', *command)
    assert process.returncode == 0, process.stderr
    value = json.loads(process.stdout)
    assert (value['workers'], value['servers'], value['result']) == (3, 2, {'worker': 0})
    assert sorted(process.stderr.splitlines()) == [f'[worker {n}] {{"worker": {n}}}' for n in (1, 2)]

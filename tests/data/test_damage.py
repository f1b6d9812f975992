"""Damage of record files: the results of MXNet's readers, and the errors of ours.

MXNet's outcomes are the reason for our checks. A row with ``killed`` accepts any signal.
"""

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Callable, NamedTuple, Optional

import numpy as np
import pytest
from checks import assert_one_line
from records import encoded, photo
from run_folders import newest

from gluon_cbam.common.errors import CbamError
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter, index_path
from gluon_cbam.training import TrainConfig, train
from gluon_cbam.training.setup import prepare

RECORDS = 24
HIT = 7  # the record that is damaged
HEAD = 8 + 24  # bytes of a record before its image
KILLED, ERROR = 'killed', 'error'
ALL, NONE = str(RECORDS), '0'


class Fault(NamedTuple):
    """Damage, and its effect.

    Attributes:
        damage: the bytes of a good file and the offset of record 7 -> the bad file.
        iterator: outcome of ImageRecordIter without an index: the number of images, or ...
        shuffled: of ImageRecordIter with an index.
        dataset: of ImageRecordDataset.
        message: of our error before training; None if there is none.
    """

    damage: Callable
    iterator: str
    shuffled: str
    dataset: str
    message: Optional[str]


def patch(offset, data):
    """Replace bytes at an offset relative to the damaged record."""
    return lambda good, at: good[: at + offset] + data + good[at + offset + len(data) :]


def index(change):
    """Change the index; the record file is not changed."""
    change.index = True
    return change


def word(value):
    return struct.pack('<I', value)


NOTHING_HERE = 'no record begins here'
FAULTS = {
    'a byte too many': Fault(lambda good, at: good + b'x', ERROR, ERROR, ALL, 'truncated: 1 bytes'),
    'cut in an image': Fault(lambda good, at: good[: at + 64], KILLED, KILLED, ERROR, 'bytes are missing'),
    'cut in a header': Fault(lambda good, at: good[: at + 20], KILLED, KILLED, ERROR, 'bytes are missing'),
    'cut in a word': Fault(lambda good, at: good[: at + 4], KILLED, KILLED, ERROR, 'truncated: 4 bytes'),
    'cut between records': Fault(lambda good, at: good[:at], str(HIT), KILLED, ERROR, 'lists 24 .* not the 7 of'),
    'wrong magic': Fault(patch(0, b'?'), KILLED, KILLED, ERROR, NOTHING_HERE),
    'wrong magic at the start': Fault(lambda good, at: b'?' + good[1:], '23', KILLED, ERROR, NOTHING_HERE),
    'zeroed record': Fault(patch(0, bytes(HEAD + 500)), KILLED, KILLED, ERROR, NOTHING_HERE),
    'huge length': Fault(patch(4, word(2**29 - 1)), KILLED, KILLED, ERROR, 'bytes are missing'),
    'huge number of labels': Fault(patch(8, word(2**31)), ERROR, ERROR, ERROR, 'claims 2147483648 labels'),
    'NaN label': Fault(patch(12, struct.pack('<f', np.nan)), ALL, ALL, ALL, 'has label nan'),
    'empty file': Fault(lambda good, at: b'', ERROR, ERROR, ERROR, 'the file is empty'),
    'random bytes': Fault(lambda good, at: np.random.RandomState(0).bytes(4096), ERROR, KILLED, ERROR, NOTHING_HERE),
    'text': Fault(lambda good, at: b'no record file at all\n' * 50, ERROR, KILLED, ERROR, NOTHING_HERE),
    'empty index': Fault(index(lambda lines: []), ALL, KILLED, NONE, 'lists 0 records'),
    'no index': Fault(index(lambda lines: ['hello'] * 5), ALL, KILLED, ERROR, 'line 1 is not'),
    'index beyond the end': Fault(index(lambda lines: [*lines[:-1], '23\t999999']), ALL, KILLED, ERROR, 'lists 24 rec'),
    'wrong offset in it': Fault(index(lambda lines: ['0\t4', *lines[1:]]), ALL, KILLED, ERROR, 'lists 24 records'),
    'index of fewer': Fault(index(lambda lines: lines[:-1]), ALL, ALL, '23', 'lists 23 records'),
    # found when the image is decoded
    'zeroed image': Fault(patch(HEAD, bytes(500)), ERROR, KILLED, ERROR, None),
    # decoders do not report it: the lower part of the image is gray
    'zeros inside an image': Fault(patch(HEAD + 700, bytes(200)), ALL, ALL, ALL, None),
}


def damaged(name, folder):
    """Write a damaged file to a folder."""
    path = folder / f'{name.replace(" ", "_")}.rec'
    with RecordWriter(path) as writer:
        for number in range(RECORDS):
            writer.write(number % 5, encoded(photo(30, 40, number)))
    records, damage = RecordFile(path), FAULTS[name].damage
    if hasattr(damage, 'index'):
        lines = damage(index_path(path).read_text().splitlines())
        index_path(path).write_text(''.join(f'{line}\n' for line in lines))
    else:
        path.write_bytes(damage(path.read_bytes(), records.offset(HIT)))
    return path


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp('damaged')
    return {name: damaged(name, folder) for name in FAULTS}


@pytest.fixture(scope='module')
def outcomes(files):
    """The results of MXNet's readers for every file, from one process and its forks."""
    program = Path(__file__).with_name('mxnet_readers.py')
    paths = [str(path) for path in files.values()]
    process = subprocess.run(
        [sys.executable, str(program), *paths], capture_output=True, text=True, timeout=300, check=True
    )
    found = json.loads(process.stdout)
    return {name: found[str(path)] for name, path in files.items()}


@pytest.mark.slow
@pytest.mark.parametrize('name', FAULTS)
def test_results_of_mxnets_readers(outcomes, name):
    fault = FAULTS[name]
    assert outcomes[name] == {'iterator': fault.iterator, 'shuffled': fault.shuffled, 'dataset': fault.dataset}


def settings(path, tmp_path, **more):
    return TrainConfig(
        network='cbamnet_tiny', data_train=str(path), output=str(tmp_path / 'run'), image_size=16, classes=5, epochs=2,
        batch_size=4, log_interval=1, **more,
    )  # fmt: skip


@pytest.mark.parametrize('name', [name for name, fault in FAULTS.items() if fault.message])
def test_damage_is_an_error_before_training(files, tmp_path, name):
    for limit in (0, 5):
        with pytest.raises(CbamError, match=FAULTS[name].message) as caught:
            prepare(settings(files[name], tmp_path, max_bad_records=limit))
        assert caught.value.exit_code == 4
        assert '\n' not in str(caught.value)
    assert not (tmp_path / 'run').exists()


def test_a_bad_image_is_skipped_under_a_limit(files, tmp_path):
    summary = train(settings(files['zeroed image'], tmp_path, max_bad_records=1))
    folder = tmp_path / 'run'
    assert summary['bad_records'] == 1
    assert summary['steps'] == 2 * RECORDS // 4
    records = [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]
    assert [record['bad_records'] for record in records if record['kind'] == 'epoch'] == [1, 1]
    assert (folder / 'train.log').read_text().count(f'record {HIT} at offset') == 1
    card = newest(folder, '.json')
    assert json.loads(card.read_text())['training']['progress']['bad_records'] == [HIT]


def test_the_command_ends_with_exit_code_4(files, tmp_path, cbam):
    """The run saves its state at the first bad image beyond the limit, and resumes with a larger limit."""
    process = cbam(
        'train', '--network', 'cbamnet_tiny', '--image-size', 16, '--classes', 5, '--epochs', 2, '--batch-size', 4,
        '--output', tmp_path / 'run', '--log-interval', 1, '--data-train', files['zeroed image'],
    )  # fmt: skip
    assert process.returncode == 4
    assert process.stdout == ''
    assert 'Traceback' not in process.stderr
    message = process.stderr.strip().splitlines()[-1]
    assert message.startswith('cbam: ')
    assert f'record {HIT} at offset' in message
    assert 'continue with --resume' in message
    summary = train(settings(files['zeroed image'], tmp_path, max_bad_records=1, resume='auto'))
    assert 'continues at epoch 1' in (tmp_path / 'run' / 'train.log').read_text()
    assert (summary['bad_records'], summary['steps']) == (1, 2 * RECORDS // 4)


def test_the_error_of_the_command_is_one_line(files, tmp_path, cbam):
    train_on = ('train', '--network', 'cbamnet_tiny', '--classes', 5, '--output', tmp_path / 'run', '--data-train')
    assert f'record {HIT} at offset' in assert_one_line(cbam(*train_on, files['NaN label']), 4)
    assert not (tmp_path / 'run').exists()

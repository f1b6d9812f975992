"""Comparing run folders."""

import json

import numpy as np

from gluon_cbam.weights.files import read_arrays


def newest(folder, ending='.params'):
    """The newest state's file."""
    return sorted((folder / 'checkpoints').glob(f'newest-*{ending}'))[-1]


def state(folder):
    """The arrays of the newest state: parameters and all else, with the files of sharded arrays."""
    stem = newest(folder).with_suffix('').name
    tables = (folder / 'checkpoints').glob(f'{stem}.*.npy')
    arrays = {
        name: array.asnumpy()
        for ending in ('.params', '.states')
        for name, array in read_arrays(newest(folder, ending)).items()
    }
    for path in tables:
        arrays[f'table/{path.name[len(stem) + 1 : -4]}'] = np.load(path, allow_pickle=False)
    return arrays


def metrics(folder):
    """The records of ``metrics.jsonl``, without times."""
    return [
        {name: value for name, value in json.loads(line).items() if 'second' not in name and name != 'data_wait'}
        for line in (folder / 'metrics.jsonl').read_text().splitlines()
    ]


def assert_same_run(folder, unbroken):
    """Every bit that a run leaves is that of an unbroken one."""
    mine, expected = state(folder), state(unbroken)
    assert set(mine) == set(expected)
    for name, value in mine.items():
        assert np.array_equal(value, expected[name]), name
    assert metrics(folder) == metrics(unbroken)
    best, its = (json.loads((each / 'checkpoints' / 'best.json').read_text()) for each in (folder, unbroken))
    assert best == its

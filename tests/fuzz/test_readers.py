"""Damaged and hostile files of every kind: read, or refused in one line with the file, in bounded memory and time.

The damage is drawn from a seed and the same in each run; ``Random(f'{reader} {case}')`` gives a case again.
"""

from importlib.util import find_spec

import pytest
from fuzz.harness import Fuzzing
from PIL import features

pytestmark = pytest.mark.slow

CASES = 120  # of each reader
MOST_BYTES = 1 << 30
EMPTY = 'the list is empty'  # no damage, but a mistake in a command
# without importing the table, which needs mxnet in this process
NAMES = [
    'pth zip', 'pth legacy', 'params', 'npz', 'safetensors', 'rec', 'idx', 'lst', 'labels', 'classes', 'tar', 'tar gz',
    'tar bz2', 'jpg', 'png', 'bmp', 'card', 'registry', 'config', 'metrics', 'state card', 'state arrays', 'symbol',
    'onnx', 'archive', 'turned jpg', 'animated png', 'gif', 'webp', 'lossless webp', 'tiff', 'deep tiff', 'avif',
    'pairs of Python 2', 'pairs of protocol 0', 'pairs of protocol 2', 'pairs of protocol 4', 'pairs npz', 'pairs txt',
    'pairs csv', 'faces', 'property', 'boxes coco', 'boxes voc', 'boxes yaml', 'boxes yolo', 'boxes csv', 'boxes rec',
    'boxes lst',
    'coco results', 'images idx', 'images idx gz', 'labels idx', 'cifar binary', 'cifar names', 'cifar of Python 2',
    'cifar of protocol 4', 'cifar meta', 'svhn',
]  # fmt: skip


@pytest.fixture(scope='module')
def fuzzing(tmp_path_factory):
    process = Fuzzing(tmp_path_factory.mktemp('fuzzing'))
    yield process
    process.close()


@pytest.mark.parametrize('name', NAMES)
def test_damaged_files(name, fuzzing, record_property):
    if name == 'safetensors' and find_spec('safetensors') is None:
        pytest.skip('safetensors is not installed')
    if name == 'avif' and 'avif' not in features.get_supported_modules():
        pytest.skip('the installed Pillow has no AVIF')
    outcomes = fuzzing.run(name, CASES)
    seconds, largest = sum(each.seconds for each in outcomes), max(each.bytes for each in outcomes)
    record_property('figures', f'{len(outcomes)} cases, {seconds:.1f} s, {largest >> 20} MiB')
    print(f'{name}: {len(outcomes)} cases, {seconds:.1f} s of CPU, at most {largest >> 20} MiB')
    faults = [(each, fault(each)) for each in outcomes]
    lines = [f'case {each.case}: {text}: {each.error}: {each.message[:300]}' for each, text in faults if text]
    assert not lines, '\n'.join(lines)
    assert len(outcomes) == CASES
    assert any(each.error for each in outcomes) or name == 'metrics'


def test_every_reader_is_run():
    from fuzz.readers import READERS

    assert sorted(READERS) == sorted(NAMES)


def fault(outcome):
    """What is wrong with what came of a case, or None."""
    error, message = outcome.error, outcome.message
    faults = {
        f'the process ended ({outcome.code})': error == 'ended',
        f'{outcome.bytes >> 20} MiB': outcome.bytes > MOST_BYTES,
        f'an error of exit code {outcome.code}': error and outcome.code != 4 and not message.endswith(EMPTY),
        'a message without the file': error and outcome.file.split('.')[0] not in message,
        'a message of several lines': '\n' in message,
        f'a message of {len(message)} characters': len(message) > 2000,
    }
    return next((text for text, found in faults.items() if found), None)

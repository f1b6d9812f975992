"""Every command that writes on a disk that is too small: exit code 5, one line with the path, and no part of a file."""

from pathlib import Path

import checks
import cv2
import numpy as np
import pytest
from full_disk import small_disk

from gluon_cbam import zoo
from gluon_cbam.data.preparation.packing import pack

TINY = '--network cbamnet_tiny --pretrained'
WEIGHTS = Path(zoo.__file__).parent / 'files' / 'cbamnet_tiny.digits.params'


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    """A folder of class folders."""
    folder, random = tmp_path_factory.mktemp('pictures'), np.random.RandomState(0)
    for name in ('a', 'b'):
        (folder / name).mkdir()
        for number in range(20):
            pixels = random.randint(0, 255, (64, 64, 3), np.uint8)
            assert cv2.imwrite(str(folder / name / f'{number}.png'), pixels)
    return folder


@pytest.fixture(scope='module')
def records(pictures, tmp_path_factory):
    """A set of faces: the pictures in records, of two identities."""
    folder = tmp_path_factory.mktemp('records')
    pack(pictures, folder)
    return folder


@pytest.mark.parametrize(
    ('size', 'file', 'command'),
    [
        ('64k', 'd/train.rec', 'data digits DISK/d'),
        ('64k', 'p/train.rec', 'data pack PICTURES DISK/p'),
        ('64k', 'm/train.rec', 'data merge RECORDS DISK/m'),
        ('64k', 's/train.rec', 'data select RECORDS DISK/s --shuffle'),
        ('64k', 'own.bin', 'data pairs RECORDS DISK/own.bin --pairs 10 --folds 2'),
        ('64k', 'own.npz', 'data pairs RECORDS DISK/own.npz --pairs 10 --folds 2'),
        ('4k', 'o.jsonl', f'predict PICTURES/a PICTURES/b {TINY} --top-k 10 --output DISK/o.jsonl'),
        ('16k', 'e/0.png', f'explain PICTURES/a/0.png {TINY} --output DISK/e'),
        ('64k', 'k.npz', f'convert {WEIGHTS} DISK/k.npz --reverse --network cbamnet_tiny --classes 10 --source keras'),
        ('64k', 'x-0000.params', f'export {TINY} --format symbol --output DISK/x'),
    ],
)
def test_nothing_is_left(size, file, command, pictures, records, cbam_here, tmp_path):
    with small_disk(tmp_path / 'disk', size) as disk:
        words = command.replace('DISK', str(disk)).replace('PICTURES', str(pictures))
        words = words.replace('RECORDS', str(records)).split()
        line = checks.assert_one_line(cbam_here(*words), 5)
        assert line.startswith(f'cbam: {disk / file} was not written: No space left on device'), line
        assert [path for path in disk.rglob('*') if not path.is_dir()] == []


def test_a_training_continues_from_its_newest_state(digits, cbam_here, tmp_path):
    data = ('--data-train', digits / 'val.rec', '--network', 'cbamnet_tiny', '--image-size', 8, '--batch-size', 90)
    with small_disk(tmp_path / 'disk', '700k') as disk:
        run = disk / 'run'
        ended = cbam_here('train', *data, '--epochs', 3, '--output', run)
        assert ended.returncode == 5, ended.stderr
        line = ended.stderr.splitlines()[-1]
        assert 'epoch0002-step00000008.states was not written: No space left on device' in line
        newest = run / 'checkpoints' / 'newest-epoch0001-step00000004.params'
        assert line.endswith(f'; {newest} is whole: continue with --resume {run}')
        assert {path.name for path in newest.parent.iterdir()} == {
            newest.with_suffix(ending).name for ending in ('.json', '.params', '.states')
        }
        resumed = cbam_here('train', *data, '--epochs', 3, '--output', run, '--resume', 'auto')
        assert 'continues at epoch 2, step 4' in (run / 'train.log').read_text(), resumed.stderr

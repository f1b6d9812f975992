"""Commands refuse to write over files; ``--force`` overwrites them, and leaves nothing of what was there."""

import cv2
import numpy as np
import pytest
from checks import assert_one_line

TINY = ('--network', 'cbamnet_tiny', '--pretrained')


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@pytest.fixture
def images(tmp_path):
    """Two classes of two images, of which each differs."""
    folder = tmp_path / 'images'
    for number in range(4):
        path = folder / 'ab'[number % 2] / f'{number}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((20, 20, 3), 50 * number, np.uint8))
    return folder


@pytest.fixture
def params(tmp_path):
    """Parameters of the smallest network under the names of Keras."""
    from gluon_cbam import get_model
    from gluon_cbam.convert.files import write_source

    return write_source(get_model('cbamnet_tiny', pretrained=True), tmp_path / 'keras.npz', 'keras')[0]


def test_what_exists_is_kept(cbam_here, images, params, tmp_path):
    """For each command: the first run writes, the second names a file and changes none, the third overwrites."""
    out = tmp_path / 'out'
    out.mkdir()
    picture = images / 'a' / '0.png'
    for named, *command in [
        ('digits/train.rec', 'data', 'digits', out / 'digits'),
        ('shapes/train.rec', 'data', 'shapes', out / 'shapes', '--size', 32, '--train', 8, '--val', 8),
        ('x_train.lst', 'data', 'list', images, out / 'x', '--val-ratio', 0.5),
        ('rec/train.rec', 'data', 'pack', images, out / 'rec', '-j', 1),
        ('merged/train.rec', 'data', 'merge', out / 'rec', out / 'merged', '-j', 1),
        ('part/train.rec', 'data', 'select', out / 'rec', out / 'part', '--val-identities', 1),
        ('own.bin', 'data', 'pairs', out / 'rec', out / 'own.bin', '--pairs', 1, '--folds', 1),
        ('x.onnx', 'export', *TINY, '-o', out / 'x.onnx'),
        ('x-symbol.json', 'export', *TINY, '--format', 'symbol', '-o', out / 'x'),
        (
            'x.params',
            'convert',
            params,
            out / 'x.params',
            '--network',
            'cbamnet_tiny',
            '--source',
            'keras',
            '--classes',
            10,
        ),
        (
            'x.npz',
            'convert',
            out / 'x.params',
            out / 'x.npz',
            '--network',
            'cbamnet_tiny',
            '--source',
            'keras',
            '--reverse',
        ),
        ('maps/0.png', 'explain', picture, *TINY, '--output', out / 'maps'),
        ('both/comparison.png', 'explain', picture, '--compare', 'cbamnet_tiny', '--output', out / 'both'),
    ]:
        done = cbam_here(*command)
        assert done.returncode == 0, done.stderr
        path = out / named
        original = path.read_bytes()
        path.write_bytes(b'mine')
        before = files(tmp_path)
        line = assert_one_line(cbam_here(*command), 2)
        assert f'{path} exists' in line and '--force' in line
        assert files(tmp_path) == before
        done = cbam_here(*command, '--force')
        assert done.returncode == 0, done.stderr
        assert path.read_bytes() == original


def test_masks_of_other_records_do_not_stay(cbam_here, tmp_path):
    shapes = ('data', 'shapes', tmp_path, '--size', 32, '--train', 8, '--val', 8)
    assert cbam_here(*shapes).returncode == 0
    assert (tmp_path / 'val.masks.npz').exists()
    assert f'{tmp_path}/train.rec exists' in assert_one_line(cbam_here('data', 'digits', tmp_path), 2)
    assert cbam_here('data', 'digits', tmp_path, '--force').returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'classes.txt', 'train.idx', 'train.rec', 'val.idx', 'val.rec',
    ]  # fmt: skip


def test_masks_go_when_records_are_packed(cbam_here, images, tmp_path):
    out = tmp_path / 'out'
    assert cbam_here('data', 'pack', images, out, '-j', 1).returncode == 0
    (out / 'train.masks.npz').write_bytes(b'of other records')
    assert cbam_here('data', 'pack', images, out, '-j', 1, '--force').returncode == 0
    assert not (out / 'train.masks.npz').exists()

"""The commands on pictures with masks: pack, list, check, stats, draw, and what they refuse."""

import json

import cv2
import mask_files
import numpy as np
import pytest
from checks import assert_one_line


@pytest.fixture
def source(tmp_path):
    return mask_files.folders(tmp_path / 'set')


@pytest.fixture
def packed(source, tmp_path, cbam_here):
    assert cbam_here('data', 'pack', source, tmp_path / 'rec', '--masks').returncode == 0
    return tmp_path / 'rec' / 'train.rec'


def value_of(process):
    assert process.returncode in (0, 4), process.stderr
    return json.loads(process.stdout)


def test_pack_and_check(source, packed, cbam_here):
    process = cbam_here('data', 'check', packed)
    assert process.returncode == 0, process.stderr
    assert 'train: 3 pictures: ok' in process.stdout and 'not for classification' not in process.stdout
    value = value_of(cbam_here('data', 'check', source, '--masks', '--json'))
    assert (value['ok'], value['masks'][0]['format']) == (True, 'folders')


@pytest.mark.parametrize(
    ('spoil', 'kind', 'reason'),
    [
        (lambda root: (root / 'masks' / 'b.png').unlink(), 'missing', 'there is no such mask'),
        (lambda root: (root / 'images' / 'b.jpg').unlink(), 'missing', 'there is no picture of this name'),
        (
            lambda root: mask_files.gray(root / 'masks' / 'b.png', np.zeros((20, 30), np.uint8)),
            'size',
            '30 x 20 pixels',
        ),
        (lambda root: mask_files.gray(root / 'masks' / 'b.png', np.full((24, 24), 9, np.uint8)), 'class', 'values 9'),
        (lambda root: (root / 'masks' / 'b.png').write_bytes(b'PNG'), 'mask', 'must be a PNG'),
        (lambda root: (root / 'images' / 'b.jpg').write_bytes(b'JPG'), 'picture', 'no JPEG'),
    ],
)
def test_faults_are_named_and_refused(source, tmp_path, cbam_here, spoil, kind, reason):
    (source / 'classes.txt').write_text('one\ntwo\nthree\n')
    spoil(source)
    checked = cbam_here('data', 'check', source, '--masks', '--json')
    assert checked.returncode == 4
    fault = json.loads(checked.stdout)['masks'][0]['parts'][0]['faults'][kind]
    assert fault['count'] == 1 and reason in fault['first'][0]['reason'] and 'b.' in fault['first'][0]['where']
    process = cbam_here('data', 'pack', source, tmp_path / 'rec', '--masks')
    assert reason in process.stderr
    assert_one_line(process, 4)
    assert not (tmp_path / 'rec').exists()
    value = value_of(cbam_here('data', 'pack', source, tmp_path / 'rec', '--masks', '--skip-bad', '--json'))
    assert value['files'][0]['records'] == 2


def test_stats(packed, cbam_here):
    value = value_of(cbam_here('data', 'stats', packed, '--json'))['parts']['train']
    masks = np.concatenate([mask_files.mask_of(name).ravel() for name in mask_files.SIZES])
    assert value['ignored'] == pytest.approx((masks == 255).mean())
    assert [row['pixels'] for row in value['classes']] == [int((masks == number).sum()) for number in range(3)]
    assert [row['pictures'] for row in value['classes']] == [3, 3, 3]


def test_draw_and_list(source, packed, tmp_path, cbam_here):
    value = value_of(cbam_here('data', 'draw', packed, tmp_path / 'drawn', '--count', '2', '--side', '200', '--json'))
    sizes = [cv2.imread(entry['file']).shape for entry in value['drawn']]
    assert len(sizes) == 2 and all(max(shape) >= 200 for shape in sizes)
    value = value_of(cbam_here('data', 'list', source, source / 'all.lst', '--masks', '--val-ratio', '0.4', '--json'))
    assert [each['images'] for each in value['lists']] == [2, 1]


def test_what_is_refused(source, packed, tmp_path, cbam_here):
    for arguments, reason in (
        (('pack', source, tmp_path / 'x', '--masks', '--labels', 'f'), 'leave out --labels'),
        (('pack', source, tmp_path / 'x', '--masks', '--format', 'yolo'), 'has no masks'),
        (('pack', source, tmp_path / 'x', '--format', 'folders'), 'give --masks'),
        (('shapes', tmp_path / 'x', '--masks', '--boxes'), 'exclude each other'),
        (('stats', packed, '--anchors', '3'), 'leave out --anchors'),
    ):
        process = cbam_here('data', *arguments)
        assert reason in process.stderr, process.stderr
        assert_one_line(process, 2)


def test_shapes(tmp_path, cbam_here):
    options = ('--masks', '--train', '3', '--val', '2', '--size', '64', '--classes', '2')
    assert value_of(cbam_here('data', 'shapes', tmp_path, *options, '--json'))['records'] == {
        'train.rec': 3,
        'val.rec': 2,
    }
    assert value_of(cbam_here('data', 'check', tmp_path / 'train.rec', '--json'))['ok']

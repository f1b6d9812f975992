"""The set of trees, from a wheel that the test makes: splits by picture, hashes, and every kind of source."""

import hashlib
import zipfile

import cv2
import pytest
from checks import assert_one_line
from records import encoded, photo

from gluon_cbam.data.boxes.formats import read_boxes
from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.datasets import trees

WHEEL = f'{trees.PACKAGE}-{trees.VERSION}-py3-none-any.whl'


def xml(*boxes):
    objects = ''.join(
        f'<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox>'
        '</object>'
        for name, a, b, c, d in boxes
    )
    return f'<annotation>{objects}</annotation>'.encode()


CONTENT = {
    'north': ('train', photo(100, 150, 1), xml(('Tree', 1, 1, 50, 50), ('Dead', 90, 10, 100, 20))),
    'south': ('val', photo(100, 100, 2), xml(('Tree', 91, 91, 120, 100))),
}


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel like the real one, whose files the table knows."""
    path = tmp_path / 'wheels' / WHEEL
    path.parent.mkdir()
    pictures = []
    with zipfile.ZipFile(path, 'w') as archive:
        for name, (split, pixels, content) in CONTENT.items():
            png = encoded(pixels, '.png')
            archive.writestr(f'deepforest/data/{name}.png', png)
            archive.writestr(f'deepforest/data/{name}.xml', content)
            digests = [hashlib.sha256(each).hexdigest() for each in (png, content)]
            pictures.append(trees.Picture(name, split, *digests))
        info = f'{trees.PACKAGE}-{trees.VERSION}.dist-info'
        archive.writestr(
            f'{info}/METADATA', f'Metadata-Version: 2.1\nName: {trees.PACKAGE}\nVersion: {trees.VERSION}\n'
        )
        archive.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
        archive.writestr(f'{info}/RECORD', '')
    monkeypatch.setattr(trees, 'PICTURES', tuple(pictures))
    monkeypatch.setattr(trees, 'WHEEL_SHA256', hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def check(folder):
    train, val = BoxRecords(folder / 'train.rec'), BoxRecords(folder / 'val.rec')
    assert (len(train), len(val), train.names.names) == (2 * 3, 4, ['Tree'])
    names = {split: read_boxes(folder / f'{split}.rec').parts[0].columns.names for split in ('train', 'val')}
    assert all(name.startswith('north_') for name in names['train'])
    assert all(name.startswith('south_') for name in names['val'])
    # tiles of 60 pixels begin at 0 and 40, and at 0, 45 and 90
    assert [train.boxes_of(number).corners.tolist() for number in range(3)] == [
        [[0, 0, 50, 50]], [[0, 0, 5, 50], [44, 9, 55, 20]], [[0, 9, 10, 20]],
    ]  # fmt: skip
    assert train.boxes_of(1).difficult.tolist() == [True, False]
    assert val.boxes_of(3).corners.tolist() == [[50, 50, 60, 60]]  # a third of it
    assert val.boxes_of(3).difficult.tolist() == [True]
    text = (folder / 'SOURCE.txt').read_text()
    assert 'Permission is hereby granted' in text
    assert 'deepforest 2.1.0' in text
    assert 'val: south.png' in text


@pytest.mark.parametrize('kind', ['wheel', 'folder of the wheel', 'installed', 'files'])
def test_sources(wheel, tmp_path, kind, cbam_here):
    source = wheel if kind == 'wheel' else wheel.parent
    if kind in ('installed', 'files'):
        source = tmp_path / 'unpacked'
        zipfile.ZipFile(wheel).extractall(source)
        source = source / ('deepforest/data' if kind == 'files' else '')
    process = cbam_here('data', 'trees', tmp_path / 'out', '--source', source, '--tile', 60)
    assert process.returncode == 0, process.stderr
    check(tmp_path / 'out')


def test_download_with_the_settings_of_pip(wheel, tmp_path, cbam_here, monkeypatch):
    monkeypatch.setenv('PIP_NO_INDEX', '1')
    monkeypatch.setenv('PIP_FIND_LINKS', str(wheel.parent))
    assert cbam_here('data', 'trees', tmp_path / 'out', '--tile', 60).returncode == 0
    check(tmp_path / 'out')
    monkeypatch.setattr(trees, 'WHEEL_SHA256', '0' * 64)
    line = assert_one_line(cbam_here('data', 'trees', tmp_path / 'other'), 4)
    assert 'deepforest 2.1.0 is not the published file' in line
    monkeypatch.setenv('PIP_FIND_LINKS', str(tmp_path))
    assert 'deepforest 2.1.0 cannot be downloaded' in assert_one_line(cbam_here('data', 'trees', tmp_path / 'other'), 5)
    assert not (tmp_path / 'other').exists()


def test_other_files_are_refused(wheel, tmp_path, cbam_here):
    folder = tmp_path / 'files'
    zipfile.ZipFile(wheel).extractall(folder)
    path = folder / 'deepforest' / 'data' / 'south.xml'
    path.write_bytes(path.read_bytes() + b'\n')
    line = assert_one_line(cbam_here('data', 'trees', tmp_path / 'out', '--source', folder), 4)
    assert 'south.xml is not that of deepforest 2.1.0: its SHA-256 is ' in line
    path.unlink()
    line = assert_one_line(cbam_here('data', 'trees', tmp_path / 'out', '--source', folder), 4)
    assert 'south.xml is missing' in line
    wheel.write_bytes(wheel.read_bytes()[:500])
    line = assert_one_line(cbam_here('data', 'trees', tmp_path / 'out', '--source', wheel), 4)
    assert 'no wheel of deepforest 2.1.0' in line
    assert not (tmp_path / 'out').exists()


def test_the_tables_name_each_picture_once():
    assert len({picture.name for picture in trees.PICTURES}) == 4
    assert {picture.split for picture in trees.PICTURES} == {'train', 'val'}
    assert all(len(digest) == 64 for picture in trees.PICTURES for digest in (picture.png, picture.xml))


def test_tiles_are_the_pixels_of_the_pictures(wheel, tmp_path):
    trees.write_trees(wheel, tmp_path / 'out', tile=60)
    from gluon_cbam.data.records.images import decode_record

    records = BoxRecords(tmp_path / 'out' / 'train.rec')
    pixels = decode_record(records.records, 2)
    assert (pixels == cv2.cvtColor(CONTENT['north'][1], cv2.COLOR_BGR2RGB)[:60, 90:]).all()

"""``cbam data``: JSON, text and exit codes."""

import json
import shutil
import struct
import tarfile

import pytest
from checks import assert_one_line


@pytest.fixture
def copies(digits, tmp_path):
    for path in digits.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path


def test_check(copies, cbam):
    files = [copies / 'train.rec', copies / 'val.rec']
    process = cbam('data', 'check', *files, '--classes', 10)
    assert process.returncode == 0, process.stderr
    assert 'train.rec: 1437 records, 238764 bytes: ok' in process.stdout
    assert process.stdout.endswith('no image occurs twice\n')
    with open(files[1], 'r+b') as file:
        file.write(b'\0')
    process = cbam('data', 'check', *files, '--no-decode', '--json')
    assert process.returncode == 4
    value = json.loads(process.stdout)
    assert (value['ok'], value['decoded'], value['duplicates']) == (False, False, None)
    assert [report['faults'] for report in value['files']] == [{}, {'structure': 1, 'index': 1}]
    assert value['files'][1]['first'][0]['offset'] == 0
    process = cbam('data', 'check', *files)
    assert process.returncode == 4
    assert '  structure: record 0 at offset 0: no record begins here' in process.stdout
    assert 'belong to no whole record; 1 records of the index are missing' in process.stdout
    assert_one_line(cbam('data', 'check', copies / 'none.rec'), 2)


def test_check_finds_duplicates_across_files(copies, cbam):
    shutil.copy(copies / 'val.rec', copies / 'again.rec')
    shutil.copy(copies / 'val.idx', copies / 'again.idx')
    arguments = ['data', 'check', copies / 'val.rec', copies / 'again.rec']
    process = cbam(*arguments)
    assert process.returncode == 0
    assert 'warning: 360 images repeat an earlier one (360 different ones, 360 of them in several' in process.stdout
    process = cbam(*arguments, '--strict', '--json')
    assert process.returncode == 4
    assert json.loads(process.stdout)['duplicates']['across'] == 360


def test_index_of_a_damaged_file(copies, cbam):
    path = copies / 'val.rec'
    offset = int((copies / 'val.idx').read_text().splitlines()[100].split('\t')[1])
    with open(path, 'r+b') as file:
        file.seek(offset + 4)
        file.write(struct.pack('<I', 0x1FFFFFFF))
    before = (copies / 'val.idx').read_bytes()
    line = assert_one_line(cbam('data', 'index', path), 4)
    assert f'val.rec: record 100 at offset {offset}: truncated' in line
    assert (copies / 'val.idx').read_bytes() == before
    value = json.loads(cbam('data', 'index', path, '--skip-bad', '--json').stdout)
    assert (value['records'], [fault['offset'] for fault in value['faults']]) == (359, [offset])
    lines = (copies / 'val.idx').read_text().splitlines()
    assert [line.split('\t')[1] for line in lines] == [
        line.split('\t')[1] for number, line in enumerate(before.decode().splitlines()) if number != 100
    ]


def test_stats(copies, cbam):
    value = json.loads(cbam('data', 'stats', copies / 'val.rec', '--sample', 50, '--json').stdout)
    assert (value['records'], value['images'], value['formats']) == (360, 50, {'PNG': 50})
    text = cbam('data', 'stats', copies / 'val.rec').stdout
    assert 'classes: 10, 35 / 36 / 37 (min / median / max) images each, 0 empty' in text
    assert 'width: 8 / 8 / 8 (min / median / max) pixels' in text


def test_list_and_pack(folders, tmp_path, cbam):
    root, _ = folders
    with tarfile.open(tmp_path / 'images.tar', 'w') as tar:
        tar.add(root, '.')
    process = cbam('data', 'list', tmp_path / 'images.tar', tmp_path / 'x', '--val-ratio', 0.5, '--seed', 1, '--json')
    assert [part['images'] for part in json.loads(process.stdout)['lists']] == [3, 3]
    process = cbam(
        'data', 'pack', tmp_path / 'x_val.lst', tmp_path / 'out', '--root', tmp_path / 'images.tar', '--json'
    )
    assert [part['records'] for part in json.loads(process.stdout)['files']] == [3]
    (tmp_path / 'images.tar').write_bytes((tmp_path / 'images.tar').read_bytes()[:2048])
    line = assert_one_line(cbam('data', 'pack', tmp_path / 'images.tar', tmp_path / 'out'), 4)
    assert 'images.tar: a damaged tar file' in line

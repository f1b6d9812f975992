"""Every command on one folder of files whose names break lines, terminals, encodings and spreadsheets."""

import csv
import io
import json
import os
import shutil
from pathlib import Path

import pytest

SEVEN = Path(__file__).parent.parent / 'data' / 'seven.png'
TINY = ('--network', 'cbamnet_tiny', '--pretrained')
NAMES = [
    'new\nline.png', '\x1b[31mred.png', os.fsdecode(b'caf\xe9.png'), '=1+1.png', '-dash.png', '\u202egpj.png',
    'ü 猫.png', "a'b\"c.png", 'tab\tx.png', '\r.png', '<b>&.png', '\x9b2J.png',
]  # fmt: skip
ODD = f'odd\n\x1b[2J{os.fsdecode(bytes([0xE9]))}'


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """Two classes, with a picture of each name in one, and files that are left out."""
    root = tmp_path_factory.mktemp('names') / 'images'
    for folder in ('a', 'b', '.hidden\n\x1b'):
        (root / folder).mkdir(parents=True)
    shutil.copy(SEVEN, root / 'b' / 'x.png')
    for name in NAMES:
        shutil.copy(SEVEN, root / 'a' / name)
    (root / 'a' / 'no\npicture\x1b.txt').write_text('')
    (root / 'beside\n\x1b.png').write_bytes(b'')
    return root


@pytest.fixture
def clean(cbam_here):
    """Runs a command -> its process; what it prints is encodable lines without control characters."""

    def run(*arguments, code=0):
        process = cbam_here(*arguments)
        assert process.returncode == code, process.stderr
        for text in (process.stdout, process.stderr):
            text.encode('utf-8')
            assert all(line.isprintable() for line in text.split('\n')), text
        return process

    return run


def test_pack_and_list(source, tmp_path, clean):
    process = clean('data', 'pack', source, tmp_path / 'rec')
    assert f'{len(NAMES) + 1} records' in process.stdout
    assert len(process.stdout.splitlines()) == 4  # the file, and what is left out
    value = json.loads(clean('data', 'pack', source, tmp_path / ODD, '--json').stdout)
    assert value['left_out']['beside_classes']['first'] == 'beside\n\x1b.png'
    assert value['files'][0]['file'] == str(tmp_path / ODD / 'train.rec')
    line = clean('data', 'list', source, tmp_path / 'x', code=4).stderr
    assert 'cannot be a line of a list' in line and len(line.splitlines()) == 1
    (tmp_path / 'bad').mkdir()
    (tmp_path / 'bad' / 'c').mkdir()
    (tmp_path / 'bad' / 'c' / 'a\n\x1b.png').write_bytes(b'')
    line = clean('data', 'pack', tmp_path / 'bad', tmp_path / 'rec2', code=4).stderr
    assert r'bad/c/a\n\x1b.png (the image is empty)' in line and len(line.splitlines()) == 1
    for arguments in (['data', 'check'], ['data', 'stats'], ['data', 'index']):
        assert r'odd\n\x1b[2J\udce9/train.' in clean(*arguments, tmp_path / ODD / 'train.rec').stdout.splitlines()[0]


def test_predict(source, tmp_path, clean):
    folder = source / 'a'
    lines = clean('predict', folder, *TINY, '--top-k', 1).stdout.splitlines()
    assert len(lines) == len(NAMES) and all(line.endswith(' 0.9999') for line in lines)
    assert f'{folder}/new\\nline.png: 7 0.9999' in lines
    text = clean('predict', folder, *TINY, '--csv', '-').stdout
    assert len(text.splitlines()) == len(list(csv.reader(io.StringIO(text)))) == len(NAMES) + 1
    expected = sorted(str(folder / name) for name in NAMES)
    for option, read in (('--jsonl', lambda text: map(json.loads, text.splitlines())),
                         ('--json', lambda text: json.loads(text)['images'])):  # fmt: skip
        arguments = [option, '-'] if option == '--jsonl' else [option]
        found = [entry['file'] for entry in read(clean('predict', folder, *TINY, *arguments).stdout)]
        assert sorted(found) == expected
    output = tmp_path / f'{ODD}.csv'
    assert clean('predict', folder, *TINY, '--output', output).stdout.count('\n') == 1
    assert len(output.read_text().splitlines()) == len(NAMES) + 1


def test_formulas(source, clean, monkeypatch):
    monkeypatch.chdir(source / 'a')
    rows = list(csv.reader(io.StringIO(clean('predict', '=1+1.png', *TINY, '--csv', '-').stdout)))
    assert rows[1][0] == "'=1+1.png"


def test_explain(source, tmp_path, clean):
    arguments = ['explain', source / 'a', *TINY, '--channels', 1, '--output', tmp_path / 'out', '--report']
    process = clean(*arguments)
    assert len(process.stdout.splitlines()) == len(NAMES) + 1
    report = (tmp_path / 'out' / 'report.html').read_text(encoding='utf-8')
    assert r'new\nline.png' in report and r'caf\udce9.png' in report and '<b>&.png' not in report
    assert '\x1b' not in report and '\u202e' not in report
    assert len(list((tmp_path / 'out').glob('*.png'))) == len(NAMES)


@pytest.mark.parametrize(
    ('arguments', 'code'),
    [
        (['validate', *TINY, '--data-val', ODD], 2),
        (['validate', '--network', ODD, '--pretrained', '--data-val', 'x.rec'], 2),
        (['predict', ODD, *TINY], 2),
        (['predict', SEVEN, '--network', 'cbamnet_tiny', '--params', ODD], 2),
        (['data', 'pack', ODD, 'x'], 2),
        (['data', 'check', ODD], 2),
        (['explain', ODD, *TINY], 2),
        (['train', '--network', 'cbamnet_tiny', '--data-train', ODD, '--output', 'x'], 2),
        ([ODD], 2),
        (['models', 'info', ODD], 2),
        (['zoo', 'info', ODD], 2),
        (['convert', ODD, 'x.params', '--network', 'cbamnet_tiny', '--source', 'keras'], 2),
    ],
)
def test_errors(arguments, code, clean, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    process = clean(*arguments, code=code)
    assert process.stdout == ''
    assert r'odd\n\x1b[2J\udce9' in process.stderr
    assert len(process.stderr.splitlines()) <= 2

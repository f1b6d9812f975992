"""Written predictions can be read again, with every image."""

import csv
import io
import json
import os
import sys
from typing import List

import pytest

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.sources.left_out import LeftOut
from gluon_cbam.inference.formats import FORMATS, STANDARD_OUTPUT, Json, Tally, format_of, written
from gluon_cbam.tasks.classification.prediction import ClassPrediction, ClassScore, columns

SCORES = [ClassScore(7, 'crane, "the bird"', 0.75), ClassScore(3, 'Käse', 0.25)]
PREDICTIONS = [
    ClassPrediction('a, b.jpg', None, SCORES),
    ClassPrediction('bad.jpg', None, (), 'a damaged image (3 bytes)'),
    ClassPrediction('clip.mp4', 12, SCORES[:1]),
    ClassPrediction(os.fsdecode(b'caf\xe9.png'), None, SCORES),
]
GOOD = [prediction for prediction in PREDICTIONS if prediction.error is None]


def as_bytes(ending, path, predictions=PREDICTIONS):
    with written(path / f'out{ending}', format_of(f'OUT{ending.upper()}'), columns(2)) as writer:
        for prediction in predictions:
            writer.add(prediction)
    return (path / f'out{ending}').read_bytes()


def dictionary(prediction):
    """A prediction as the interface has it."""
    value = {'file': prediction.file}
    if prediction.number is not None:
        value['number'] = prediction.number
    if prediction.error:
        return {**value, 'error': prediction.error}
    return {**value, 'top': [{'class': index, 'label': label, 'probability': p} for index, label, p in prediction.top]}


def test_json(tmp_path):
    value = json.loads(as_bytes('.json', tmp_path))
    assert value == {'images': list(map(dictionary, GOOD)), 'failed': [dictionary(PREDICTIONS[1])]}
    assert json.loads(as_bytes('.json', tmp_path, [])) == {'images': [], 'failed': []}
    bad = [PREDICTIONS[1]] * 2
    assert json.loads(as_bytes('.json', tmp_path, bad)) == {'images': [], 'failed': list(map(dictionary, bad))}


def test_json_lines(tmp_path):
    lines = as_bytes('.jsonl', tmp_path).splitlines()
    assert [json.loads(line) for line in lines] == list(map(dictionary, PREDICTIONS))


def test_csv(tmp_path):
    rows = list(csv.DictReader(io.StringIO(as_bytes('.csv', tmp_path).decode())))
    assert [row['file'] for row in rows] == ['a, b.jpg', 'bad.jpg', 'clip.mp4', r'caf\udce9.png']
    assert [row['number'] for row in rows] == ['', '', '12', '']
    assert [row['error'] for row in rows] == ['', PREDICTIONS[1].error, '', '']
    assert (rows[0]['label_1'], float(rows[0]['probability_2']), rows[0]['class_2']) == ('crane, "the bird"', 0.25, '3')
    assert rows[1]['class_1'] == rows[2]['class_2'] == ''
    assert all(None not in row and None not in row.values() for row in rows)


def test_text(tmp_path):
    lines = as_bytes('.txt', tmp_path).splitlines()
    assert lines[0].decode() == 'a, b.jpg: crane, "the bird" 0.7500, Käse 0.2500'
    assert [line.partition(b':')[0] for line in lines] == [b'a, b.jpg', b'clip.mp4#12', rb'caf\udce9.png']


def test_names_that_break_lines_terminals_and_spreadsheets(tmp_path):
    """Text and CSV have a line for each image, and no cell that is a formula; JSON has the names as they are."""
    names = ['a\nb.png', '\x1b[31mred.png', '=1+1.png', '+1.png', '-1.png', '@A1.png', '\t=1.png', '\r=1.png']
    scores = [ClassScore(0, '=cmd|x', 0.5), ClassScore(1, 'a\nb', -0.5)]
    predictions = [ClassPrediction(name, None, scores) for name in names]
    lines = as_bytes('.txt', tmp_path, predictions).decode().split('\n')
    assert lines[0] == r'a\nb.png: =cmd|x 0.5000, a\nb -0.5000'
    assert lines[1].startswith(r'\x1b[31mred.png: ') and len(lines) == len(names) + 1
    rows = list(csv.reader(io.StringIO(as_bytes('.csv', tmp_path, predictions).decode())))[1:]
    assert [row[0] for row in rows] == [
        r'a\nb.png', r'\x1b[31mred.png', "'=1+1.png", "'+1.png", "'-1.png", "'@A1.png", r'\t=1.png', r'\r=1.png',
    ]  # fmt: skip
    assert rows[0][4:9] == ["'=cmd|x", '0.5', '1', r'a\nb', '-0.5']
    for ending in ('.jsonl', '.json'):
        text = as_bytes(ending, tmp_path, predictions).decode()
        values = json.loads(text)['images'] if ending == '.json' else [json.loads(line) for line in text.splitlines()]
        assert [value['file'] for value in values] == names


@pytest.mark.parametrize('ending', FORMATS)
def test_a_file_is_written_atomically(tmp_path, ending):
    path = tmp_path / 'new' / f'out{ending}'
    path.parent.mkdir()
    path.write_text('old')
    with pytest.raises(KeyError), written(path, format_of(path), columns(2)) as writer:
        writer.add(PREDICTIONS[0])
        raise KeyError
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_text() == 'old'


def test_standard_output_is_not_buffered(monkeypatch):
    arrived = io.BytesIO()
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(io.BufferedWriter(arrived)))
    with written(STANDARD_OUTPUT, format_of('x.txt'), columns(2)) as writer:
        writer.add(PREDICTIONS[3])
        assert arrived.getvalue().startswith(rb'caf\udce9.png: ')
    arrived.truncate(0)
    with written(STANDARD_OUTPUT, Json, columns(2)) as writer:
        writer.add(PREDICTIONS[0])
    assert json.loads(arrived.getvalue().strip(b'\0'))['images'] == [dictionary(PREDICTIONS[0])]


def test_json_has_what_is_left_out_where_it_is_known():
    text: List[str] = []
    writer = Json(text.append, columns(2))
    writer.left_out = LeftOut()
    writer.add(PREDICTIONS[0])
    writer.left_out.add('unknown', 'x/a.txt', 2)  # folders are listed while images are predicted
    writer.end()
    found = json.loads(''.join(text))
    assert found.pop('left_out') == {'unknown': {'count': 2, 'first': 'x/a.txt'}}
    assert found == {'images': [dictionary(PREDICTIONS[0])], 'failed': []}


def test_other_endings():
    with pytest.raises(UsageError, match=r"end in .csv, .json, .jsonl, .txt, got 'out.xls'"):
        format_of('out.xls')


def test_the_tally_names_what_could_not_be_read():
    tally = Tally()
    for prediction in GOOD:
        tally.add(prediction)
    tally.check()
    tally.add(PREDICTIONS[1])
    with pytest.raises(DataError, match=r'^1 of 4 images could not be read: bad.jpg: a damaged image \(3 bytes\)$'):
        tally.check()
    tally.add(ClassPrediction('x.rec', 5, (), 'the image is empty'))
    with pytest.raises(DataError, match=r'^2 of 5 images .*: bad.jpg, x.rec#5 \(bad.jpg: a damaged image'):
        tally.check()
    for number in range(1000):
        tally.add(ClassPrediction(f'{number}.png', None, (), 'x'))
    with pytest.raises(DataError, match=r'^1002 of 1005 images .* 9.png, ... \(bad.jpg: '):
        tally.check()

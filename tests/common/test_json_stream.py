"""Long lists in JSON, against json: any cut of the chunks, and every kind of damage."""

import json

import pytest

from gluon_cbam.common import json_stream
from gluon_cbam.common.errors import DataError
from gluon_cbam.common.json_stream import read_list, read_lists

VALUE = {
    'info': {'year': 2017, 'list': [1, 2]},
    'images': [{'id': 1, 'name': 'a "quoted" \\ naïve ☃ 𝄞.jpg'}, {'id': 2, 'name': ''}],
    'count': 12345,
    'unknown': [[1, [2]], 'x', None],
    'annotations': [{'bbox': [1.5, -2e3, 0, 4], 'deep': {'a': [{}]}}] * 3,
    'empty': [],
    'last': -12.5,
}


def collected(path, *names):
    found = {name: [] for name in names}
    counts = read_lists(path, {name: found[name].append for name in names})
    return found, counts


@pytest.mark.parametrize('chunk', [1, 2, 7, 1 << 20])
@pytest.mark.parametrize('indent', [None, 1])
@pytest.mark.parametrize('ascii_only', [True, False])
def test_items_are_those_of_json(tmp_path, monkeypatch, chunk, indent, ascii_only):
    monkeypatch.setattr(json_stream, '_CHUNK', chunk)
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(VALUE, indent=indent, ensure_ascii=ascii_only), encoding='utf-8')
    found, counts = collected(path, 'images', 'annotations', 'empty', 'absent')
    assert found == {'images': VALUE['images'], 'annotations': VALUE['annotations'], 'empty': [], 'absent': []}
    assert counts == {'images': 2, 'annotations': 3, 'empty': 0}


def test_a_byte_order_mark_is_no_part_of_it(tmp_path):
    (tmp_path / 'a.json').write_text('\ufeff{"images": [1]} \n', encoding='utf-8')
    assert collected(tmp_path / 'a.json', 'images') == ({'images': [1]}, {'images': 1})


@pytest.mark.parametrize(
    'text, message',
    [
        ('', 'no JSON object'),
        ('[1]', 'no JSON object'),
        ('{"images": [1, 2', 'not JSON'),
        ('{"images": [{"a": 1}, {"a" 2}]}', r'images\[1\]: not JSON'),
        ('{"images": [1 2]}', r'after images\[0\]'),
        ('{"images": [1,]}', r'images\[1\]'),
        ('{"images": [NaN]}', r'images\[0\]'),
        ('{"images": 3}', 'images is no list'),
        ('{"images": [], "images": []}', "'images' is given twice"),
        ('{"images": []} x', 'follows its end'),
        ('{"images" []}', 'no colon'),
        ('{1: []}', 'named by 1'),
        ('{"images": [' + '[' * 100000 + ']}', 'nested too deeply'),
        ('{"images": ["\xff"]}'.encode('latin-1'), 'UnicodeDecodeError'),
    ],
)
def test_damage(tmp_path, text, message):
    path = tmp_path / 'a.json'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=message):
        collected(path, 'images')


def test_items_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, 'MAX_ITEM', 100)
    monkeypatch.setattr(json_stream, '_CHUNK', 10)
    (tmp_path / 'a.json').write_text(json.dumps({'images': ['x' * 90, 'y' * 1000]}))
    with pytest.raises(DataError, match=r'images\[1\]: not JSON, or longer than 100'):
        collected(tmp_path / 'a.json', 'images')


def test_an_item_that_is_refused_is_named(tmp_path):
    (tmp_path / 'a.json').write_text('{"images": [1, "two"]}')
    with pytest.raises(DataError, match=r'a.json: images\[1\]: .*two'):
        read_lists(tmp_path / 'a.json', {'images': float})


@pytest.mark.parametrize('chunk', [1, 7, 1 << 20])
@pytest.mark.parametrize(
    'text', ['[]', ' [ ] \n', '[1]', '\t[{"a": [1, 2.5]},\n null , "]"]\r\n', '[[],[[]],true,-1e-3]']
)
def test_a_list_has_the_items_of_json(tmp_path, monkeypatch, text, chunk):
    monkeypatch.setattr(json_stream, '_CHUNK', chunk)
    (tmp_path / 'a.json').write_text(text)
    found = []
    assert read_list(tmp_path / 'a.json', found.append) == len(found)
    assert found == json.loads(text)


@pytest.mark.parametrize(
    'text, message',
    [
        ('', 'no JSON list'),
        ('{"a": []}', 'no JSON list'),
        ('[1, 2', r'after row\[1\]'),
        ('[1, NaN]', r'row\[1\]: .*nan is not a finite number'),
        ('[1] 2', 'follows its end'),
        ('[] ]', 'follows its end'),
        ('[1, [' + '[' * 100000, r'row\[1\]: nested too deeply'),
    ],
)
def test_lists_that_are_refused(tmp_path, text, message):
    (tmp_path / 'a.json').write_text(text)
    with pytest.raises(DataError, match=message):
        read_list(tmp_path / 'a.json', lambda item: None, 'row')

"""Reading a JSON list one item at a time."""

import json
import random

import pytest

from gluon_cbam.common.documents import DocumentError, parse_json
from gluon_cbam.common.errors import DataError
from gluon_cbam.common.json_lists import json_items

LISTS = ['[]', ' [ ] \n', '[1]', '\t[{"a": [1, 2.5]},\n null , "]"]\r\n', '[[],[[]]]', '[true,-1e-3]']


def read(path, text, most=1 << 20):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(json_items(path, most))


@pytest.mark.parametrize('text', LISTS)
def test_items_are_those_of_json(tmp_path, text):
    assert read(tmp_path / 'x.json', text) == json.loads(text)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'not a JSON list'),
        ('{"a": 1}', 'not a JSON list'),
        ('[1, 2', 'no comma follows item 1'),
        ('[1 2]', 'no comma follows item 0'),
        ('[1, ]', 'item 1 is not JSON'),
        ('[,1]', 'item 0 is not JSON'),
        ('[1] 2', 'text follows the list'),
        ('[] ]', 'text follows the list'),
        ('[1, NaN]', 'item 1 is not JSON .nan is not a finite number'),
        ('[1, 1e999]', 'item 1 is not JSON .inf is not a finite number'),
        ('[{"a": 1, "a": 2}]', 'item 0 is not JSON .*given twice'),
        ('[' * 70 + ']' * 70, 'item 0 is nested deeper than 64 levels'),
        ('[' * 100000, 'item 0 is nested deeper than 64 levels'),
        ('["\\ud800"]', 'item 0 is not JSON .*surrogate'),
        (b'[1, \xff]', 'not in UTF-8'),
        ('[' + '1' * 200 + ']', 'item 0 is not JSON .a number of 200 digits'),
        ('[' + ' ' * (1 << 20) + ']', 'larger than'),
    ],
)
def test_lists_that_are_refused(tmp_path, text, message):
    with pytest.raises(DocumentError, match=message):
        read(tmp_path / 'x.json', text)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match='is missing'):
        list(json_items(tmp_path / 'none.json', 10))


def test_mutated_lists_are_read_as_json_reads_them_or_refused(tmp_path):
    """Whatever is read is what the parser of whole documents gives, and it refuses nothing more."""
    source, letters = random.Random(0), '[]{}",: 1.e\\n'
    read_well = 0
    for _ in range(600):
        text = list(source.choice(LISTS))
        for _ in range(source.randint(1, 3)):
            text[source.randrange(len(text))] = source.choice(letters)
        text = ''.join(text)
        try:
            expected = parse_json(text, 'x')
        except DocumentError:
            expected = None
        try:
            found = read(tmp_path / 'x.json', text)
        except DocumentError:
            found = None
        assert found == (expected if isinstance(expected, list) else None), text
        read_well += found is not None
    assert read_well > 20

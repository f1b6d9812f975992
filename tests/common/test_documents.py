"""YAML and JSON of anybody: plain values alone, one line for everything else."""

import json
import random

import pytest
import yaml

from gluon_cbam.common.documents import MAX_DEPTH, DocumentError, parse_json, read_json, read_text
from gluon_cbam.common.errors import DataError
from gluon_cbam.common.yaml_documents import MAX_EXPANSION, parse_yaml
from gluon_cbam.zoo.registry import BUILT_IN

GOOD = """
# every kind of scalar that PyYAML resolves to a plain value
text: one
quoted: '2020-01-01'
empty:
flags: [yes, No, true, off]
numbers: [1, -2, 0x1F, 0b11, 017, 1_000, 1:30, 1.5, -2.5e+3, .5]
texts: ["1e3", 1e3, '~', "a\\tb"]
nested: {a: [{b: [[]]}], c: {}}
shared: &list [1, 2]
again: *list
folded: >
  two
  lines
"""


def expanding(levels):
    """Lists of lists, each by ten aliases of the one before."""
    lines = ['a0: &a0 [x, x]', *(f'a{n}: &a{n} [{", ".join([f"*a{n - 1}"] * 10)}]' for n in range(1, levels))]
    return '\n'.join(lines)


def test_plain_values_are_those_of_pyyaml():
    assert parse_yaml(GOOD, 'a').value == yaml.safe_load(GOOD)
    for file in BUILT_IN.glob('*.yaml'):
        assert parse_yaml(file.read_bytes(), 'a').value == yaml.safe_load(file.read_text())


def test_json_is_yaml():
    values = {'a': [1, 2.5, None, True, {'b': 'ü\n"'}], 'c': {}}
    text = json.dumps(values)
    assert parse_json(text, 'a') == parse_yaml(text, 'a').value == values


def test_lines_of_keys():
    lines = parse_yaml('a: 1\nb:\n  c: 2\n  d: [{e: 1}]\n', 'a').lines
    assert lines == {('a',): 1, ('b',): 2, ('b', 'c'): 3, ('b', 'd'): 4}


YAML = {
    'a date': ('a: {b: [1, 2020-01-01]}', r"a.b\[1\] must be a plain value, got '2020-01-01', a date: .*, line 1"),
    'binary data': ('a: 1\nb: !!binary aGk=', 'b must be a plain value, .* binary data, line 2'),
    'a set': ('a: !!set {x, y}', r"neither YAML nor JSON, line 1 \(a has the tag 'tag:yaml.org,2002:set'\)"),
    'an object': ('!!python/object/apply:os.system ["true"]', 'neither YAML nor JSON, line 1'),
    'a value that contains itself': ('a: &x [1, *x]', r'a\[1\] is an alias of nothing before it, or of what contains'),
    'an unknown alias': ('a: *x', 'a is an alias of nothing'),
    'aliases that expand': (expanding(9), r'a\d\[\d\] expands too far'),
    'a text that expands': (f'a: &x {"x" * 50_000}\nb: [*x, *x]', r'b\[1\] expands too far.*, line 2'),
    'depth': ('[' * (MAX_DEPTH + 1) + ']' * (MAX_DEPTH + 1), f'nested deeper than {MAX_DEPTH} levels'),
    'much depth': ('[' * 100_000, 'nested deeper|neither YAML nor JSON'),
    'a huge integer': ('a: 1' + '0' * 400, 'a: a number of 401 digits, line 1'),
    'more than 64 bits': ('a: 1' + '0' * 30, 'a: 10+ has more than 64 bits, line 1'),
    'infinity': ('a: [.inf]', r'a\[0\]: inf is not a finite number'),
    'not a number': ('a: .nan', 'a: nan is not a finite number'),
    'an overflow': ('a: 1.0e+999', 'a: inf is not a finite number'),
    'a key that is given twice': ('a: 1\nb: 2\na: 3', 'a is given twice, first in line 1, line 3'),
    'a merge': ('a: &x {b: 1}\nc: {<<: *x}', 'c.<< is a merge key, which is not read, line 2'),
    'a key that is no text': ('? [1]\n: 2', 'a key must be text, line 1'),
    'a tag that does not fit': ('a: !!int x', "a: 'x' does not fit its tag, line 1"),
    'two documents': ('a: 1\n---\nb: 2', 'more than one document, line 2'),
    'no YAML': ('a: b: c', 'neither YAML nor JSON, line 1'),
    'no UTF-8': (b'a: \xff', 'not in UTF-8, at byte 3'),
    'size': ('a: ' + 'x' * (1 << 22), 'larger than the 4194304 bytes'),
}


@pytest.mark.parametrize('kind', YAML)
def test_yaml_that_is_refused(kind):
    text, message = YAML[kind]
    with pytest.raises(DocumentError, match=f'FILE: {message}') as caught:
        parse_yaml(text, 'FILE')
    assert (caught.value.exit_code, '\n' in str(caught.value), len(str(caught.value)) < 300) == (4, False, True)


def test_aliases_are_limited_by_what_they_add():
    assert len(parse_yaml(expanding(4), 'a').value) == 4
    assert MAX_EXPANSION < 10**9, 'the nine levels above'


JSON = {
    'depth': '[' * (MAX_DEPTH + 1) + ']' * (MAX_DEPTH + 1),
    'much depth': '[' * 1_000_000,
    'depth of mappings': '{"a":' * 500 + '1' + '}' * 500,
    'not a number': '[NaN]',
    'infinity': '{"a": -Infinity}',
    'an overflow': '1e999',
    'a huge integer': '1' * 10_000,
    'more than 64 bits': str(2**64),
    'a key that is given twice': '{"a": 1, "b": 2, "a": 3}',
    'half a character': '{"a": "\\ud800"}',
    'half a character in a key': '{"\\udfff": 1}',
    'no JSON': '[1,',
    'nothing': '',
    'no UTF-8': b'"\xff"',
    'size': '"' + 'x' * (1 << 22) + '"',
}


@pytest.mark.parametrize('kind', JSON)
def test_json_that_is_refused(kind):
    with pytest.raises(DocumentError, match='^FILE: ') as caught:
        parse_json(JSON[kind], 'FILE')
    assert (caught.value.exit_code, '\n' in str(caught.value), len(str(caught.value)) < 300) == (4, False, True)


def keys(value):
    """All keys of the mappings in a value."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [*(value if isinstance(value, dict) else []), *(key for item in items for key in keys(item))]


def test_mutated_documents_are_parsed_or_refused():
    """Seeded mutations; what is accepted is plain, and PyYAML reads the same."""
    choose = random.Random(0)
    pieces = [
        '&x ',
        '*x',
        '!!',
        '{',
        '}',
        '[',
        ']',
        ': ',
        '- ',
        '\n',
        '"',
        '2020-01-01',
        '.inf',
        '0x',
        '\t',
        '<<',
        '> ',
    ]
    accepted = 0
    for _ in range(1500):
        text = choose.choice([GOOD, expanding(3), '{"a": [1, {"b": null}], "c": 1.5}'])
        for _ in range(choose.randrange(1, 4)):
            place = choose.randrange(len(text))
            text = text[:place] + choose.choice(pieces) + text[place + choose.randrange(3) :]
        try:
            value = parse_yaml(text, 'a').value
        except DocumentError:
            continue
        accepted += 1
        assert parse_json(json.dumps(value), 'a') == value
        loaded = yaml.load(text, Loader=getattr(yaml, 'CSafeLoader', yaml.SafeLoader))
        assert value == loaded or not all(isinstance(key, str) for key in keys(loaded)), text
    assert accepted > 300


def test_files(tmp_path):
    with pytest.raises(DataError, match='a.json is missing'):
        read_json(tmp_path / 'a.json')
    with pytest.raises(DataError, match='not a file, but a folder, a pipe or a device'):
        read_json(tmp_path)
    with pytest.raises(DataError, match='not a file, but'):
        read_text('/dev/zero')
    with pytest.raises(DataError, match='larger than the 10 bytes'):
        read_text('/dev/zero', 10, regular=False)
    (tmp_path / 'a.json').write_text('{"a": 1}')
    assert read_json(tmp_path / 'a.json') == {'a': 1}

"""The metadata of exported files, which anybody may have written."""

import json
from dataclasses import replace

import pytest

from gluon_cbam.common.errors import DataError
from gluon_cbam.export.metadata import FLOATS, ExportMetadata

GOOD = ExportMetadata(
    'cbamnet_tiny', 2, ['a', 'b'], {'image_size': 8, 'mean': [0, 0, 0], 'std': [1, 1, 1]}, FLOATS, None
)


@pytest.mark.parametrize('changes', [{}, {'task': 'faces'}, {'embeddings': True}])
def test_round_trip(changes):
    written = replace(GOOD, **changes)
    assert ExportMetadata.from_texts({**written.as_texts(), 'other': 'x'}, 'FILE') == written
    assert [key for key in changes if f'gluon_cbam.{key}' not in written.as_texts()] == []


@pytest.mark.parametrize(
    ('key', 'text', 'message'),
    [
        ('classes', '[' * 100_000, 'nested deeper than'),
        ('classes', '1' + '0' * 400, 'a number of 401 digits'),
        ('classes', 'NaN', 'nan is not a finite number'),
        ('classes', '"2"', "classes must be an integer, got '2'"),
        ('classes', 'true', 'classes must be an integer, got True'),
        ('classes', '-1', '-1 classes'),
        ('class_names', '["a", 1]', 'class_names.1. must be text, got 1'),
        ('network', 'null', 'network must be text, got None'),
        ('preprocessing', '{"image_size": 8, "image_size": 9}', "'image_size' is given twice"),
        ('preprocessing', '{"image_size": 0}', 'image_size must be a positive number of pixels, got 0'),
        ('preprocessing', '{"image_size": [8, 0]}', r'image_size must be a positive number of pixels, got .8, 0'),
        ('preprocessing', '{"image_size": [8, 9, 3]}', 'image_size must be a list of 2'),
        ('preprocessing', '{"image_size": ["8", 9]}', "image_size.0. must be an integer, got '8'"),
        ('preprocessing', '{"image_size": "8,9"}', "image_size must be an integer, got '8,9'"),
        ('preprocessing', '{"image_size": 8, "std": [0, 1, 1]}', 'std must be positive'),
        ('preprocessing', '{"image_size": 8, "mean": [1e999, 0, 0]}', 'inf is not a finite number'),
        ('input', '"x"', "input 'x'"),
        ('input', '', 'not JSON'),
    ],
)
def test_damage_is_one_line_with_the_file(key, text, message):
    with pytest.raises(DataError, match=f'^FILE: its metadata is damaged .*{message}') as caught:
        ExportMetadata.from_texts({**GOOD.as_texts(), f'gluon_cbam.{key}': text}, 'FILE')
    assert (str(caught.value).isprintable(), len(str(caught.value)) < 300) == (True, True)


def test_a_missing_key():
    texts = GOOD.as_texts()
    del texts['gluon_cbam.input']
    with pytest.raises(DataError, match="FILE: was not written by cbam export: the key 'gluon_cbam.input' is missing"):
        ExportMetadata.from_texts(texts, 'FILE')
    assert json.loads(texts['gluon_cbam.classes']) == 2

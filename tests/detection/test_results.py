"""Files of results in COCO's format."""

import json

import numpy as np
import pytest
from detection_sets import coco_json, coco_results, pycocotools_evaluation, random_set

from gluon_cbam.common.errors import DataError
from gluon_cbam.detection.numbering import CocoIds
from gluon_cbam.detection.results import read_results, write_results
from gluon_cbam.tasks.detection.metrics.coco import NAMES
from gluon_cbam.tasks.detection.metrics.scores import score

IDS = CocoIds.of(3, 2, [7, 5, 90], [1, 18], ['a/one.png', 'two.png', 'b/one.png'])
ENTRY = {'image_id': 5, 'category_id': 18, 'bbox': [1, 2.5, 3, 4], 'score': 0.5}


def read(folder, value):
    path = folder / 'results.json'
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return read_results(path, IDS)


def test_entries_become_detections_of_their_images(tmp_path):
    others = {'image_id': 90.0, 'category_id': 1, 'bbox': [0, 0, 0, 1], 'score': 1, 'caption': {'counts': 'x'}}
    found = read(tmp_path, [ENTRY, others, {**ENTRY, 'score': 0.75}])
    assert [len(each) for each in found] == [0, 2, 1]
    np.testing.assert_array_equal(found[1].corners, [[1, 2.5, 4, 6.5]] * 2)
    np.testing.assert_array_equal(found[1].scores, [0.5, 0.75])
    np.testing.assert_array_equal(found[1].classes, [1, 1])
    assert found[2].classes.tolist() == [0]


@pytest.mark.parametrize(('name', 'index'), [('two', 1), ('two.png', 1), ('b/one.png', 2), ('a/one.png', 0)])
def test_images_may_be_named_by_their_files(tmp_path, name, index):
    assert len(read(tmp_path, [{**ENTRY, 'image_id': name}])[index]) == 1


def without(key):
    return {name: value for name, value in ENTRY.items() if name != key}


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        ([1], r'entry\[1\]: .1. is no mapping'),
        (without('bbox'), r'entry\[1\]: it has no bbox: an entry has image_id, category_id, bbox and score'),
        (without('score'), r'entry\[1\]: it has no score'),
        ({**ENTRY, 'image_id': 6}, r'entry\[1\]: image_id 6 is not in the data, whose ids are 3 from 5 to 90'),
        ({**ENTRY, 'image_id': 5.5}, 'image_id 5.5 is not in the data'),
        ({**ENTRY, 'image_id': True}, 'image_id True is not in the data'),
        ({**ENTRY, 'image_id': 'one'}, "image_id 'one' is not in the data"),
        ({**ENTRY, 'image_id': [5]}, 'image_id .5. is not in the data'),
        ({**ENTRY, 'category_id': 2}, r'entry\[1\]: category_id 2 is not in the data, whose ids are 2 from 1 to 18'),
        ({**ENTRY, 'bbox': [1, 2, 3]}, 'bbox is .1, 2, 3.: it must be'),
        ({**ENTRY, 'bbox': {'x': 1}}, 'bbox is'),
        ({**ENTRY, 'bbox': [1, 2, -3, 4]}, 'must not be negative'),
        ({**ENTRY, 'bbox': [1, 2, '3', 4]}, "'3' is no number"),
        ({**ENTRY, 'bbox': [1, 2, 1e300, 4]}, '1e.300 is no number of at most 1e.09'),
        ({**ENTRY, 'score': None}, 'None is no number'),
        ({**ENTRY, 'score': False}, 'False is no number'),
        ({**ENTRY, 'score': float('nan')}, r'entry\[1\]: not JSON .nan is not a finite number'),
    ],
)
def test_entries_that_are_refused(tmp_path, entry, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, [ENTRY, entry])


def test_a_document_that_is_no_list_is_refused(tmp_path):
    with pytest.raises(DataError, match='no JSON list'):
        read(tmp_path, {'annotations': []})


def test_written_results_are_read_back_and_scored_alike(tmp_path):
    truths, found = random_set(0, score_digits=9)
    ids = CocoIds.of(len(truths), 5)
    write_results(tmp_path / 'x.json', found, ids)
    again = read_results(tmp_path / 'x.json', ids)
    for before, after in zip(found, again):
        np.testing.assert_array_equal(before.scores, after.scores)
        np.testing.assert_array_equal(before.classes, after.classes)
        np.testing.assert_allclose(before.corners, after.corners, rtol=0, atol=1e-9)
    assert json.loads((tmp_path / 'x.json').read_text()) == coco_results(found)
    names = [f'class {number}' for number in range(5)]
    assert score(truths, again, names).figures == score(truths, found, names).figures


def test_pycocotools_reads_what_is_written(tmp_path):
    truths, found = random_set(1, score_digits=9)
    write_results(tmp_path / 'x.json', found, CocoIds.of(len(truths), 5))
    expected = pycocotools_evaluation(coco_json(truths, 5), str(tmp_path / 'x.json')).stats
    figures = score(truths, found, [str(number) for number in range(5)]).figures
    np.testing.assert_allclose([figures.get(name, -1) for name in NAMES], expected, rtol=0, atol=1e-9)


def test_no_detections_are_an_empty_list(tmp_path):
    write_results(tmp_path / 'x.json', read(tmp_path, []), IDS)
    assert json.loads((tmp_path / 'x.json').read_text()) == []


def test_ids_that_the_data_lack_are_numbers_from_1():
    assert CocoIds.of(2, 3, [None, None]).images == (1, 2)
    assert CocoIds.of(2, 3, [0, 0]).images == (1, 2)
    assert CocoIds.of(2, 3, [0, 5]).images == (0, 5)
    assert CocoIds.of(2, 3).categories == (1, 2, 3)

"""``cbam validate --results``: anybody's detections, scored without a network."""

import json

import cv2
import numpy as np
import pytest
from checks import assert_one_line
from detection_sets import SIDE, coco_json, coco_results, pycocotools_evaluation, random_set

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.boxes.segmentation_files import segmentations_path
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.preparation.box_converting import convert_boxes
from gluon_cbam.data.preparation.box_packing import pack_boxes
from gluon_cbam.detection.box_data import category_ids_of, open_box_data, score_results
from gluon_cbam.tasks.detection.metrics.coco import NAMES

CATEGORIES = {1: 3, 2: 5, 3: 8, 4: 13, 5: 90}
CATEGORIES_BACK = {value: key for key, value in CATEGORIES.items()}


def write(path, value):
    path.write_text(json.dumps(value))
    return path


@pytest.fixture(scope='module')
def coco(tmp_path_factory):
    """The folder of a set in COCO's format with gaps between the ids, images in another order, and its results."""
    folder = tmp_path_factory.mktemp('coco')
    truths, found = random_set(4, images=10, grid=1, score_digits=1)
    truths = [each.chosen(np.prod(each.corners[:, 2:] - each.corners[:, :2], axis=1) > 0) for each in truths]
    truths = [Boxes.of(each.corners, each.classes, each.difficult, each.crowd) for each in truths]
    document, results = coco_json(truths, 5), coco_results(found)
    for category in document['categories']:
        category['id'] = CATEGORIES[category['id']]
    for each in (*document['annotations'], *results):
        each['category_id'] = CATEGORIES[each['category_id']]
    document['images'] = document['images'][::-1]
    for image in document['images']:
        cv2.imwrite(str(folder / image['file_name']), np.full((SIDE, SIDE, 3), 5 * image['id'], np.uint8))
    write(folder / 'val.json', document)
    write(folder / 'results.json', results)
    return folder


def figures(process):
    assert process.returncode == 0, process.stderr
    value = json.loads(process.stdout)
    return [value.get(name, -1) for name in NAMES]


def test_results_on_cocos_json_equal_pycocotools(coco, cbam_here):
    done = cbam_here('validate', '--results', coco / 'results.json', '--data-val', coco / 'val.json', '--json')
    document, results = (json.loads((coco / name).read_text()) for name in ('val.json', 'results.json'))
    np.testing.assert_allclose(figures(done), pycocotools_evaluation(document, results).stats, rtol=0, atol=1e-9)
    value = json.loads(done.stdout)
    assert [row['class'] for row in value['by_class']] == [f'class {number}' for number in range(5)]
    assert (value['images'], value['detections']) == (10, len(results))


def test_the_text_has_the_figures_of_all_and_of_each_class(coco, cbam_here):
    done = cbam_here('validate', '--results', coco / 'results.json', '--data-val', coco / 'val.json')
    value = open_box_data(coco / 'val.json')
    scored = score_results(coco / 'results.json', value).scores
    lines = done.stdout.splitlines()
    assert lines[0].startswith('10 images, ')
    assert lines[1].startswith(f'ap {scored.figures["ap"]:.4f}  ap50 {scored.figures["ap50"]:.4f}')
    assert lines[-5].startswith('class 0')
    assert lines[-1].split()[-1] == '-'


def test_records_give_the_same_figures(coco, cbam_here, tmp_path):
    """Records keep the ids of the images and of the categories; --ids-of is for those that have lost them."""
    pack_boxes(coco / 'val.json', tmp_path)
    results = ['--results', coco / 'results.json', '--json', '--data-val', tmp_path / 'val.rec']
    expected = figures(
        cbam_here('validate', '--results', coco / 'results.json', '--json', '--data-val', coco / 'val.json')
    )
    np.testing.assert_allclose(figures(cbam_here('validate', *results)), expected, rtol=0, atol=1e-9)
    segmentations_path(tmp_path / 'val.rec').unlink()
    on_records = figures(cbam_here('validate', *results, '--ids-of', coco / 'val.json'))
    np.testing.assert_allclose(on_records, expected, rtol=0, atol=1e-9)
    assert 'category_id 90 is not in the data' in assert_one_line(cbam_here('validate', *results), 4)


def test_folders_are_scored_by_the_names_of_their_pictures(coco, cbam_here, tmp_path):
    convert_boxes(coco / 'val.json', tmp_path / 'voc', 'voc')
    perfect = [
        {'image_id': str(entry['image_id'] - 1), 'category_id': CATEGORIES_BACK[entry['category_id']],
         'bbox': entry['bbox'], 'score': 1.0}
        for entry in json.loads((coco / 'val.json').read_text())['annotations']
    ]  # fmt: skip
    results = write(tmp_path / 'x.json', perfect)
    done = cbam_here('validate', '--results', results, '--data-val', tmp_path / 'voc', '--json')
    assert set(figures(done)[:6]) == {1.0}


def test_a_report_is_written_with_and_without_pictures(coco, cbam_here, tmp_path):
    report = tmp_path / 'report'
    arguments = ['validate', '--results', coco / 'results.json', '--data-val', coco / 'val.json', '--report', report]
    done = cbam_here(*arguments)
    assert done.stdout.splitlines()[-1] == f'report: {report}/report.html'
    page = (report / 'report.html').read_text()
    assert f'results: {coco}/results.json' in page
    assert 'report.html exists' in assert_one_line(cbam_here(*arguments), 2)
    alone = tmp_path / 'alone'
    alone.mkdir()
    (alone / 'val.json').write_bytes((coco / 'val.json').read_bytes())
    arguments[4] = alone / 'val.json'
    assert cbam_here(*arguments, '--force').returncode == 0
    assert (report / 'report.html').read_text() != page


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        ({'image_id': 77}, 'entry[1]: image_id 77 is not in the data, whose ids are 10 from 1 to 10'),
        ({'category_id': 4}, 'entry[1]: category_id 4 is not in the data, whose ids are 5 from 3 to 90'),
        ({'bbox': [0, 0, 5]}, 'entry[1]: bbox is [0, 0, 5]'),
        ({'score': float('inf')}, 'entry[1]: not JSON (inf is not a finite number)'),
    ],
)
def test_wrong_entries_are_named(coco, cbam_here, tmp_path, entry, message):
    good = {'image_id': 1, 'category_id': 3, 'bbox': [0, 0, 5, 5], 'score': 0.5}
    results = write(tmp_path / 'x.json', [good, {**good, **entry}])
    report = tmp_path / 'report'
    done = cbam_here('validate', '--results', results, '--data-val', coco / 'val.json', '--report', report)
    assert message in assert_one_line(done, 4)
    assert not report.exists()


@pytest.mark.parametrize(
    ('arguments', 'code', 'message'),
    [
        (
            ['--results', 'R', '--network', 'ssd_300'],
            2,
            '--results scores a file, without a network: leave --network out',
        ),
        (['--results', 'R', '--params', 'x'], 2, 'leave --params out'),
        (['--results', 'R', '--save-results', 'x'], 2, 'leave --save-results out'),
        (['--results', 'R', '--threshold', '0.5'], 2, '--threshold 0.5 is for --report DIR'),
        (['--results', 'none.json'], 2, "no file of results 'none.json'"),
        (['--results', 'R', '--ids-of', 'R'], 4, ''),
    ],
)
def test_what_does_not_fit_is_refused(coco, cbam_here, arguments, code, message):
    words = [coco / 'results.json' if word == 'R' else word for word in arguments]
    assert message in assert_one_line(cbam_here('validate', '--data-val', coco / 'val.json', *words), code)


def test_other_tasks_have_no_boxes_to_write(digits, cbam_here, tmp_path):
    network = ['validate', '--network', 'cbamnet_tiny', '--classes', 10, '--data-val', digits / 'val.rec']
    for option in ('--save-results', '--ids-of'):
        refused = cbam_here(*network, option, tmp_path / 'x')
        assert refused.returncode == 2
        assert f'{option} is for detectors, and the task classification finds no boxes' in refused.stderr


def test_boxes_that_cannot_be_scored_are_named(coco, tmp_path):
    document = json.loads((coco / 'val.json').read_text())
    document['annotations'][3].update(bbox=[10, 10, -5, 5])
    path = write(tmp_path / 'val.json', document)
    with pytest.raises(DataError, match=r'val\.json: annotation 4: .*see cbam data check'):
        open_box_data(path)


def test_one_split_must_be_named_where_none_is_val(coco, tmp_path):
    (tmp_path / 'annotations').mkdir()
    for name in ('train', 'test'):
        (tmp_path / 'annotations' / f'instances_{name}.json').write_bytes((coco / 'val.json').read_bytes())
        (tmp_path / name).mkdir()
        for path in coco.glob('*.png'):
            (tmp_path / name / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UsageError, match='has the splits .*, of which none is val'):
        open_box_data(tmp_path)


def test_ids_are_those_of_the_names(coco):
    assert category_ids_of(coco / 'val.json', ['class 4', 'class 0']) == [90, 3]
    with pytest.raises(DataError, match='has no category tree: its categories are class 0, class 1'):
        category_ids_of(coco / 'val.json', ['class 0', 'tree'])

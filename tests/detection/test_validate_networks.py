"""``cbam validate`` of a detector: its results as a file, scored again, and the report."""

import json

import numpy as np
import pytest
from box_scenes import apart, drawn, write_boxes

from gluon_cbam.data.boxes.segmentation_files import segmentations_writer
from gluon_cbam.tasks.detection.metrics.coco import NAMES

NETWORK = [
    'validate', '--network', 'ssd_300', '--task', 'detection', '--classes', 5, '--image-size', 32, '--workers', 1,
    '--option', 'backbone=cbamnet_tiny', '--option', 'keep=20',
]  # fmt: skip


@pytest.fixture(scope='module')
def records(tmp_path_factory):
    """A file of 9 pictures of different sizes, a third without objects."""
    folder = tmp_path_factory.mktemp('scenes')
    sizes = [(32 + number, 60 - number) for number in range(9)]
    pictures = [(size, apart(*size, number % 3, number)) for number, size in enumerate(sizes)]
    names = ['red', 'green', 'blue', 'yellow', 'cyan']
    write_boxes(folder / 'val.rec', [(drawn(*size, boxes), boxes) for size, boxes in pictures], names)
    return folder / 'val.rec'


def test_saved_results_score_as_the_network_did(records, cbam_here, tmp_path):
    results, report = tmp_path / 'results.json', tmp_path / 'report'
    done = cbam_here(*NETWORK, '--data-val', records, '--save-results', results, '--report', report, '--json')
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert (value['saved_results'], value['report']) == (str(results), str(report / 'report.html'))
    again = json.loads(cbam_here('validate', '--results', results, '--data-val', records, '--json').stdout)
    assert {name: again.get(name) for name in NAMES} == {name: value.get(name) for name in NAMES}
    entries = json.loads(results.read_text())
    assert {entry['image_id'] for entry in entries} == set(range(9))
    assert {entry['category_id'] for entry in entries} <= set(range(1, 6))
    assert all(np.array(entry['bbox'])[2:].min() >= 0 for entry in entries)
    assert 'network: ssd_300' in (report / 'report.html').read_text()


def test_saved_results_have_the_ids_of_the_categories(records, cbam_here, tmp_path):
    for name in ('val.rec', 'val.idx', 'classes.txt'):
        (tmp_path / name).write_bytes((records.parent / name).read_bytes())
    names = (tmp_path / 'classes.txt').read_text().split()
    with segmentations_writer(tmp_path / 'val.rec', names, [3, 90, 5, 8, 7]):
        pass
    results = tmp_path / 'results.json'
    done = cbam_here(*NETWORK, '--data-val', tmp_path / 'val.rec', '--save-results', results, '--json')
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert {entry['category_id'] for entry in json.loads(results.read_text())} <= {3, 90, 5, 8, 7}
    again = json.loads(cbam_here('validate', '--results', results, '--data-val', tmp_path / 'val.rec', '--json').stdout)
    assert {name: again.get(name) for name in NAMES} == {name: value.get(name) for name in NAMES}


def test_nothing_is_written_over(records, cbam_here, tmp_path):
    (tmp_path / 'results.json').write_text('mine')
    done = cbam_here(*NETWORK, '--data-val', records, '--save-results', tmp_path / 'results.json')
    assert done.returncode == 2
    assert 'results.json exists' in done.stderr
    assert (tmp_path / 'results.json').read_text() == 'mine'

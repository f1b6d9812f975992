"""The report of scored detections."""

import base64
import csv
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from detection_sets import SIDE, random_set

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.detection.report.measures import measure
from gluon_cbam.detection.report.page import report_files, write_report
from gluon_cbam.explain.figures.confusions import most_confused
from gluon_cbam.tasks.detection.detections import Detections
from gluon_cbam.tasks.detection.metrics.scores import score
from gluon_cbam.tasks.detection.scored import ScoredBoxes

NAMES = ['tree', '=cmd()', '<script>alert(1)</script>', 'never found', 'nowhere']


def score_set(name, classes, truths, detections, image_name, load):
    return ScoredBoxes(name, truths, detections, score(truths, detections, classes), image_name, load)


def scored_set(images=8):
    truths, found = random_set(3, images=images)

    def load(number):
        if number == 2:
            raise DataError('picture 2 is damaged')
        return np.full((SIDE, SIDE, 3), 20 * number, np.uint8)

    return score_set('a set', NAMES, truths, found, lambda n: f'<b>{n}.png', load)


class Page(HTMLParser):
    """Text, elements and the tables of a page."""

    def __init__(self, html):
        super().__init__()
        self.open, self.images, self.tags, self.text = [], [], set(), ''
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in ('div', 'figure', 'table', 'h1', 'h2'):
            self.open.append(tag)
        if tag == 'img':
            self.images.append(dict(attrs)['src'])

    def handle_endtag(self, tag):
        if tag in ('div', 'figure', 'table', 'h1', 'h2'):
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """(set, folder) of a report."""
    scored, folder = scored_set(), tmp_path_factory.mktemp('report')
    write_report(scored, {'results': '<i>x.json'}, folder, pictures=3)
    return scored, folder


def rows(path):
    with open(path, encoding='utf-8', newline='') as file:
        return list(csv.reader(file))


def test_the_page_holds_everything_in_one_file(report):
    scored, folder = report
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in report_files(folder))
    page = Page((folder / 'report.html').read_text(encoding='utf-8'))
    assert page.open == []
    assert not page.tags & {'script', 'b>', 'i'}
    assert f'{scored.scores.figures["ap"]:.4f}' in page.text
    assert '<script>alert(1)</script>' in page.text
    assert '<i>x.json' in page.text
    assert len(page.images) == 3 + 2 * 6
    for source in page.images:
        form, data = re.match(r'data:image/(png|jpeg);base64,(.*)', source).groups()
        assert cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), 1) is not None, form


def test_csv_files_hold_the_data(report):
    scored, folder = report
    classes = rows(folder / 'classes.csv')
    assert [row[0] for row in classes[1:]] == ['tree', "'=cmd()", NAMES[2], 'never found', 'nowhere']
    assert classes[0][3] == 'ap'
    assert float(classes[1][3]) == pytest.approx(scored.scores.of_classes()[0]['ap'], rel=1e-5)
    assert classes[5][3] == ''
    curves = rows(folder / 'curves.csv')
    first = [float(row[3]) for row in curves[1:] if row[:2] == ['tree', '0.75']]
    np.testing.assert_allclose(first, scored.scores.precision[0, 5], rtol=1e-5, atol=1e-12)
    confusions = np.array([row[1:] for row in rows(folder / 'confusions.csv')[1:]], int)
    np.testing.assert_array_equal(confusions, measure(scored).confusions)
    assert [row[0] for row in rows(folder / 'pictures.csv')] == ['image', *(f'<b>{n}.png' for n in range(8))]


def test_existing_files_are_kept(report, tmp_path):
    scored, folder = report
    with pytest.raises(UsageError, match=r'report\.html exists'):
        write_report(scored, {}, folder)
    (tmp_path / 'curves.csv').write_text('mine')
    with pytest.raises(UsageError, match=r'curves\.csv exists'):
        write_report(scored, {}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['curves.csv']


def test_a_report_of_one_class_without_detections(tmp_path):
    truth = Boxes.of([[10, 10, 30, 30]], [0])
    scored = score_set('x', ['tree'], [truth], [Detections.empty()], str, lambda n: np.zeros((40, 40, 3), np.uint8))
    text = write_report(scored, {}, tmp_path / 'new').read_text(encoding='utf-8')
    assert 'No two classes are confused.' in text
    assert '1 true, 0 detected, of which 0 wrong' in text


def test_confused_classes_are_listed():
    boxes = [Boxes.of([[0, 0, 9, 9], [20, 20, 40, 40]], [0, 1])] * 3
    found = [Detections.of([1, 1], [0.9, 0.9], [[0, 0, 9, 9], [20, 20, 40, 40]])] * 3
    scored = score_set('x', ['a', 'b'], boxes, found, str, lambda n: np.zeros((40, 40, 3), np.uint8))
    assert most_confused(measure(scored, 0.25).confusions, ('a', 'b', 'background'), 10) == [('a', 'b', 3)]

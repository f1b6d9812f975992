"""The report of segmentation, and the figures of single pictures that it shows."""

import base64
import csv
import re

import cv2
import html_pages
import numpy as np
import pytest
from checks import assert_one_line

from gluon_cbam.segmentation.drawing import draw_errors, draw_mask
from gluon_cbam.segmentation.report.page import report_files, write_report
from gluon_cbam.tasks.segmentation.pictures import KEPT, PictureScoring
from gluon_cbam.tasks.segmentation.scored import ScoredMasks
from gluon_cbam.tasks.segmentation.scores import MaskScores, confusion

NAMES = ['background', '=cmd()', '<script>alert(1)</script>']


def noisy(number, share):
    """A true mask, and one that is wrong in a share of its pixels."""
    random = np.random.RandomState(number)
    truth = random.randint(0, 3, (20, 30)).astype(np.uint8)
    found = np.where(random.rand(20, 30) < share, (truth + 1) % 3, truth).astype(np.uint8)
    truth[:, :3] = 255
    return truth, found


def score(pairs):
    scoring = PictureScoring(3)
    table = sum(scoring.add(number, *pair) for number, pair in enumerate(pairs))
    return MaskScores(table, NAMES), scoring.scores(None)


def test_masks_of_the_best_and_the_worst_pictures_are_kept():
    """Beside sorting all pictures at once; one that is ignored is neither."""
    pairs = [noisy(number, number * 7 % 40 / 50) for number in range(40)]
    pairs[5][0][:] = 255
    _, pictures = score(pairs)
    miou = [MaskScores(confusion(*pair, 3), NAMES).figures['miou'] for pair in pairs]
    order = [number for number in np.argsort(miou, kind='stable').tolist() if number != 5]
    assert pictures.worst(99) == order[:KEPT] and pictures.best(3) == order[:-4:-1]
    assert set(pictures.masks) == {*order[:KEPT], *order[-KEPT:]}
    for number in pictures.masks:
        assert np.array_equal(pictures.found(number), pairs[number][1])
    assert np.isnan(pictures.miou[5]) and pictures.ignored[:7].tolist() == [60] * 5 + [600, 60]
    right = [(truth == found)[truth != 255].mean() for truth, found in (pairs[3], pairs[4])]
    assert pictures.accuracy[3:5] == pytest.approx(right, abs=1e-12)


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """(set, folder) of a report."""
    pairs = [noisy(number, share) for number, share in enumerate((0.1, 0.6, 0, 0.3, 0.9))]
    scored = ScoredMasks(
        'a set', *score(pairs), lambda n: f'<b>{n}.png', lambda n: (np.full((20, 30, 3), 40 * n, np.uint8), pairs[n][0])
    )
    folder = tmp_path_factory.mktemp('report')
    write_report(scored, {'network': '<i>fcn'}, folder, pictures=2)
    return scored, folder


def test_the_page_holds_everything_in_one_file(report):
    scored, folder = report
    assert {path.name for path in folder.iterdir()} == {path.name for path in report_files(folder)}
    html = (folder / 'report.html').read_text(encoding='utf-8')
    html_pages.checked_page(html)
    assert '<script' not in html and 'src="http' not in html
    for value in (*scored.scores.figures.values(), *scored.scores.iou.tolist()):
        assert f'<td>{value:.4f}</td>' in html
    assert '&lt;script&gt;alert(1)&lt;/script&gt;' in html and '&lt;i&gt;fcn' in html
    shown = re.findall(r'<b>&lt;b&gt;(\d)\.png</b>', html)
    assert shown == ['4', '1', '2', '0']
    assert len(re.findall('<img', html)) == 1 + 3 * 4
    for data in re.findall(r'data:image/\w+;base64,([^"]*)', html):
        assert cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), 1) is not None


def test_csv_files_hold_the_data(report):
    scored, folder = report
    tables = {}
    for name in ('classes', 'confusions', 'pictures'):
        with open(folder / f'{name}.csv', encoding='utf-8', newline='') as file:
            tables[name] = list(csv.reader(file))
    assert [row[0] for row in tables['classes']] == ['class', 'background', "'=cmd()", NAMES[2]]
    assert np.array([row[1] for row in tables['classes'][1:]], float) == pytest.approx(scored.scores.iou, rel=1e-5)
    assert np.array_equal(np.array([row[1:] for row in tables['confusions'][1:]], int), scored.scores.table)
    pictures = np.array([row[1:3] for row in tables['pictures'][1:]], float)
    assert pictures == pytest.approx(np.transpose([scored.pictures.miou, scored.pictures.accuracy]), rel=1e-5)


def test_ignored_pixels_are_striped_and_errors_red():
    pixels = np.full((40, 40, 3), 100, np.uint8)
    truth, found = np.zeros((2, 40, 40), np.uint8)
    truth[:20], found[30:] = 255, 1
    errors = draw_errors(pixels, truth, found, 40)
    assert (errors[30:] == (200, 30, 30)).all() and np.unique(errors[20:30]).size == 1
    assert np.unique(errors[:20]).size == 2
    drawn = draw_mask(pixels, truth, ['tree'], 40)
    assert np.unique(drawn[:19]).size > 1 and np.unique(drawn[21:40].reshape(-1, 3), axis=0).shape[0] == 1


def test_the_command_writes_the_report(trained, scenes, tmp_path, cbam_here):
    command = ('validate', '--params', trained, '--data-val', scenes / 'val.rec', '--report', tmp_path / 'report')
    process = cbam_here(*command)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1] == f'report: {tmp_path / "report" / "report.html"}'
    html_pages.checked_page((tmp_path / 'report' / 'report.html').read_text(encoding='utf-8'))
    assert 'report.html exists' in assert_one_line(cbam_here(*command), 2)
    refused = cbam_here(*command, '--force', '--threshold', '0.5')
    assert '--threshold is for detectors' in assert_one_line(refused, 2)

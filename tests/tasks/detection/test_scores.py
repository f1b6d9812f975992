"""Figures of detection against golden values, pycocotools, GluonCV and loops over boxes."""

import numpy as np
import pytest
from detection_sets import coco_json, coco_results, pycocotools_evaluation, random_set
from golden import FOLDER

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.tasks.detection.detections import Detections
from gluon_cbam.tasks.detection.metrics import overlaps
from gluon_cbam.tasks.detection.metrics.coco import NAMES
from gluon_cbam.tasks.detection.metrics.scores import score

NEAR = {'rtol': 0, 'atol': 1e-9}
SETS = {
    'plain': dict(),
    'equal scores': dict(score_digits=1),
    'equal scores and overlaps': dict(score_digits=1, grid=40),
    'more than 100 of a class': dict(images=3, classes=3, most_truths=40, most_found=900),
    'one class': dict(images=30, classes=3, most_truths=3),
    'many classes': dict(images=40, classes=30),
}


def names(count):
    return [f'class {number}' for number in range(count)]


def twelve(scores):
    """COCO's twelve figures as pycocotools writes them: -1 where there are none."""
    return np.array([scores.figures.get(name, -1.0) for name in NAMES])


def split(rows, images):
    return [rows[rows[:, 0] == image] for image in range(images)]


@pytest.mark.parametrize('number', [0, 1])
def test_figures_equal_golden_values(number):
    with np.load(FOLDER / 'detection.npz') as file:
        values = {key[2:]: file[key] for key in file.files if key.startswith(f'{number}_')}
    images, classes = int(values['images']), int(values['classes'])
    truths = [
        Boxes.of(rows[:, 2:6], rows[:, 1], rows[:, 6] == 1, rows[:, 6] == 2) for rows in split(values['gt'], images)
    ]
    found = [Detections.of(rows[:, 1], rows[:, 2], rows[:, 3:]) for rows in split(values['dt'], images)]
    scores = score(truths, found, names(classes))
    np.testing.assert_allclose(twelve(scores), values['coco'], **NEAR)
    np.testing.assert_allclose([row['ap'] for row in scores.of_classes()], values['coco_class'], **NEAR)
    np.testing.assert_allclose(scores.voc07, values['voc07'], **NEAR)
    np.testing.assert_allclose(scores.voc, values['area'], **NEAR)


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('kind', SETS)
def test_coco_figures_equal_pycocotools(kind, seed):
    classes = SETS[kind].get('classes', 5)
    truths, found = random_set(seed, **SETS[kind])
    expected = pycocotools_evaluation(coco_json(truths, classes), coco_results(found))
    scores = score(truths, found, names(classes))
    np.testing.assert_allclose(twelve(scores), expected.stats, **NEAR)
    precision = np.moveaxis(scores.precision, 0, -1)
    np.testing.assert_allclose(np.nan_to_num(precision, nan=-1), expected.eval['precision'][..., 0, 2], **NEAR)
    known = ~np.isnan(precision)
    known[:, 0] = False  # recall 0 needs no detection; pycocotools writes the first score
    reached = np.moveaxis(scores.scores, 0, -1)[known]
    np.testing.assert_allclose(reached, expected.eval['scores'][..., 0, 2][known], **NEAR)


def plain_iou(first, second):
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)


def plain_voc(truths, detections, label):
    """(voc07, area) of a class, one detection after the other, as the code of VOC does it."""
    rows = [
        (-found.scores[row], image, row)
        for image, found in enumerate(detections)
        for row in range(len(found))
        if found.classes[row] == label
    ]
    right, wrong, taken = [0], [0], set()
    for _, image, row in sorted(rows):
        truth = truths[image]
        ious = [
            plain_iou(detections[image].corners[row], corners) if own == label else -1.0
            for corners, own in zip(truth.corners, truth.classes)
        ]
        best = int(np.argmax(ious)) if ious else -1
        hit = best >= 0 and ious[best] >= 0.5
        ignored = hit and (truth.difficult[best] or truth.crowd[best])
        first = hit and (image, best) not in taken
        taken.update([(image, best)] if hit else [])
        right.append(right[-1] + (first and not ignored))
        wrong.append(wrong[-1] + (not first and not ignored))
    count = sum(int(((t.classes == label) & ~t.difficult & ~t.crowd).sum()) for t in truths)
    if not count:
        return np.nan, np.nan
    right, wrong = np.array(right[1:]), np.array(wrong[1:])
    recall, precision = right / count, right / np.maximum(right + wrong, 1)
    eleven = [max(precision[recall >= level], default=0.0) for level in np.arange(0, 1.1, 0.1)]
    steps = np.diff(recall, prepend=0.0)
    return np.mean(eleven), sum(step * precision[n:].max() for n, step in enumerate(steps) if step)


@pytest.mark.parametrize('seed', range(2))
@pytest.mark.parametrize('kind', SETS)
def test_voc_figures_equal_a_loop_over_detections(kind, seed):
    classes = SETS[kind].get('classes', 5)
    truths, found = random_set(seed, **SETS[kind])
    expected = np.array([plain_voc(truths, found, label) for label in range(classes)])
    scores = score(truths, found, names(classes))
    np.testing.assert_allclose(scores.voc07, expected[:, 0], **NEAR)
    np.testing.assert_allclose(scores.voc, expected[:, 1], **NEAR)
    np.testing.assert_allclose(scores.figures['voc07'], np.nanmean(expected[:, 0]), **NEAR)


def test_voc_figures_equal_those_of_gluoncv_where_scores_differ():
    metrics = pytest.importorskip('gluoncv.utils.metrics.voc_detection')
    truths, found = random_set(5, images=20, score_digits=9)
    truths = [truth.chosen(~truth.crowd) for truth in truths]
    theirs = [metrics.VOC07MApMetric(class_names=names(5)), metrics.VOCMApMetric(class_names=names(5))]
    for truth, each in zip(truths, found):
        inclusive = [
            np.array([*corners[:, :2].T, *(corners[:, 2:] - 1).T]).T for corners in (each.corners, truth.corners)
        ]
        for metric in theirs:
            metric.update(
                [inclusive[0][None]], [each.classes[None]], [each.scores[None]], [inclusive[1][None]],
                [truth.classes[None]], [truth.difficult[None].astype(int)],
            )  # fmt: skip
    scores = score(truths, found, names(5))
    for metric, ours, mean in zip(theirs, (scores.voc07, scores.voc), ('voc07', 'voc')):
        labels, values = metric.get()
        np.testing.assert_allclose(ours, values[:5], **NEAR)
        assert labels[5] == 'mAP'
        assert scores.figures[mean] == pytest.approx(values[5], abs=1e-9)


def test_pairs_do_not_depend_on_the_size_of_the_blocks(monkeypatch):
    truths, found = random_set(1, most_found=60)
    whole = score(truths, found, names(5))
    monkeypatch.setattr(overlaps, '_BLOCK', 7)
    small = score(truths, found, names(5))
    np.testing.assert_array_equal(small.precision, whole.precision)
    np.testing.assert_array_equal(small.voc, whole.voc)


def test_of_equal_overlaps_coco_takes_the_last_box_and_voc_the_first():
    """The second detection finds the first box only, which is free for COCO, as for pycocotools, and taken for VOC."""
    truth = Boxes.of([[0, 0, 10, 10], [2, 0, 12, 10]], [0, 0])
    found = Detections.of([0, 0], [0.9, 0.8], [[1, 0, 11, 10], [0, 0, 10, 10]])
    scores = score([truth], [found], names(1))
    assert scores.figures['ap75'] == 1
    assert scores.figures['voc'] == pytest.approx(0.5)
    assert pycocotools_evaluation(coco_json([truth], 1), coco_results([found])).stats[2] == 1


def test_perfect_detections_score_one_and_none_score_zero():
    truths, _ = random_set(2)
    perfect = [Detections.of(t.classes, np.ones(len(t)), t.corners) for t in truths]
    scores = score(truths, perfect, names(5))
    assert [scores.figures[name] for name in ('ap', 'ap50', 'ap_small', 'ar100', 'voc07', 'voc')] == [1.0] * 6
    nothing = score(truths, [Detections.empty()] * len(truths), names(5))
    assert set(nothing.figures.values()) == {0.0}


def test_figures_without_a_true_box_are_left_out():
    truth = Boxes.of([[0, 0, 20, 20]], [0], difficult=[True])
    scores = score([truth, Boxes.empty()], [Detections.empty()] * 2, names(2))
    assert scores.figures == dict.fromkeys(('ap', 'ap50', 'ap75', 'ap_small', 'ar1', 'ar10', 'ar100', 'ar_small'), 0.0)
    assert scores.of_classes()[1] == {
        'class': 'class 1', 'objects': 0, 'detections': 0,
        **dict.fromkeys(('ap', 'ap50', 'ap75', 'ap_small', 'ap_medium', 'ap_large', 'ar100', 'voc07', 'voc')),
    }  # fmt: skip


ONE = Boxes.of([[0, 0, 9, 9]], [0])
GOOD = Detections.of([0, 0], [0.5, 0.4], [[0, 0, 9, 9]] * 2)


@pytest.mark.parametrize(
    ('truths', 'found', 'message'),
    [
        ([ONE], [GOOD, GOOD], '1 images with a truth, and 2 with detections'),
        ([ONE, Boxes.of([[0, 0, 9, np.nan]], [0])], [GOOD, GOOD], 'true box 0 of image 1 has a number that is not fin'),
        (
            [ONE, ONE],
            [GOOD, Detections(GOOD.classes, np.array([1, np.inf]), GOOD.corners)],
            'detection 1 of image 1 has a',
        ),
        ([ONE], [Detections(GOOD.classes, GOOD.scores, -GOOD.corners)], 'detection 0 of image 0 is reversed'),
        (
            [ONE],
            [Detections.of([0, 2], GOOD.scores, GOOD.corners)],
            'detection 1 of image 0 has a class outside 0 to 1',
        ),
        ([Boxes.of([[0, 0, 9, 9]], [0], crowd=[True])], [GOOD], 'none of 1 images has an object, crowds aside'),
        ([], [], 'none of 0 images has an object'),
    ],
)
def test_what_cannot_be_measured_is_refused(truths, found, message):
    with pytest.raises(DataError, match=message):
        score(truths, found, names(2))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (([0, 1], [0.5], [[0, 0, 1, 1]]), 'do not fit'),
        (([0], [np.nan], [[0, 0, 1, 1]]), 'detection 0 has a number that is not finite'),
        (([0, -1], [0.5, 0.5], [[0, 0, 1, 1]] * 2), 'detection 1 has a class that is no index'),
        (([0.5], [0.5], [[0, 0, 1, 1]]), 'detection 0 has a class that is no index'),
        (([0], [0.5], [[2, 0, 1, 1]]), 'detection 0 has a reversed box'),
    ],
)
def test_detections_that_are_none_are_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        Detections.of(*arguments)

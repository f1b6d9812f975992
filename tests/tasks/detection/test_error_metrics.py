"""Confusion matrix, curves over confidence, rates of pictures and kinds of errors, against loops over boxes."""

import numpy as np
import pytest
from detection_sets import coco_json, coco_results, pycocotools_evaluation, random_set

from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.tasks.detection.detections import Detections
from gluon_cbam.tasks.detection.metrics.confidence import GRID, confidence_curves
from gluon_cbam.tasks.detection.metrics.confusion import confusion_matrix
from gluon_cbam.tasks.detection.metrics.error_kinds import find_errors
from gluon_cbam.tasks.detection.metrics.pictures import picture_scores
from gluon_cbam.tasks.detection.metrics.scores import score
from gluon_cbam.tasks.detection.metrics.tables import columns_of

CLASSES = 5


def columns(truths, found, classes=CLASSES):
    """The arguments of the metrics: detections by score, and true boxes."""
    boxes, flat = columns_of(truths, found, classes)
    return flat.by_score(), boxes


def iou(first, second, crowd=False):
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    own, other = ((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return width * height / (own if crowd else own + other - width * height)


def plain_confusion(truths, detections, least_score):
    matrix = np.zeros((CLASSES + 1, CLASSES + 1), int)
    for truth, given in zip(truths, detections):
        found = given.chosen(np.argsort(-given.scores, kind='stable'))
        found = found.chosen(found.scores >= least_score)
        pairs = [
            (-iou(f, t), i, j) for i, f in enumerate(found.corners) for j, t in enumerate(truth.corners)
            if iou(f, t) >= 0.5
        ]  # fmt: skip
        owner, taken = {}, {}
        for _, i, j in sorted(pairs):
            if i not in owner and j not in taken:
                owner[i], taken[j] = j, i
        for j, label in enumerate(truth.classes):
            if not (truth.crowd[j] or truth.difficult[j]):
                matrix[label, found.classes[taken[j]] if j in taken else CLASSES] += 1
        for i, label in enumerate(found.classes):
            in_crowd = any(iou(found.corners[i], box, True) >= 0.5 for box in truth.corners[truth.crowd])
            if i not in owner and not in_crowd:
                matrix[CLASSES, label] += 1
    return matrix


@pytest.mark.parametrize('least_score', [0.0, 0.6])
@pytest.mark.parametrize('grid', [1, 40])
@pytest.mark.parametrize('seed', range(3))
def test_confusion_matrix_equals_a_loop(seed, grid, least_score):
    truths, found = random_set(seed, grid=grid, score_digits=1)
    matrix = confusion_matrix(*columns(truths, found), CLASSES, least_score)
    np.testing.assert_array_equal(matrix, plain_confusion(truths, found, least_score))


def test_confusion_matrix_by_hand():
    """A box of class 0 taken for class 1, one found, one missed, a detection of nothing and one below the score."""
    truth = Boxes.of([[0, 0, 10, 10], [50, 50, 60, 60], [80, 80, 90, 90]], [0, 1, 1])
    found = Detections.of([1, 1, 0, 1], [0.9, 0.8, 0.7, 0.1], [[0, 0, 10, 9], [50, 50, 60, 60], [20, 20, 30, 30], [80, 80, 90, 90]])  # fmt: skip  # noqa: E501
    matrix = confusion_matrix(*columns([truth], [found], 2), 2)
    np.testing.assert_array_equal(matrix, [[0, 1, 0], [0, 1, 1], [1, 0, 0]])


@pytest.mark.parametrize('most_found', [30, 900])
@pytest.mark.parametrize('seed', range(2))
def test_curves_over_confidence_equal_scores_of_fewer_detections(seed, most_found):
    """Keeping the surer detections alone and matching anew gives the same counts, also beyond 100 of a class."""
    truths, found = random_set(seed, images=4, most_truths=30, most_found=most_found, score_digits=6)
    curves = confidence_curves(*columns(truths, found), CLASSES)
    for place in (0, 50, 120, 199):
        least = GRID[place]
        kept = [each.chosen(each.scores >= least) for each in found]
        scores = score(truths, kept, [str(n) for n in range(CLASSES)])
        np.testing.assert_allclose(curves.recall[:, place], scores.recall[:, 0, 0], rtol=0, atol=1e-12)
        boxes, flat = columns(truths, kept)[::-1]
        assert curves.right[:, place].sum() + curves.wrong[:, place].sum() <= len(flat)
        assert curves.objects.sum() == (~boxes.crowd).sum()


def test_curves_over_confidence_by_hand():
    """Precision 1 at both scores of the right detections, and the best F1 where the second is kept."""
    truth = Boxes.of([[0, 0, 10, 10], [50, 50, 60, 60]], [0, 0])
    found = Detections.of([0, 0, 0], [0.9, 0.6, 0.3], [[0, 0, 10, 10], [50, 50, 60, 60], [0, 0, 10, 10]])
    curves = confidence_curves(*columns([truth], [found], 2), 2)
    at = [int(np.searchsorted(GRID, value)) for value in (0.3, 0.6, 0.9, 1.0)]
    np.testing.assert_allclose(curves.precision[0, at], [2 / 3, 1, 1, 1])
    np.testing.assert_allclose(curves.recall[0, at], [1, 1, 0.5, 0])
    np.testing.assert_allclose(curves.f1[0, at], [0.8, 1, 2 / 3, 0])
    assert np.isnan(curves.f1[1]).all()
    assert 0.3 < GRID[curves.best()] <= 0.6


@pytest.mark.parametrize('seed', range(2))
def test_ap_of_a_picture_is_that_of_pycocotools_for_one_picture_and_one_class(seed):
    truths, found = random_set(seed, classes=3)
    truths = [truth.chosen(truth.classes == 0) for truth in truths]
    found = [each.chosen(each.classes == 0) for each in found]
    rates = picture_scores(*columns(truths, found), len(truths))
    for image, truth in enumerate(truths):
        results = coco_results([found[image]])
        if truth.crowd.all():
            assert np.isnan(rates.ap[image])
        elif results:
            evaluated = pycocotools_evaluation(coco_json([truth], 3), results)
            assert rates.ap[image] == pytest.approx(evaluated.stats[0], abs=1e-9)
        else:
            assert rates.ap[image] == 0


def test_best_and_worst_pictures():
    """One found, one found beside a false detection of another class, an empty one with that detection, one empty."""
    box, empty = Boxes.of([[0, 0, 10, 10]], [0]), Boxes.empty()
    right, false = ([0], [0.5], [[0, 0, 10, 10]]), ([1], [0.8], [[50, 50, 60, 60]])
    both = [a + b for a, b in zip(right, false)]
    found = [Detections.of(*right), Detections.of(*both), Detections.of(*false), Detections.empty()]
    rates = picture_scores(*columns([box, box, empty, empty], found, 2), 4)
    np.testing.assert_allclose(rates.ap, [1, 0.5, np.nan, np.nan])
    np.testing.assert_allclose(rates.false_score, [0, 0.8, 0.8, 0])
    assert rates.worst(4).tolist() == [2, 1, 0, 3]
    assert rates.best(4).tolist() == [0, 1]


def test_kinds_of_errors():
    """Each kind once, as TIDE defines them; difficult objects and crowds are no errors."""
    truth = Boxes.of(
        [[0, 0, 10, 10], [100, 0, 110, 10], [200, 0, 210, 10], [300, 0, 310, 10], [400, 0, 410, 10], [500, 0, 600, 99]],
        [0, 0, 0, 0, 0, 0], difficult=[0, 0, 0, 0, 1, 0], crowd=[0, 0, 0, 0, 0, 1],
    )  # fmt: skip
    found = Detections.of(
        [0, 0, 1, 0, 1, 1, 0, 1],
        [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.1],
        [
            [0, 0, 10, 10], [0, 0, 10, 9],  # found, and its duplicate
            [100, 0, 110, 9],  # another class
            [205, 0, 215, 10],  # an overlap of a third
            [304, 0, 314, 10],  # both: an overlap of 0.43 with another class
            [700, 0, 710, 10],  # nothing
            [510, 0, 520, 10],  # a part of the crowd
            [800, 0, 810, 10],  # below the score
        ],
    )  # fmt: skip
    kinds = find_errors(*columns([truth], [found], 2)).counts(0.25)
    assert kinds == {'class': 1, 'localization': 1, 'both': 1, 'duplicate': 1, 'background': 1, 'missed': 1}


def plain_kinds(truth, found):
    """TIDE's kinds of one image, one detection after the other."""
    counts = dict.fromkeys(('class', 'localization', 'both', 'duplicate', 'background', 'missed'), 0)
    counting = [n for n in range(len(truth)) if not (truth.crowd[n] or truth.difficult[n])]
    ignored = [n for n in range(len(truth)) if n not in counting]
    order = np.argsort(-found.scores, kind='stable')
    table = {(i, j): iou(found.corners[i], truth.corners[j]) for i in order for j in counting}
    used, wrong, explained = set(), [], set()
    for i in order:
        free = [j for j in counting if j not in used and truth.classes[j] == found.classes[i]]
        best = max(free, key=lambda j: table[i, j], default=None)
        if best is not None and table[i, best] >= 0.5:
            used.add(best)
        elif not any(
            iou(found.corners[i], truth.corners[j], truth.crowd[j]) >= 0.5 and truth.classes[j] == found.classes[i]
            for j in ignored
        ):
            wrong.append(i)
    for i in wrong:
        of_class = [j for j in counting if truth.classes[j] == found.classes[i]]
        others = [j for j in counting if j not in of_class]
        near = max(of_class, key=lambda j: table[i, j], default=None)
        far = max(others, key=lambda j: table[i, j], default=None)
        overlaps = [0 if j is None else table[i, j] for j in (near, far)]
        if 0.1 <= overlaps[0] < 0.5:
            counts['localization'] += 1
            explained.add(near)
        elif overlaps[1] >= 0.5:
            counts['class'] += 1
            explained.add(far)
        elif overlaps[0] >= 0.5:
            counts['duplicate'] += 1
        else:
            counts['both' if overlaps[1] >= 0.1 else 'background'] += 1
    counts['missed'] = len(set(counting) - used - explained)
    return counts


@pytest.mark.parametrize('seed', range(4))
def test_kinds_of_errors_equal_a_loop(seed):
    truths, found = random_set(seed, images=30, score_digits=9)
    each = [plain_kinds(*pair) for pair in zip(truths, found)]
    expected = {kind: sum(counts[kind] for counts in each) for kind in each[0]}
    assert find_errors(*columns(truths, found)).counts(0) == expected
    assert min(expected.values()) > 0
    sure = [each.chosen(each.scores >= 0.5) for each in found]
    assert find_errors(*columns(truths, found)).counts(0.5) == find_errors(*columns(truths, sure)).counts(0)


def test_costs_of_errors_by_hand():
    """Two boxes of each class; of class 0 one is found, one seen as class 1; of class 1 one is seen nearby, one missed.

    AP of class 0 is 51 / 101, since one of its two boxes is found, and that of class 1 is 0.
    """
    truth = Boxes.of([[0, 0, 10, 10], [100, 0, 110, 10], [200, 0, 210, 10], [300, 0, 310, 10]], [0, 0, 1, 1])
    found = Detections.of(
        [1, 1, 0, 0], [0.9, 0.8, 0.7, 0.6],
        [[100, 0, 110, 9], [205, 0, 215, 10], [0, 0, 10, 10], [0, 0, 10, 9]],
    )  # fmt: skip
    errors = find_errors(*columns([truth], [found], 2))
    assert errors.counts(0) == {
        'class': 1, 'localization': 1, 'both': 0, 'duplicate': 1, 'background': 0, 'missed': 1,
    }  # fmt: skip
    half = 51 / 101
    costs = {kind: pytest.approx(value, abs=1e-9) for kind, value in errors.costs().items()}
    assert costs['class'] == (1 - half) / 2
    assert costs['localization'] == half / 2 / 2, 'it comes second, so that its precision is a half'
    assert [costs[kind] for kind in ('missed', 'duplicate', 'both', 'background')] == [0.0] * 4


@pytest.mark.parametrize('seed', range(2))
def test_costs_equal_the_figures_of_corrected_detections(seed):
    """Removing the errors of a kind by hand changes AP at an overlap of 0.5 by its cost."""
    truths, found = random_set(seed, images=30, score_digits=9)
    truths = [Boxes.of(each.corners, each.classes, None, each.crowd) for each in truths]
    flat, boxes = columns(truths, found)
    errors, names = find_errors(flat, boxes), [str(n) for n in range(CLASSES)]
    before = score(truths, found, names).figures['ap50']
    for place, kind in ((2, 'both'), (3, 'duplicate'), (4, 'background')):
        kept = flat.chosen(errors.kinds != place)
        rest = [kept.chosen(kept.images == image) for image in range(len(truths))]
        after = score(truths, [Detections.of(each.classes, each.scores, each.corners) for each in rest], names)
        assert errors.costs()[kind] == pytest.approx(after.figures['ap50'] - before, abs=1e-9)

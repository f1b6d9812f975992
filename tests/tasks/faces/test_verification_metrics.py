"""The figures of verification against reference values, scikit-learn, SciPy and sums over all thresholds."""

import numpy as np
import pytest
from golden import FOLDER
from scipy import stats
from scipy.interpolate import interp1d
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import KFold

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.tasks.faces.metrics import folds, roc
from gluon_cbam.tasks.faces.metrics.embeddings import flip_embedding, normalize, squared_distances
from gluon_cbam.tasks.faces.metrics.verification import verify
from gluon_cbam.tasks.intervals import Z, wilson


@pytest.fixture(scope='module')
def golden():
    with np.load(FOLDER / 'face_verification.npz') as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope='module')
def golden_scores(golden):
    return verify(squared_distances(normalize(golden['a']), normalize(golden['b'])), golden['same'])


@pytest.fixture(
    params=[(317, 0.5, 0.0), (1003, 0.3, 0.0), (400, 0.5, 0.1), (60, 0.9, 0.5)],
    ids=['unequal_folds', 'few_positives', 'ties', 'many_ties'],
)
def pairs(request):
    """Distances in 0..4 and their truth; rounded to a step, so that equal distances occur."""
    count, share, step = request.param
    random = np.random.RandomState(count)
    same = random.rand(count) < share
    distances = np.clip(np.where(same, 1.0, 1.7) + 0.4 * random.randn(count), 0, 4)
    return (np.round(distances / step) * step if step else distances), same


def test_the_reference_values(golden, golden_scores):
    assert golden_scores.accuracy == pytest.approx(float(golden['accuracy']), abs=1e-12)
    assert golden_scores.accuracy_std == pytest.approx(float(golden['std']), abs=1e-12)
    np.testing.assert_allclose(golden_scores.thresholds, golden['thresholds'], rtol=0, atol=1e-12)
    assert golden_scores.auc == pytest.approx(float(golden['auc']), abs=1e-12)
    assert golden_scores.eer == pytest.approx(float(golden['eer']), abs=1e-12)
    for level in (0.1, 0.01, 0.001):
        assert golden_scores.tar_at[level].tar == pytest.approx(float(golden[f'tar@{level}']), abs=1e-12)


def accuracy_over_thresholds(distances, same, splits, grid):
    """The protocol as a loop over folds and thresholds."""
    accuracies, chosen = [], []
    for train, test in splits:
        found = [np.mean((distances[train] < limit) == same[train]) for limit in grid]
        chosen.append(grid[int(np.argmax(np.round(found, 12)))])
        accuracies.append(np.mean((distances[test] < chosen[-1]) == same[test]))
    return accuracies, chosen


def test_accuracy_equals_a_loop_over_the_folds_of_scikit_learn(pairs):
    distances, same = pairs
    splits = list(KFold(10, shuffle=False).split(distances))
    accuracies, chosen = accuracy_over_thresholds(distances, same, splits, np.arange(0, 4, 0.01))
    scores = verify(distances, same)
    assert scores.accuracy == pytest.approx(np.mean(accuracies), abs=1e-12)
    assert scores.accuracy_std == pytest.approx(np.std(accuracies), abs=1e-12)
    assert list(scores.thresholds) == chosen


def last_of_equal(values):
    return np.append(values[1:] != values[:-1], True)


def spline(far_train, grid, far):
    """The source's spline of order 1, which takes the last threshold of equal rates where the rate is met exactly.

    SciPy refuses repeated values now: the intervals are cut into steps of two different rates.
    """
    lower = np.flatnonzero(far_train <= far)[-1]
    if far_train[lower] == far:
        return grid[lower]
    return float(interp1d(far_train[lower : lower + 2], grid[lower : lower + 2], kind='slinear')(far))


@pytest.mark.parametrize('far', [1e-3, 0.05, 0.1])
def test_val_equals_a_loop_over_the_folds_of_scikit_learn(pairs, far):
    distances, same = pairs
    grid = np.arange(0, 4, 0.001)
    values, rates = [], []
    for train, test in KFold(10, shuffle=False).split(distances):
        far_train = np.array([np.sum((distances[train] < limit) & ~same[train]) for limit in grid]) / np.sum(
            ~same[train]
        )
        limit = spline(far_train, grid, far) if far_train.max() >= far else 0.0
        accepted = distances[test] < limit
        values.append(np.sum(accepted & same[test]) / max(np.sum(same[test]), 1))
        rates.append(np.sum(accepted & ~same[test]) / max(np.sum(~same[test]), 1))
    found = folds.fold_rates(distances, same, 10, far)
    if all((~same[test]).any() for _, test in KFold(10).split(distances)):
        assert found.far == pytest.approx(np.mean(rates), abs=1e-12)
    else:
        assert found.far is None
    assert found.val == pytest.approx(np.mean(values), abs=1e-12)
    assert found.std == pytest.approx(np.std(values), abs=1e-12)


def test_val_is_at_threshold_zero_where_the_rate_is_never_reached():
    distances = np.tile([0.5, 4.0], 20)  # no distance of different persons is below 4
    assert folds.fold_rates(distances, np.tile([True, False], 20), 10, 1e-3) == folds.FoldRates(0.0, 0.0, 0.0)


def test_val_is_absent_where_a_fold_lacks_a_kind_of_pair():
    same = np.arange(40) < 36
    found = folds.fold_rates(np.linspace(0.1, 3, 40), same, 10, 1e-3)
    assert (found.val, found.far) == (None, None)


def test_auc_and_eer_equal_those_of_scikit_learn(pairs):
    distances, same = pairs
    scores = verify(distances, same)
    assert scores.auc == pytest.approx(roc_auc_score(same, -distances), abs=1e-12)
    far, tar, _ = roc_curve(same, -distances, drop_intermediate=False)
    crossing = np.linspace(0, 1, 200001)  # where TAR on the curve and 1 - FAR meet
    gap = np.abs(np.interp(crossing, far, tar) - (1 - crossing))
    assert scores.eer == pytest.approx(crossing[gap.argmin()], abs=1e-5)


def test_tar_is_the_largest_at_most_at_the_level(pairs):
    distances, same = pairs
    scores = verify(distances, same)
    for level, point in scores.tar_at.items():
        limits = np.append(-1, np.unique(distances))
        rates = [(np.mean(distances[same] <= limit), np.mean(distances[~same] <= limit)) for limit in limits]
        assert point.tar == pytest.approx(max(tar for tar, far in rates if far <= level), abs=1e-12)
        assert point.resolved == (np.sum(~same) * level >= 1)
        if point.threshold is not None:
            assert np.sum(distances[~same] <= point.threshold) == point.false_accepts


def test_nothing_is_accepted_where_the_smallest_distance_is_of_different_persons():
    point = roc.roc_curve(np.array([0.1, 0.2, 0.3]), np.array([False, True, True])).tar_at(1e-3)
    assert (point.tar, point.threshold, point.false_accepts, point.resolved) == (0.0, None, 0, False)


def test_identical_distances_score_as_chance():
    scores = verify(np.full(40, 1.0), np.tile([True, False], 20))
    assert (scores.auc, scores.eer, scores.tar_at[0.1].tar, scores.accuracy) == (0.5, 0.5, 0.0, 0.5)


def test_wilson_equals_scipy():
    for successes, trials in ((0, 30), (1, 30), (291, 300), (300, 300)):
        expected = stats.binomtest(successes, trials).proportion_ci(0.95, 'wilson')
        np.testing.assert_allclose(wilson(successes, trials), expected, atol=1e-12)


def test_delong_equals_its_definition(pairs):
    distances, same = pairs
    positive, negative = distances[same][:, None], distances[~same][None, :]
    kernel = (positive < negative) + 0.5 * (positive == negative)
    area = kernel.mean()
    variance = kernel.mean(axis=1).var(ddof=1) / same.sum() + kernel.mean(axis=0).var(ddof=1) / np.sum(~same)
    half = Z * np.sqrt(variance) / (area * (1 - area))
    logit = np.log(area / (1 - area))
    expected = [1 / (1 + np.exp(-(logit + sign * half))) for sign in (-1, 1)]
    np.testing.assert_allclose(verify(distances, same).auc_interval, expected, atol=1e-12)


def test_the_interval_of_an_area_of_one_is_unknown():
    assert verify(np.tile([0.1, 2.0], 20), np.tile([True, False], 20)).auc_interval is None


def test_json_has_text_for_levels(golden_scores):
    values = golden_scores.as_dict()
    assert list(values['tar_at']) == ['1e-01', '1e-02', '1e-03', '1e-04', '1e-05', '1e-06']
    assert values['tar_at']['1e-03']['resolved'] is False
    assert values['tar_at']['1e-02'] == golden_scores.tar_at[1e-2].as_dict()


@pytest.mark.parametrize(
    'distances, same, error, text',
    [
        (np.ones((2, 2)), np.ones(2, bool), UsageError, r'\(2, 2\)'),
        (np.ones(20), np.ones(20, int), UsageError, 'int64'),
        (np.full(20, np.nan), np.arange(20) < 9, DataError, 'pair 0 is not finite'),
        (np.ones(20), np.ones(20, bool), DataError, '20 of 20 pairs'),
        (np.ones(6), np.arange(6) < 3, DataError, '6 pairs in 10 folds'),
    ],
)
def test_what_cannot_be_scored(distances, same, error, text):
    with pytest.raises(error, match=text):
        verify(distances, same)


def test_the_flip_test_sums_before_it_normalizes():
    first, second = np.array([[3.0, 0.0]]), np.array([[0.0, 1.0]])
    np.testing.assert_allclose(flip_embedding(first, second), [[3, 1]] / np.sqrt(10))


@pytest.mark.parametrize(
    'row, text', [([0, 0], 'has norm zero'), ([np.nan, 1], 'is not finite'), ([np.inf, 0], 'is not finite')]
)
def test_embeddings_without_direction_are_named(row, text):
    with pytest.raises(DataError, match=f'the embedding of picture 1 {text}'):
        normalize(np.array([[1.0, 0.0], row]), lambda number: f'picture {number}')

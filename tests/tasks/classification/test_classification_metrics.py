"""Figures of classification, against scikit-learn, SciPy and plain loops."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn import metrics as sk

from gluon_cbam.common.errors import DataError
from gluon_cbam.tasks.classification.evaluation import Evaluation
from gluon_cbam.tasks.classification.metrics import BINS, Calibration, ClassCounts, top_k
from gluon_cbam.tasks.classification.outcomes import Outcomes, gathered, outcome_rows


class Records:
    """The labels of a file."""

    path = 'x.rec'

    def __init__(self, labels):
        self.labels = np.asarray(labels, np.float32)

    def __len__(self):
        return len(self.labels)


def outcomes_of(logits, labels, keep=0, batch=7):
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    numbers = np.arange(len(labels))
    parts = [slice(start, start + batch) for start in range(0, len(labels), batch)]
    rows = [outcome_rows(numbers[part], logits[part], labels[part], keep) for part in parts]
    return gathered(rows[::-1], Records(labels), keep)


@pytest.fixture(scope='module')
def random_set():
    """(logits, labels) of 400 records of 9 classes: class 7 has no records, class 8 neither records nor predictions."""
    random = np.random.RandomState(5)
    labels = random.choice(7, 400, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05])
    logits = random.randn(400, 9) * 1.5
    logits[np.arange(400), labels] += random.rand(400) * 3
    logits[:, 8] -= 50
    return logits, labels


def test_figures_agree_with_scikit_learn(random_set):
    logits, labels = random_set
    outcomes, predicted = outcomes_of(logits, labels), logits.argmax(axis=1)
    assert 7 in predicted and 8 not in predicted
    found = Evaluation.of(outcomes, 1.0)
    one_hot = np.eye(9)[labels]
    assert found.top1 == pytest.approx(sk.accuracy_score(labels, predicted))
    assert found.macro_f1 == pytest.approx(sk.f1_score(labels, predicted, average='macro'))
    assert found.balanced_accuracy == pytest.approx(
        np.nanmean(sk.recall_score(labels, predicted, average=None, labels=range(7)))
    )
    assert top_k(outcomes, 9).accuracy == 1
    assert found.loss == pytest.approx(sk.log_loss(labels, softmax(logits, axis=1), labels=range(9)))
    assert found.brier == pytest.approx(((softmax(logits, axis=1) - one_hot) ** 2).sum(axis=1).mean())
    for k in (1, 2, 3, 5, 8):
        assert top_k(outcomes, k).accuracy == pytest.approx(
            sk.top_k_accuracy_score(labels, logits, k=k, labels=range(9))
        )


def test_figures_of_each_class_agree_with_scikit_learn(random_set):
    logits, labels = random_set
    predicted = logits.argmax(axis=1)
    counts = ClassCounts.of(outcomes_of(logits, labels), 9)
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        labels, predicted, labels=range(9), zero_division=np.nan
    )
    np.testing.assert_allclose(counts.precision, precision)
    np.testing.assert_allclose(counts.recall, recall)
    np.testing.assert_allclose(np.nan_to_num(counts.f1), np.nan_to_num(f1))
    assert np.isnan(counts.f1[8]) and counts.f1[7] == 0
    rows = counts.rows([str(number) for number in range(9)])
    assert [row['support'] for row in rows] == support.tolist()
    assert (rows[8]['precision'], rows[8]['recall'], rows[8]['f1']) == (None, None, None)
    assert rows[7]['recall'] is None and rows[7]['precision'] == 0


def plain_ece(confidence, hits):
    """Equation 3 of Guo et al., bin by bin."""
    total = 0.0
    for m in range(1, 16):
        inside = [i for i, each in enumerate(confidence) if (m - 1) / 15 < each <= m / 15]
        if inside:
            accuracy = sum(hits[i] for i in inside) / len(inside)
            total += len(inside) / len(confidence) * abs(accuracy - sum(confidence[i] for i in inside) / len(inside))
    return total


def test_the_calibration_error_agrees_with_a_plain_loop_also_at_the_edges_of_bins():
    random = np.random.RandomState(1)
    edges = np.arange(1, 16) / 15
    near = np.concatenate(
        [edges, np.nextafter(edges, 0), np.nextafter(edges[:-1], 1), random.rand(200), np.full(9, 0.5)]
    )
    hits = random.rand(len(near)) < near
    nothing = np.zeros((len(near), 0))
    outcomes = Outcomes(hits * 0, hits * 0, (~hits).astype(int), near, near, near, nothing, nothing)
    found = Calibration.of(outcomes)
    assert found.ece == pytest.approx(plain_ece(near, hits), abs=1e-12)
    assert found.counts.sum() == len(near)
    assert [found.counts[m] for m in range(BINS)] == [
        ((near > m / 15) & (near <= (m + 1) / 15)).sum() for m in range(15)
    ]
    assert sum(records for *_, records in found.points) == len(near)


def test_interval_of_the_accuracy_is_the_one_of_statsmodels():
    """proportion_confint(9, 10, method='wilson') and (263, 300)."""
    logits = np.zeros((10, 2))
    logits[:9, 0] = 1
    logits[9, 1] = 1
    found = top_k(outcomes_of(logits, np.zeros(10, int)), 1)
    assert found.interval == pytest.approx((0.5958499732047615, 0.9821237869049271))


def test_equal_outputs_and_large_ones():
    found = outcomes_of(np.zeros((4, 4)), [0, 1, 2, 3], keep=3)
    assert found.ranks.tolist() == [0, 1, 2, 3]
    assert found.predicted.tolist() == [0] * 4
    assert found.top.tolist() == [[0, 1, 2]] * 4
    np.testing.assert_allclose(found.top_probabilities, 0.25)
    large = outcomes_of([[1e4, -1e4], [-1e4, 1e4]], [0, 0])
    assert large.losses.tolist() == [0, 2e4]
    assert large.brier.tolist() == [0, 2]
    assert large.confidence.tolist() == [1, 1]


def test_kept_classes_are_the_most_probable(random_set):
    logits, labels = random_set
    found = outcomes_of(logits, labels, keep=4)
    order = np.argsort(-logits, axis=1)[:, :4]
    assert (found.top == order).all()
    expected = np.take_along_axis(np.exp(log_softmax(logits, axis=1)), order, axis=1)
    np.testing.assert_allclose(found.top_probabilities, expected)
    np.testing.assert_allclose(found.top_probabilities[:, 0], found.confidence)


def test_every_record_counts_once():
    rows = outcome_rows(np.arange(3), np.eye(3), np.arange(3))
    with pytest.raises(DataError, match='2 of 3 records of x.rec were read'):
        gathered([rows[:2]], Records([0, 1, 2]))
    with pytest.raises(DataError, match='4 of 3 records'):
        gathered([rows, rows[:1]], Records([0, 1, 2]))

"""Average precision and F1 against scikit-learn, and figures over processes."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, log_loss

from gluon_cbam.tasks.multilabel import evaluation
from gluon_cbam.tasks.multilabel.scores import average_precision, figures_of, scores_of

RANDOM = np.random.RandomState(1)
LOGITS = RANDOM.randint(-6, 7, (40, 5)) / 2.0  # with many equal scores, and some at the threshold
LABELS = (RANDOM.rand(40, 5) < 1 / (1 + np.exp(-LOGITS))).astype(np.float32)
LABELS[:, 3] = 0


def test_average_precision_is_scikit_learns():
    for number in (0, 1, 2, 4):
        expected = average_precision_score(LABELS[:, number], LOGITS[:, number])
        assert average_precision(LOGITS[:, number], LABELS[:, number] > 0) == pytest.approx(expected, abs=1e-12)
    assert average_precision(LOGITS[:, 3], LABELS[:, 3] > 0) is None
    assert average_precision(np.zeros(4), np.ones(4, bool)) == 1


def test_classes_without_positives_are_left_out_of_the_means():
    classes = scores_of(LOGITS, LABELS, list('abcde'))
    figures, some = figures_of(LOGITS, LABELS, classes), [0, 1, 2, 4]
    assert [each.ap is None for each in classes] == [False, False, False, True, False]
    assert [each.positives for each in classes] == LABELS.sum(axis=0).tolist()
    found = 1 / (1 + np.exp(-LOGITS)) >= 0.5
    assert figures['map'] == pytest.approx(average_precision_score(LABELS[:, some], LOGITS[:, some], average='macro'))
    assert figures['micro_f1'] == pytest.approx(f1_score(LABELS, found, average='micro'))
    assert figures['macro_f1'] == pytest.approx(f1_score(LABELS[:, some], found[:, some], average='macro'))
    expected = log_loss(LABELS.ravel(), 1 / (1 + np.exp(-LOGITS.ravel())))
    assert figures['loss'] == pytest.approx(expected)


def test_large_logits_have_a_finite_loss():
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]])
    classes = scores_of(logits, np.eye(2), 'ab')
    assert figures_of(logits, np.eye(2), classes)['loss'] == 0
    assert figures_of(-logits, np.eye(2), scores_of(-logits, np.eye(2), 'ab'))['loss'] == 1e4


class Data(SimpleNamespace):
    def __len__(self):
        return 40


class Group:
    """Two processes, of which the other has found its part already."""

    rank, size = 0, 2

    def __init__(self, other):
        self.other = other

    def gather(self, values):
        return [values, self.other]


@pytest.mark.parametrize('complete', [True, False])
def test_processes_gather_each_record_once(complete, monkeypatch):
    numbers = np.arange(40)
    mine, theirs = numbers[::2], numbers[1::2] if complete else numbers[1::2][:-1]
    data = Data(classes=5, labels=LABELS, path='a.rec', where=str, names=SimpleNamespace(names=None))
    shard = [(mine[:7], (LOGITS[mine[:7]],)), (mine[7:], (LOGITS[mine[7:]],))]
    monkeypatch.setattr(evaluation, 'outputs_of_shard', lambda *arguments: shard)
    group = Group(np.column_stack([theirs, LOGITS[theirs]]))
    if complete:
        found = evaluation.evaluate(None, data, None, 8, 1, process_group=group)
        assert found.figures == figures_of(LOGITS, LABELS, scores_of(LOGITS, LABELS, '01234'))
        assert found.without_positives == ['3']
        assert found.lines()[-1].startswith('1 of 5 classes are on no image')
    else:
        with pytest.raises(evaluation.DataError, match='39 of 40 records'):
            evaluation.evaluate(None, data, None, 8, 1, process_group=group)


@pytest.mark.parametrize('count', [40, 41])
def test_the_table_of_up_to_40_classes_is_shown(count):
    logits, labels = np.zeros((3, count)), np.ones((3, count))
    classes = tuple(scores_of(logits, labels, list(map(str, range(count)))))
    found = evaluation.Evaluation(3, figures_of(logits, labels, classes), classes, logits, labels, 1.0)
    assert [len(table.splitlines()) for table in found.lines()] == [41] * (count == 40)
    assert [len(table.splitlines()) for table in found.lines(by_class=True)] == [1 + count]

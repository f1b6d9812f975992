"""The report of a classifier, its confusion matrix and its predictions as files."""

import csv

import cv2
import numpy as np
import pytest
from html_pages import checked_page
from sklearn.metrics import confusion_matrix

from gluon_cbam.classification.confusion_files import confusion_format
from gluon_cbam.classification.predictions import write_predictions
from gluon_cbam.classification.report.page import report_files, write_report
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.datasets.imagenet import imagenet_synsets
from gluon_cbam.tasks.classification.evaluation import Evaluation
from gluon_cbam.tasks.classification.outcomes import gathered, outcome_rows
from gluon_cbam.tasks.classification.scored import OTHERS, ScoredClasses, distinct, names_of_classes

NAMES = ('tree', '=cmd()', '<script>alert(1)</script>', 'caf\N{LATIN SMALL LETTER E WITH ACUTE}', 'never')


class Records:
    path = 'x.rec'

    def __init__(self, labels):
        self.labels = labels

    def __len__(self):
        return len(self.labels)


def load(number):
    if number % 5 == 2:
        raise DataError('damaged')
    return np.full((20 + number % 9, 30, 3), (7 * number) % 256, np.uint8)


def scored_set(names=NAMES, images=90, sure=1.0, used=4, seed=3):
    random = np.random.RandomState(seed)
    labels = random.randint(0, used, images)
    logits = random.randn(images, len(names))
    logits[np.arange(images), labels] += sure
    logits[:, used:] -= 99
    outcomes = gathered([outcome_rows(np.arange(images), logits, labels, 3)], Records(labels), 3)
    return ScoredClasses('a set', Evaluation.of(outcomes, 1.0), tuple(names), load), logits


def rows(path):
    with open(path, encoding='utf-8', newline='') as file:
        return list(csv.reader(file))


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    scored, logits = scored_set()
    folder = tmp_path_factory.mktemp('report')
    write_report(scored, {'network': '<i>', 'data': 'x.rec'}, folder)
    return scored, logits, folder


def test_the_page_holds_everything_in_one_file(report):
    scored, _, folder = report
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in report_files(folder))
    text = (folder / 'report.html').read_text(encoding='utf-8')
    page = checked_page(text)
    assert len(page.images) == 3
    assert all(source.startswith('data:image/png;base64,') for source in page.images)
    assert '\\n' not in text and '<script' not in text and 'network: &lt;i&gt;' in text
    summary, confused, classes = page.tables
    figures = {row[0]: row[1] for row in summary}
    found = scored.evaluation
    assert figures['images'] == '90'
    for name, value in (('top-1 accuracy', found.top1), ('macro F1', found.macro_f1), ('ECE', found.ece)):
        assert figures[name] == f'{value:.4f}'
    assert [row[0] for row in summary if 'top-' in row[0]] == ['top-1 accuracy', 'top-2 accuracy', 'top-3 accuracy']
    assert [row[1] for row in classes[-1:]] == ['never'] and classes[-1][3:] == [''] * 5
    f1 = [float(row[-1]) for row in classes[1:-1]]
    assert f1 == sorted(f1)
    times = [int(row[2]) for row in confused[1:]]
    assert sum(times) == (~scored.outcomes.hits).sum() and times == sorted(times, reverse=True)


def test_the_tables_agree_with_scikit_learn(report):
    scored, logits, folder = report
    labels = scored.outcomes.labels
    matrix = confusion_matrix(labels, logits.argmax(axis=1), labels=range(5))
    table = rows(folder / 'confusions.csv')
    assert table[0] == ['true class', 'tree', "'=cmd()", *NAMES[2:]]
    assert [[int(cell) for cell in row[1:]] for row in table[1:]] == matrix.tolist()
    np.testing.assert_array_equal(scored.confusions(40)[0], matrix)
    pairs = {(true, found): times for true, found, times in scored.confused(99)}
    assert pairs == {(i, j): matrix[i, j] for i in range(5) for j in range(5) if i != j and matrix[i, j]}
    support = [int(row[2]) for row in rows(folder / 'classes.csv')[1:]]
    assert support == matrix.sum(axis=1).tolist()


def test_predictions_are_in_the_order_of_records(report):
    scored, logits, folder = report
    table = rows(folder / 'predictions.csv')
    assert [int(row[0]) for row in table[1:]] == list(range(90))
    head = {name: place for place, name in enumerate(table[0])}
    order = np.argsort(-logits, axis=1)
    for number in (0, 41, 89):
        row = table[1 + number]
        probabilities = np.exp(logits[number]) / np.exp(logits[number]).sum()
        assert int(row[head['class']]) == scored.outcomes.labels[number]
        assert [int(row[head[f'class_{rank}']]) for rank in (1, 2, 3)] == order[number, :3].tolist()
        assert float(row[head['probability_2']]) == pytest.approx(probabilities[order[number, 1]], rel=1e-5)
        assert float(row[head['probability']]) == pytest.approx(probabilities.max(), rel=1e-5)
        assert order[number, int(row[head['rank']]) - 1] == scored.outcomes.labels[number]
        assert row[head['label_1']] == row[head['predicted_label']]


def test_the_worst_mistakes_have_the_highest_loss(report):
    scored, *_ = report
    worst = scored.worst(12)
    losses = scored.outcomes.losses
    assert not scored.outcomes.hits[worst].any() and losses[worst].tolist() == sorted(losses[worst], reverse=True)
    rest = np.setdiff1d(np.flatnonzero(~scored.outcomes.hits), worst)
    assert losses[rest].max() <= losses[worst].min()


def test_a_network_without_mistakes(tmp_path):
    scored, _ = scored_set(sure=60)
    page = checked_page(write_report(scored, {}, tmp_path).read_text(encoding='utf-8'))
    assert len(page.images) == 2 and len(page.tables) == 2
    assert 'All images are recognized' in (tmp_path / 'report.html').read_text()
    assert not (tmp_path / 'mistakes.png').exists()
    with pytest.raises(UsageError, match='exists'):
        write_report(scored, {}, tmp_path)


def test_of_a_thousand_classes_the_picture_shows_those_that_are_confused(tmp_path):
    scored, logits = scored_set([f'class {number}' for number in range(1000)], 3000, 4.0, 1000)
    table, names = scored.confusions(40)
    assert table.shape == (41, 41) and names[-1] == OTHERS and table.sum() == 3000
    full = confusion_matrix(scored.outcomes.labels, logits.argmax(axis=1), labels=range(1000))
    shown = [int(name.split()[1]) for name in names[:-1]]
    np.testing.assert_array_equal(table[:-1, :-1], full[np.ix_(shown, shown)])
    np.testing.assert_array_equal(table[:-1].sum(axis=1), full[shown].sum(axis=1))
    (true, found, times), *_ = scored.confused(1)
    np.fill_diagonal(full, 0)
    assert times == full.max() == full[true, found] and {true, found} <= set(shown)
    confusion_format(tmp_path / 'c.PNG')(scored, tmp_path / 'c.PNG')
    assert max(cv2.imread(str(tmp_path / 'c.PNG')).shape) < 2500
    with pytest.raises(UsageError, match=r'a confusion matrix is a .csv or .png file, got .*c.svg'):
        confusion_format(tmp_path / 'c.svg')


def test_words_stand_for_wordnet_ids_and_each_name_is_of_one_class(tmp_path):
    (tmp_path / 'classes.txt').write_text('\n'.join([*imagenet_synsets()[133:136], 'n99999999', 'crane']))
    outcomes = scored_set(images=9)[0].outcomes
    names = names_of_classes(outcomes, tmp_path / 'val.rec')
    assert names == ('bittern', 'crane (1)', 'limpkin', 'n99999999', 'crane (4)')
    assert distinct(['a', 'b', 'a']) == ('a (0)', 'b', 'a (2)')
    assert names_of_classes(outcomes, tmp_path / 'elsewhere' / 'val.rec') == ('0', '1', '2', '3')


def test_predictions_of_classes_that_were_not_kept(tmp_path):
    labels = np.array([0, 1])
    outcomes = gathered([outcome_rows(np.arange(2), np.eye(2), labels)], Records(labels))
    write_predictions(ScoredClasses('s', Evaluation.of(outcomes, 1.0), ('a', 'b'), load), tmp_path / 'p.csv')
    assert [len(row) for row in rows(tmp_path / 'p.csv')] == [8, 8, 8]

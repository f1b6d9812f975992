"""The report of several labels and the files of predictions, against scikit-learn and numpy."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from html_pages import checked_page
from matplotlib.axes import Axes
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    hamming_loss,
    log_loss,
    precision_recall_curve,
    precision_recall_fscore_support,
)

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.multilabel.predictions import write_predictions
from gluon_cbam.multilabel.report.page import report_files, write_report
from gluon_cbam.multilabel.report.plots import _over_thresholds, draw_curves
from gluon_cbam.tasks.multilabel.evaluation import Evaluation
from gluon_cbam.tasks.multilabel.scored import ScoredLabels
from gluon_cbam.tasks.multilabel.scores import figures_of, precision_recall, scores_of

NAMES = ('tree', '=cmd()', '<script>alert(1)</script>', 'caf\N{LATIN SMALL LETTER E WITH ACUTE}', 'never')


def load(number):
    if number % 5 == 2:
        raise DataError('damaged')
    return np.full((20 + number % 9, 30, 3), (7 * number) % 256, np.uint8)


def scored_set(sure=1.5, images=90, seed=3):
    random = np.random.RandomState(seed)
    labels = (random.rand(images, len(NAMES)) < 0.35).astype(np.float32)
    labels[:, 4] = 0
    logits = np.round(random.randn(images, len(NAMES)) + sure * (2 * labels - 1), 1)  # with equal scores
    classes = tuple(scores_of(logits, labels, NAMES))
    evaluation = Evaluation(images, figures_of(logits, labels, classes), classes, logits, labels, 1.0)
    return ScoredLabels('a set', evaluation, NAMES, load)


def rows(path):
    with open(path, encoding='utf-8', newline='') as file:
        return list(csv.reader(file))


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    scored = scored_set()
    folder = tmp_path_factory.mktemp('report')
    write_report(scored, {'network': '<i>', 'data': 'x.rec'}, folder)
    return scored, folder


def test_the_page_holds_everything_in_one_file(report):
    scored, folder = report
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in report_files(folder))
    text = (folder / 'report.html').read_text(encoding='utf-8')
    page = checked_page(text)
    assert len(page.images) == 3
    assert all(source.startswith('data:image/png;base64,') for source in page.images)
    assert '<script' not in text and 'network: &lt;i&gt;' in text
    summary, classes = page.tables
    figures, found = {row[0]: row[1] for row in summary}, scored.logits >= 0
    assert figures['images'] == '90'
    for name, value in (
        ('mAP', scored.evaluation.figures['map']),
        ('images without a wrong decision', accuracy_score(scored.labels, found)),
        ('wrong decisions (Hamming loss)', hamming_loss(scored.labels, found)),
        ('loss (binary cross-entropy)', log_loss(scored.labels.ravel(), 1 / (1 + np.exp(-scored.logits.ravel())))),
    ):
        assert figures[name] == f'{value:.4f}', name
    assert classes[-1][1] == 'never' and classes[-1][4] == ''
    ap = [float(row[4]) for row in classes[1:-1]]
    assert ap == sorted(ap)


def test_the_figures_of_classes_are_scikit_learns(report):
    scored, folder = report
    precision, recall, f1, support = precision_recall_fscore_support(
        scored.labels, scored.logits >= 0, average=None, zero_division=0
    )
    table = rows(folder / 'classes.csv')[1:]
    assert [row[1] for row in table] == ['tree', "'=cmd()", *NAMES[2:]]
    for number, row in enumerate(table[:4]):
        expected = average_precision_score(scored.labels[:, number], scored.logits[:, number])
        assert int(row[2]) == support[number] and int(row[3]) == (scored.logits[:, number] >= 0).sum()
        figures = [expected, precision[number], recall[number], f1[number]]
        assert [float(cell) for cell in row[4:]] == pytest.approx(figures, abs=1e-6)
    assert table[4][2] == '0' and table[4][4] == table[4][6] == table[4][7] == ''


def test_curves_are_scikit_learns():
    scored = scored_set()
    for number in range(4):
        recall, precision = precision_recall(scored.logits[:, number], scored.labels[:, number])
        expected = precision_recall_curve(scored.labels[:, number], scored.logits[:, number])
        distinct = len(expected[2])  # it ends where nothing is found, and begins at full recall
        kept = np.unique(scored.logits[:, number])[::-1]
        places = np.searchsorted(-expected[2][::-1], -kept)
        assert np.allclose(recall, expected[1][:distinct][::-1][places])
        assert np.allclose(precision, expected[0][:distinct][::-1][places])
    precision, recall, f1 = _over_thresholds(scored)
    found = scored.probabilities >= 60 / 200
    hits = (found & scored.labels).sum()
    assert precision[60] == pytest.approx(hits / found.sum()) and recall[60] == pytest.approx(
        hits / scored.labels.sum()
    )
    assert f1[60] == pytest.approx(2 * hits / (found.sum() + scored.labels.sum()))


def test_the_file_of_predictions_gives_the_figures(tmp_path):
    random = np.random.RandomState(7)
    labels = (random.rand(60, 2) < 0.5).astype(np.float32)
    logits = np.stack([1e-7 * random.randn(60), -40 + random.randn(60)], axis=1)  # equal in six digits
    classes = tuple(scores_of(logits, labels, NAMES[:2]))
    evaluation = Evaluation(60, figures_of(logits, labels, classes), classes, logits, labels, 1.0)
    write_predictions(ScoredLabels('a set', evaluation, NAMES[:2], load), tmp_path / 'p.csv')
    table = np.array(rows(tmp_path / 'p.csv')[1:], np.float64)
    found = [average_precision_score(table[:, place], table[:, place + 1]) for place in (3, 5)]
    assert evaluation.figures['map'] == pytest.approx(np.mean(found), rel=1e-12)
    assert evaluation.figures['loss'] == pytest.approx(table[:, 1].mean(), rel=1e-12)


def test_all_names_are_in_the_legend_without_warnings(tmp_path, monkeypatch, recwarn):
    names = ('_tree', 'a$b', '\N{HIRAGANA LETTER A}', '', 'never')  # the font has no Japanese
    legends, legend = [], Axes.legend
    monkeypatch.setattr(Axes, 'legend', lambda axes, **options: legends.append(legend(axes, **options)))
    draw_curves(replace(scored_set(), classes=names), tmp_path / 'curves.png')
    shown = [text.get_text().rpartition(' ')[0].strip() for text in legends[0].get_texts()]
    assert sorted(shown) == sorted(['_tree', r'a\$b', names[2], '', 'all decisions'])
    assert not recwarn.list


def test_predictions_are_in_the_order_of_records(report):
    scored, folder = report
    head, *table = rows(folder / 'predictions.csv')
    assert head[:5] == ['record', 'loss', 'wrong', 'tree label', 'tree probability'] and len(table) == 90
    for number in (0, 41, 89):
        row, labels = table[number], scored.labels[number]
        probabilities = 1 / (1 + np.exp(-scored.logits[number]))
        assert int(row[0]) == number and int(row[2]) == ((probabilities >= 0.5) != labels).sum()
        assert [int(cell) for cell in row[3::2]] == labels.tolist()
        assert [float(cell) for cell in row[4::2]] == pytest.approx(probabilities.tolist(), rel=1e-5)
        loss = -np.log(np.where(labels, probabilities, 1 - probabilities)).mean()
        assert float(row[1]) == pytest.approx(loss, rel=1e-5)


def test_the_worst_have_the_highest_loss_and_the_best_the_lowest(report):
    scored, _ = report
    wrong = ((scored.logits >= 0) != scored.labels).any(axis=1)
    worst, best, losses = scored.worst(7), scored.best(7), scored.losses
    assert wrong[worst].all() and losses[worst].tolist() == sorted(losses[wrong], reverse=True)[:7]
    assert not wrong[best].any() and losses[best].tolist() == sorted(losses[~wrong])[:7]


def test_a_set_without_mistakes(tmp_path):
    page = checked_page(write_report(scored_set(sure=60), {}, tmp_path).read_text(encoding='utf-8'))
    assert len(page.images) == 2 and 'No decision is wrong.' in (tmp_path / 'report.html').read_text()
    assert not (tmp_path / 'worst.png').exists()
    with pytest.raises(UsageError, match='exists'):
        write_report(scored_set(), {}, tmp_path)

"""Parts that reports have in common: the page, tables and the confusion matrix."""

import cv2
import numpy as np

from gluon_cbam.explain.figures.confusions import draw_confusions, most_confused
from gluon_cbam.explain.figures.html import page_of, table_of


def test_pages_and_tables_show_text_from_outside_as_text():
    body = table_of(['<b>'], [['a & b'], [0.25], [None], [3]])
    page = page_of('{x} <script>', 'p { color: red }', body)
    assert '<h1>{x} &lt;script&gt;</h1>' in page
    assert '<th>&lt;b&gt;</th>' in page
    assert ''.join(f'<tr><td>{cell}</td></tr>\n' for cell in ('a &amp; b', '0.2500', '', '3')) in page


def test_confused_pairs():
    counts = np.array([[9, 3, 0], [5, 0, 0], [0, 3, 2]])
    assert most_confused(counts, 'abc', 2) == [('b', 'a', 5), ('a', 'b', 3)]
    assert most_confused(counts, 'abc', 9)[2:] == [('c', 'b', 3)]
    assert counts[0, 0] == 9  # the counts are left as they were


def test_colors_of_the_matrix_are_shares_of_rows(tmp_path):
    """Rows of very different sums have the same color on the diagonal; a row without counts is white."""
    draw_confusions(np.array([[1000, 0, 0], [0, 2, 0], [0, 0, 0]]), ['a', '$x', '\n'], tmp_path / 'x.png', 'found')
    pixels = cv2.imread(str(tmp_path / 'x.png'))
    dark = (np.abs(pixels.astype(int) - (107, 48, 8)).max(axis=2) <= 3).sum()  # the darkest of "Blues"
    draw_confusions(np.eye(3, dtype=int), ['a', '$x', '\n'], tmp_path / 'x.png', 'found')
    every = (np.abs(cv2.imread(str(tmp_path / 'x.png')).astype(int) - (107, 48, 8)).max(axis=2) <= 3).sum()
    assert 0.6 < dark / every < 0.7

"""The ablation study: corrected comparisons, corrupted pictures, and the page of made-up figures."""

import cv2
import numpy as np
import pytest
from ablations.corruptions import CORRUPTIONS, write_corrupted
from ablations.networks import CORRUPTED, ROWS
from ablations.pictures import PICTURES
from ablations.report import draw, text
from scipy import stats
from study import compared

from gluon_cbam.data.decoding import decode
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter


def test_p_values_are_corrected_by_holm():
    random = np.random.RandomState(0)
    base = random.rand(5)
    values = [base + shift + random.normal(0, 0.01, 5) for shift in (0.0, 0.05, 0.01, 0.02)]
    alone = [stats.ttest_rel(each, base).pvalue for each in values]
    found = compared(values, base)
    for number, comparison in enumerate(found):
        assert comparison.difference.mean == pytest.approx(np.mean(values[number] - base))
        # the largest of the products up to its place, by the definition of the step-down procedure
        smaller = [p for p in alone if p <= alone[number]]
        expected = max(p * (len(alone) - sum(other < p for other in alone)) for p in smaller)
        assert comparison.p == pytest.approx(min(1, expected))


def test_pictures_are_corrupted_by_their_strength(tmp_path):
    pixels = np.random.RandomState(1).randint(60, 200, (3, 20, 20, 3), np.uint8)
    pixels = np.array([cv2.GaussianBlur(each, (0, 0), 2) for each in pixels])
    with RecordWriter(tmp_path / 'val.rec') as writer:
        for label, each in enumerate(pixels):
            writer.write(float(label), cv2.imencode('.png', cv2.cvtColor(each, cv2.COLOR_RGB2BGR))[1].tobytes())
    files = write_corrupted(tmp_path / 'val.rec', tmp_path / 'corrupted', 2)
    assert len(files) == 1 + 5 * len(CORRUPTIONS)

    def images(name):
        records = RecordFile(files[name])
        assert records.labels.tolist() == [0, 1]
        return np.array([decode(records.image(number), 'x') for number in range(2)], int)

    clean = pixels[:2].astype(int)
    assert np.array_equal(images('clean'), clean)
    noise = (images('noise-1') - clean) / 255
    assert noise.std() == pytest.approx(0.04, rel=0.1) and abs(noise.mean()) < 0.005
    means = clean.mean(axis=(1, 2), keepdims=True)
    assert np.abs(images('contrast-2') - ((clean - means) / 2 + means)).max() <= 1
    for before, after in zip(clean, images('shift-3')):
        moves = [(-3, 0), (3, 0), (0, -3), (0, 3)]
        assert any(np.array_equal(np.roll(before, move, (0, 1))[3:-3, 3:-3], after[3:-3, 3:-3]) for move in moves)
        assert (after == 0).all(axis=2).sum() == 3 * 20


def test_the_page_and_the_plots(tmp_path):
    random = np.random.RandomState(2)
    kinds = ['clean', *(f'{name}-{number}' for name in CORRUPTIONS for number in range(1, 6))]
    runs = []
    for number, row in enumerate(ROWS):
        for seed in range(3):
            run = {'network': row.name, 'seed': seed, 'loss': 0.5, 'cpu_seconds': 10.0}
            run['top1'] = 0.8 + 0.01 * number + 0.02 * seed + random.normal(0, 1e-5)
            if row.name in CORRUPTED:
                run['corrupted'] = {
                    kind: {'top1': 0.7 + 0.01 * number + random.normal(0, 1e-5), 'ece': 0.02} for kind in kinds
                }
            runs.append(run)
    results = {
        'data': 'fashion', 'recipe': '--lr 0.1 --epochs 2', 'runs': runs, 'date': '2026-01-01', 'python': '3.11',
        'numpy': '2.0', 'parameters': {row.name: 1000 for row in ROWS},
    }  # fmt: skip
    page = text(results, PICTURES['fashion'], 'ablation_fashion')
    assert 'trained from random weights for 2 epochs' in page and 'seeds (0 to 2)' in page
    lines = page.splitlines()
    for number, row in enumerate(ROWS[1:], 1):
        (line,) = [line for line in lines if line.startswith(f'| {row.name} | ') and 'to' in line][:1]
        assert f'{number:+.2f} (' in line and line.split('|')[2].strip().startswith('**')
    assert '| SE | 0.720' in page and '| 0.0200 ± 0.0000 |' in page
    draw(results, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'ablation_fashion.png',
        'ablation_fashion_corrupted.png',
    ]

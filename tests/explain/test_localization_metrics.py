"""Scores equal those worked out by hand and by loops."""

import cv2
import numpy as np
import pytest

from gluon_cbam.common.errors import RunError, UsageError
from gluon_cbam.explain.localization import metrics
from gluon_cbam.explain.localization.baselines import BASELINES
from gluon_cbam.explain.localization.metrics import (
    THRESHOLDS,
    LocalizationMetrics,
    energy_inside,
    iou_at_thresholds,
    normalize_maps,
    pointing_game,
)
from gluon_cbam.explain.maps.grid import Grid

RANDOM = np.random.RandomState(5)


def scored(maps, masks):
    scorer = LocalizationMetrics()
    scorer.add(np.asarray(maps, np.float32), np.asarray(masks, bool))
    return scorer.scores()


def test_by_hand():
    """
    map     0  1      mask  .  x
            3  4            .  x
    """
    scores = scored([[[0, 1], [3, 4]]], [[[0, 1], [0, 1]]])
    assert scores.pointing == 1
    assert scores.energy == pytest.approx(5 / 8)
    assert scores.lift == pytest.approx(5 / 8 / (1 / 2))
    # at least 1/4: three pixels, two of them inside: 2 / 3; at least 1: one pixel of two: 1 / 2; everything: 2 / 4
    assert scores.iou == pytest.approx(2 / 3)
    assert 0 < scores.threshold <= 0.25
    assert scores.oracle_iou == pytest.approx(2 / 3)


def test_one_threshold_for_all_images():
    """Each image has a perfect threshold of its own, but no common one."""
    masks = [[[1, 0, 0, 0]], [[1, 1, 0, 0]]]
    scores = scored([[[1.0, 0.6, 0.0, 0.0]], [[1.0, 0.5, 0.4, 0.0]]], masks)
    assert scores.oracle_iou == 1
    # over 0.6: 1 and 1/2; 0.5 to 0.6: 1/2 and 1; 0.4 to 0.5 and below: 1/2 and 2/3
    assert scores.iou == pytest.approx(3 / 4)
    scores = scored([[[1.0, 0.3, 0.0, 0.0]], [[1.0, 0.5, 0.4, 0.0]]], masks)
    assert scores.iou == 1
    assert 0.4 < scores.threshold <= 0.5


def test_ties_count_in_parts():
    masks = np.array([[[1, 1, 0, 0]], [[0, 0, 0, 1]]], bool)
    assert pointing_game(np.array([[[2, 1, 2, 0]], [[1, 3, 2, 3]]]), masks).tolist() == [0.5, 0.5]


def test_a_coarse_map_points_to_the_middle_of_its_largest_cell():
    """Not to the border: of maps upsampled by OpenCV the largest pixel is there for 5 of 8 random ones."""
    maps = RANDOM.rand(2000, 8, 8)
    masks = np.zeros((2000, 32, 32), bool)
    masks[:, 4:28, 4:28] = True
    inner = 6 * 6 / (8 * 8)
    assert pointing_game(maps, masks).mean() == pytest.approx(inner, abs=0.05)
    largest = [np.argmax(cv2.resize(one, (32, 32), interpolation=cv2.INTER_LINEAR)) for one in maps]
    assert np.mean([mask.ravel()[place] for mask, place in zip(masks, largest)]) < inner - 0.15
    one = np.array([[[0, 1], [0, 0]]])
    for pixel in np.ndindex(4, 4):
        mask = np.zeros((1, 4, 4), bool)
        mask[0][pixel] = True
        assert pointing_game(one, mask) == (0.25 if pixel in ((0, 2), (0, 3), (1, 2), (1, 3)) else 0)
    mask = np.arange(4)[None, None] >= np.full((1, 4, 1), 2)
    assert pointing_game(one, mask) == 1
    only = np.zeros((1, 4, 4), bool)
    only[0, 0, 2] = True
    assert pointing_game(one, only, Grid((2, 2), (0, 0))) == 1, 'where the cells lie elsewhere'


def test_a_grid_moves_the_map():
    maps, masks = np.zeros((1, 4, 4)), np.zeros((1, 16, 16), bool)
    maps[0, 1, 2] = 1
    masks[0, 2:7, 6:11] = True  # around (4, 8)
    places = {}
    for name, grid in (('even', None), ('corners', Grid((4, 4), (0, 0)))):
        scorer = LocalizationMetrics()
        scorer.add(maps, masks, grid)
        places[name] = scorer.scores()
    assert places['corners'].energy > places['even'].energy + 0.1
    assert places['corners'].iou > places['even'].iou + 0.1


def test_flat_maps_score_the_area():
    masks = RANDOM.rand(6, 8, 8) < 0.3
    area = masks.mean()
    for maps in (np.zeros((6, 2, 2)), np.full((6, 3, 3), 0.5), BASELINES['uniform'](6, (8, 8), None)):
        scores = scored(maps, masks)
        assert [scores.pointing, scores.energy, scores.iou, scores.oracle_iou] == pytest.approx([area] * 4)
        assert scores.lift == pytest.approx(1)


def test_equals_loops_in_any_batches():
    maps = RANDOM.rand(7, 6, 5).round(2)
    masks = RANDOM.rand(7, 6, 5) < 0.4
    masks[:, 0, 0] = True
    hits, shares, table = [], [], []
    for raw, mask in zip(maps, masks):
        one = (raw - raw.min()) / (raw.max() - raw.min())
        best = [(row, column) for row in range(6) for column in range(5) if one[row, column] == one.max()]
        hits.append(sum(mask[place] for place in best) / len(best))
        shares.append(sum(one[place] for place in np.ndindex(6, 5) if mask[place]) / one.sum())
        table.append([np.sum((one >= t) & mask) / np.sum((one >= t) | mask) for t in THRESHOLDS])
    table = np.array(table)
    assert np.allclose(iou_at_thresholds(normalize_maps(maps), masks), table)
    assert np.allclose(energy_inside(normalize_maps(maps), masks), shares)
    together, apart = LocalizationMetrics(), LocalizationMetrics()
    together.add(maps, masks)
    for begin, end in ((0, 3), (3, 4), (4, 7)):
        apart.add(maps[begin:end], masks[begin:end])
    for scores in (together.scores(), apart.scores()):
        assert scores.records == 7
        assert scores.pointing == pytest.approx(np.mean(hits))
        assert scores.energy == pytest.approx(np.mean(shares))
        assert scores.iou == pytest.approx(table.mean(axis=0).max())
        assert scores.threshold == THRESHOLDS[table.mean(axis=0).argmax()]
        assert scores.oracle_iou == pytest.approx(table.max(axis=1).mean())


def test_the_mask_itself_is_the_best_map():
    masks = np.zeros((5, 16, 16), bool)
    for number in range(5):
        masks[number, number : number + 6, 2 * number : 2 * number + 5] = True
    perfect = scored(masks, masks)
    assert (perfect.pointing, perfect.energy, perfect.iou, perfect.oracle_iou) == (1, 1, 1, 1)
    opposite = scored(~masks, masks)
    assert (opposite.pointing, opposite.energy) == (0, 0)


def test_baselines():
    size, masks = (32, 32), np.zeros((400, 32, 32), bool)
    for number, (row, column) in enumerate(RANDOM.randint(0, 24, (400, 2))):
        masks[number, row : row + 8, column : column + 8] = True
    random = np.random.RandomState(0)
    by_name = {name: scored(make(400, size, random), masks) for name, make in BASELINES.items()}
    assert by_name['random'].lift == pytest.approx(1, abs=0.1)
    assert by_name['random'].pointing == pytest.approx(1 / 16, abs=0.04)
    assert by_name['centre'].lift > 1.2, 'squares that lie inside lie in the center more often'
    (bump,) = BASELINES['centre'](1, size, random)
    assert np.argwhere(bump == bump.max()).tolist() == [[15, 15], [15, 16], [16, 15], [16, 16]]


def test_refusals():
    scorer = LocalizationMetrics()
    with pytest.raises(UsageError, match='no maps to score'):
        scorer.scores()
    with pytest.raises(UsageError, match=r'maps must be .* got \(1, 2\)'):
        scorer.add(np.ones((1, 2)), np.ones((1, 2, 2), bool))
    with pytest.raises(UsageError, match='bool, got .* uint8'):
        scorer.add(np.ones((1, 2, 2)), np.ones((1, 2, 2), np.uint8))
    with pytest.raises(UsageError, match='a mask is empty'):
        scorer.add(np.ones((1, 2, 2)), np.zeros((1, 2, 2), bool))
    with pytest.raises(RunError, match='not finite'):
        scorer.add(np.full((1, 2, 2), np.nan), np.ones((1, 2, 2), bool))
    assert metrics.THRESHOLDS[0] == 0

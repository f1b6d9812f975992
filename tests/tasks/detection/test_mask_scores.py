"""COCO's figures of masks against pycocotools, from random sets and from files of results."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from checks import assert_one_line
from detection_sets import SIDE, coco_json, coco_results, pycocotools_evaluation, random_set

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.boxes.segmentations import bitmap, mask_text, normalized
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.tasks.detection.detections import Detections
from gluon_cbam.tasks.detection.metrics.coco import NAMES
from gluon_cbam.tasks.detection.metrics.masks import Mask
from gluon_cbam.tasks.detection.metrics.scores import score

NEAR = {'rtol': 0, 'atol': 1e-9}
SIZES = {'plain': {}, 'equal scores': dict(score_digits=1, grid=40), 'many': dict(images=3, most_found=400, classes=3)}


def ellipse(corners, random):
    """A mask around a box: an ellipse with a random cut, whose pixels may be none."""
    left, top, right, bottom = corners
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    center, axes = (
        (int((left + right) / 2), int((top + bottom) / 2)),
        (int((right - left) / 2), int((bottom - top) / 2)),
    )
    cv2.ellipse(pixels, center, axes, 0, 0, int(random.choice([180, 270, 360])), 1, -1)
    return pixels


def polygon(corners, random):
    """A polygon of random corners around a box, and sometimes a second one."""

    def ring():
        angles = np.sort(random.uniform(0, 2 * np.pi, random.randint(3, 9)))
        x, y = (np.array(corners[at::2]) for at in (0, 1))
        points = [x.mean() + np.ptp(x) / 2 * np.cos(angles), y.mean() + np.ptp(y) / 2 * np.sin(angles)]
        return np.round(np.stack(points, axis=1).ravel(), 2).tolist()

    return [ring() for _ in range(random.randint(1, 3))]


def with_masks(seed, **options):
    """A random set whose objects have polygons or masks, and whose detections have masks."""
    random = np.random.RandomState(seed)
    truths, found = random_set(seed, **options)

    def text(corners, crowd):
        masked = crowd or random.rand() < 0.4
        return mask_text(ellipse(corners, random)) if masked else normalized(polygon(corners, random))

    true = [
        replace(boxes, segmentations=np.array([*map(text, boxes.corners.tolist(), boxes.crowd), ''], object)[:-1])
        for boxes in truths
    ]  # fmt: skip
    mine = [
        Detections.of(each.classes, each.scores, each.corners,
                      [mask_text(ellipse(corners, random)) for corners in each.corners.tolist()])
        for each in found
    ]  # fmt: skip
    return true, mine


def documents(truths, found, classes):
    """COCO's JSON and results with segmentations; the results have no boxes, whose areas pycocotools would take."""
    document, results = coco_json(truths, classes), coco_results(found)
    texts = [text for boxes in truths for text in boxes.segmentations]
    for annotation, text in zip(document['annotations'], texts):
        annotation['segmentation'] = json.loads(text)
    for entry, text in zip(results, [text for each in found for text in each.segmentations]):
        entry['segmentation'] = json.loads(text)
    return document, results


def without_boxes(results):
    return [{key: value for key, value in entry.items() if key != 'bbox'} for entry in results]


def twelve(figures):
    return np.array([figures.get(f'mask_{name}', -1.0) for name in NAMES])


@pytest.mark.parametrize('seed', range(2))
@pytest.mark.parametrize('kind', SIZES)
def test_figures_equal_pycocotools(kind, seed):
    classes = SIZES[kind].get('classes', 5)
    truths, found = with_masks(seed, **SIZES[kind])
    document, results = documents(truths, found, classes)
    names = [f'class {number}' for number in range(classes)]
    scores = score(truths, found, names, [(SIDE, SIDE)] * len(truths))
    expected = pycocotools_evaluation(document, without_boxes(results), 'segm').stats
    assert 0 < expected[0] < 1
    np.testing.assert_allclose(twelve(scores.figures), expected, **NEAR)
    boxes = score(truths, found, names)
    assert boxes.masks is None
    assert {name: value for name, value in scores.figures.items() if not name.startswith('mask_')} == boxes.figures
    assert scores.of_classes()[0]['mask_ap'] == pytest.approx(scores.masks.ap[0, :, 0].mean())


def test_runs_of_a_mask():
    random = np.random.RandomState(0)
    for _ in range(30):
        pixels = random.rand(*random.randint(1, 9, 2)) < random.rand()
        text = mask_text(pixels)
        counts = np.diff(np.flatnonzero(np.diff(np.r_[2, pixels.T.ravel(), 2])))
        mask = Mask.of(np.append(0, counts) if pixels[0, 0] else counts, len(pixels))
        assert mask.area == pixels.sum()
        rows, columns = np.nonzero(pixels)
        bounds = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else (0, 0, 0, 0)
        found = mask.bounds
        assert (found[0], found[2]) == (bounds[0], bounds[2])
        assert found[1] <= bounds[1]
        assert found[3] >= bounds[3]
        assert np.array_equal(bitmap(text, *pixels.shape), pixels)


def test_objects_without_a_mask_are_ignored():
    square = mask_text(np.pad(np.ones((10, 10), bool), ((0, 30), (0, 30))))
    corners = [[0, 0, 10, 10], [20, 20, 40, 40]]
    truth = replace(Boxes.of(corners, [0, 0]), segmentations=np.array([square, ''], object))
    other = mask_text(np.pad(np.ones((20, 20), bool), ((20, 0), (20, 0))))
    found = Detections.of([0, 0], [0.5, 0.9], corners, [square, other])
    figures = score([truth], [found], ['a'], [(40, 40)]).figures
    assert (figures['ap'], figures['mask_ap'], figures['mask_ar100']) == pytest.approx((1, 1, 1))
    figures = score([truth], [found.chosen(np.array([0]))], ['a'], [(40, 40)]).figures  # it is no miss
    assert (figures['ar100'], figures['mask_ap'], figures['mask_ar100']) == pytest.approx((0.5, 1, 1))


def test_masks_of_another_size_are_refused():
    text = mask_text(np.ones((4, 5), bool))
    truth = replace(Boxes.of([[0, 0, 4, 4]], [0]), segmentations=np.array([normalized([[0, 0, 4, 0, 4, 4]])], object))
    with pytest.raises(DataError, match='detection 0 of image 0 has a mask of 5 x 4 pixels, the image has 4 x 4'):
        score([truth], [Detections.of([0], [1], [[0, 0, 4, 4]], [text])], ['a'], [(4, 4)])
    with pytest.raises(DataError, match='do not state the height'):
        score([truth], [Detections.of([0], [1], [[0, 0, 4, 4]], [text])], ['a'], [(0, 0)])


def test_files_of_results_with_masks(cbam_here, tmp_path):
    truths, found = with_masks(7, images=4)
    truths = [each.chosen(np.prod(each.corners[:, 2:] - each.corners[:, :2], axis=1) > 0) for each in truths]
    document, results = documents(truths, found, 5)
    data, file = tmp_path / 'val.json', tmp_path / 'results.json'
    data.write_text(json.dumps(document))
    file.write_text(json.dumps(results))
    done = cbam_here('validate', '--results', file, '--data-val', data, '--json')
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    expected = pycocotools_evaluation(document, without_boxes(results), 'segm').stats
    np.testing.assert_allclose(twelve(value), expected, **NEAR)
    boxes = [{key: entry[key] for key in entry if key != 'segmentation'} for entry in results]
    np.testing.assert_allclose(
        [value[name] for name in NAMES], pycocotools_evaluation(document, boxes).stats, **NEAR
    )  # fmt: skip
    assert value['by_class'][0]['mask_ap50'] >= value['by_class'][0]['mask_ap']
    text = cbam_here('validate', '--results', file, '--data-val', data).stdout
    assert f'mask_ap {value["mask_ap"]:.4f}  mask_ap50 {value["mask_ap50"]:.4f}' in text
    for entry, message in (
        ({**results[1], 'segmentation': None}, 'entry[1]: some entries have a segmentation and others have none'),
        ({**results[1], 'segmentation': [[1, 2, 3, 4, 5, 6]]}, 'it must be a mask of size and counts'),
        ({**results[1], 'segmentation': {'size': [2, 2], 'counts': '4'}}, 'the image has 640 x 640'),
    ):
        file.write_text(json.dumps([results[0], entry, *results[2:]]))
        assert message in assert_one_line(cbam_here('validate', '--results', file, '--data-val', data), 4)

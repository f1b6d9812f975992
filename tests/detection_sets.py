"""Random true boxes and detections, and what pycocotools says of them."""

import contextlib
import io

import numpy as np
import pytest

from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.tasks.detection.detections import Detections

SIDE = 640


def random_set(seed, images=12, classes=5, most_truths=9, most_found=30, grid=1, score_digits=2):
    """(truths, detections): many near misses, ties of scores and overlaps, crowds, difficult objects and empty images.

    The last class has no true box and the one before it no detection; corners lie on a grid.
    """
    random = np.random.RandomState(seed)
    pairs = [
        _image(random, classes, random.randint(most_truths + 1), random.randint(most_found + 1), grid, score_digits)
        for _ in range(images)
    ]
    return [truth for truth, _ in pairs], [found for _, found in pairs]


def _image(random, classes, truths, found, grid, score_digits):
    corners = _corners(random, truths)
    boxes = Boxes.of(
        np.round(corners / grid) * grid, random.randint(0, classes - 1, truths), random.rand(truths) < 0.15,
        random.rand(truths) < 0.15, np.prod(corners[:, 2:] - corners[:, :2], axis=1) * random.uniform(0.5, 1, truths),
    )  # fmt: skip
    near = _corners(random, found)
    labels = random.randint(0, classes, found)
    if truths:  # most detections lie near a true box, of its class or of another
        chosen = random.randint(0, truths, found)
        moved = corners[chosen] + random.normal(0, 0.12, (found, 4)) * np.tile(
            corners[chosen, 2:] - corners[chosen, :2], 2
        )
        moved = np.concatenate([np.minimum(moved[:, :2], moved[:, 2:]), np.maximum(moved[:, :2], moved[:, 2:])], axis=1)
        copies = random.rand(found) < 0.8
        near[copies] = moved[copies]
        same = random.rand(found) < 0.7
        labels[same] = boxes.classes[chosen[same]]
    labels[labels == classes - 2] = classes - 1
    near = np.round(near / grid) * grid
    return boxes, Detections.of(labels, np.round(random.rand(found), score_digits), near)


def _corners(random, count):
    sides = np.exp(random.uniform(np.log(8), np.log(250), (count, 2)))
    low = random.uniform(0, 1, (count, 2)) * (SIDE - sides)
    return np.concatenate([low, low + sides], axis=1)


def coco_json(truths, classes):
    """The true boxes as a COCO document: images are numbered from 1, and so are categories."""
    annotations = [
        {
            'image_id': image + 1, 'category_id': int(label) + 1, 'bbox': xywh(corners), 'area': float(area),
            'iscrowd': int(crowd),
        }
        for image, boxes in enumerate(truths)
        for corners, label, area, crowd in zip(boxes.corners, boxes.classes, boxes.areas, boxes.crowd)
    ]  # fmt: skip
    return {
        'images': [{'id': n + 1, 'file_name': f'{n}.png', 'width': SIDE, 'height': SIDE} for n in range(len(truths))],
        'annotations': [{'id': number + 1, **annotation} for number, annotation in enumerate(annotations)],
        'categories': [{'id': number + 1, 'name': f'class {number}'} for number in range(classes)],
    }


def coco_results(detections):
    """The detections as COCO's results."""
    return [
        {'image_id': image + 1, 'category_id': int(label) + 1, 'bbox': xywh(corners), 'score': float(score)}
        for image, found in enumerate(detections)
        for corners, label, score in zip(found.corners, found.classes, found.scores)
    ]


def xywh(corners):
    """COCO's form of a box."""
    left, top, right, bottom = (float(value) for value in corners)
    return [left, top, right - left, bottom - top]


def pycocotools_evaluation(document, results, kind='bbox'):
    """The COCOeval of pycocotools after its summary; the test is skipped where it is not installed."""
    coco_module, evaluation = pytest.importorskip('pycocotools.coco'), pytest.importorskip('pycocotools.cocoeval')
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_module.COCO()
        truth.dataset = document
        truth.createIndex()
        evaluated = evaluation.COCOeval(truth, truth.loadRes(results), kind)
        evaluated.evaluate()
        evaluated.accumulate()
        evaluated.summarize()
    return evaluated

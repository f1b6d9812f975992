"""The reader of results of detectors in COCO's format."""

import json

from detection_sets import coco_results, random_set
from fuzz.reader import Reader, of_bytes

from gluon_cbam.detection.numbering import CocoIds
from gluon_cbam.detection.results import read_results
from gluon_cbam.tasks.detection.metrics.scores import score

IMAGES, CLASSES = 4, 5
TRUTHS, FOUND = random_set(0, images=IMAGES)
NAMES = [f'class {number}' for number in range(CLASSES)]


def read_and_score(path):
    detections = read_results(path, CocoIds.of(IMAGES, CLASSES))
    score(TRUTHS, detections, NAMES)


def entry(**changes):
    """A file of one entry, with other values."""
    text = json.dumps([{'image_id': 1, 'category_id': 1, 'bbox': [0, 0, 1, 1], 'score': 1, **changes}])
    return lambda original: text.replace('"BIG"', '9' * 5_000_000).encode()


RESULT_READERS = [
    Reader('coco results', of_bytes('results.json', json.dumps(coco_results(FOUND)).encode()), read_and_score,
           [entry(bbox=[1e308, 0, 1e308, 1e308]), entry(score='BIG'), entry(image_id='BIG'), entry(bbox=[[[]]] * 4),
            entry(category_id={}), lambda original: b'[' * 5_000_000, lambda original: b'[' + b'0,' * 5_000_000,
            lambda original: b'["' + b'a' * 50_000_000]),
]  # fmt: skip

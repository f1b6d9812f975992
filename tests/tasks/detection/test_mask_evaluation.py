"""Evaluation of a network that finds masks, and its loss on several devices."""

import mxnet as mx
import numpy as np
import pytest
from box_scenes import COLORS, found
from detection_runs import MASK_RCNN_OPTION, settings

from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.loading.box_mask_training import MaskedDetectionBatch
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.models import build
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.detection.examples import noise_batch
from gluon_cbam.tasks.detection.objective import DetectionObjective
from gluon_cbam.training import make_config

PLAIN = {name: Preprocessing(64, mean=(0.0,) * 3, std=(1 / 255,) * 3, resize=name) for name in ('stretch', 'letterbox')}


def start(images):
    """A network that finds the rectangle of each pure color, with a mask that fills it."""
    rows, masks = np.full((len(images), 8, 6), -1.0), np.zeros((len(images), 8, 28, 28))
    for number, image in enumerate(images):
        pixels = image.transpose(1, 2, 0).round().astype(np.uint8)
        boxes = [(kind, found(pixels, kind)) for kind in range(len(COLORS))]
        for row, (kind, box) in enumerate((kind, box) for kind, box in boxes if box is not None):
            rows[number, row], masks[number, row] = [kind, 0.5 + 0.1 * kind, *box], 1
    return lambda: [rows, masks]


@pytest.mark.parametrize('resize', PLAIN)
def test_masks_are_scored_in_pixels_of_the_pictures(resize, scenes, crowded):
    task = get_task('detection')
    evaluation = task.evaluate(start, BoxRecords(scenes / 'val.rec'), PLAIN[resize], 4, 1)
    figures = evaluation.figures
    assert figures['ap50'] > 0.8  # of the smallest rectangles, borders move by a half
    assert figures['mask_ap50'] == pytest.approx(figures['ap50'], abs=0.05)
    assert figures['mask_ap'] > figures['ap']  # most masks are those of the objects to the pixel
    truths, detections, sizes, masks = evaluation.results
    assert masks
    assert len({*sizes}) > 10
    for found_in, size in zip(detections, sizes):
        for text in found_in.segmentations:
            assert f'"size":[{size[0]},{size[1]}]' in text
    scored = task.scored(BoxRecords(scenes / 'val.rec'), evaluation)
    assert all(each.segmentations is not None for each in scored.detections)
    without = task.evaluate(start, BoxRecords(crowded / 'train.rec'), PLAIN[resize], 4, 1)
    assert 'ap' in without.figures
    assert 'mask_ap' not in without.figures


def test_losses_do_not_depend_on_the_number_of_devices(scenes):
    config = make_config(**settings(scenes, 'unused', network='mask_rcnn_fpn', option=MASK_RCNN_OPTION, image_size=64))
    values = {**vars(config.check()), 'classes': 5}
    objective = DetectionObjective(values, Preprocessing(64, resize='stretch'), BoxRecords(scenes / 'train.rec'))
    net = build('mask_rcnn_fpn', classes=5, **{**MASK_RCNN_OPTION, 'use_global_stats': True})
    mx.random.seed(3)
    net.initialize(ctx=[mx.cpu(0), mx.cpu(1)])
    batch = noise_batch(4, 64, 5, masks=True)

    def terms(counts):
        parts, first = [], 0
        for number, count in enumerate(counts):
            rows = [each[first : first + count].as_in_context(mx.cpu(number)) for each in batch]
            parts.append(MaskedDetectionBatch(*rows))
            first += count
        found_terms = []
        for part in objective.prepare(parts, 7, 0):
            with mx.autograd.train_mode():
                _, (each, _) = objective.loss(net, part)
            found_terms.append(np.stack([term.asnumpy() for term in each], axis=1))
        return np.concatenate(found_terms)

    whole = terms([4])
    assert whole.shape == (4, 5)
    assert (whole[:, 4] > 0).all()
    assert np.abs(terms([2, 2]) - whole).max() < 1e-4

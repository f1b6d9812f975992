"""Faster R-CNN as a detector of the task: training, devices, the loss of an objective, the dry run."""

import json

import mxnet as mx
import numpy as np
import pytest
from box_scenes import drawn, write_boxes
from detection_runs import NAMES, RCNN_OPTION, settings

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.loading.box_training import DetectionBatch, padded
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.models import build
from gluon_cbam.tasks.detection.objective import DetectionObjective
from gluon_cbam.training import make_config, train
from gluon_cbam.training.loop.dry_run import dry_run

SIZE = 64


def rcnn(data, output, **changes):
    return settings(
        data, output, **{'network': 'faster_rcnn_fpn', 'option': RCNN_OPTION, 'image_size': SIZE, **changes}
    )


def rectangles(seed):
    """Up to two rectangles, one in each half of a picture."""
    random = np.random.RandomState(seed)
    sides = random.randint(14, 30, (seed % 3, 2))
    low = [[half * 32 + random.randint(0, 33 - wide), random.randint(0, SIZE - high)]
           for half, (wide, high) in enumerate(sides)]  # fmt: skip
    low = np.array(low).reshape(-1, 2)
    return Boxes.of(np.concatenate([low, low + sides], axis=1), random.permutation(len(NAMES))[: len(sides)])


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    """The folder of train.rec and val.rec: rectangles in five colors on noise."""
    folder = tmp_path_factory.mktemp('pictures')
    for name, count, first in (('train', 96, 0), ('val', 24, 500)):
        made = []
        for seed in range(first, first + count):
            boxes = rectangles(seed)
            noise = np.random.RandomState(seed).randint(0, 40, (SIZE, SIZE, 3), np.uint8)
            made.append((np.maximum(drawn(SIZE, SIZE, boxes), noise), boxes))
        write_boxes(folder / f'{name}.rec', made, NAMES)
    return folder


def test_losses_do_not_depend_on_the_number_of_devices(pictures):
    records = BoxRecords(pictures / 'train.rec')
    values = {**vars(make_config(**rcnn(pictures, 'unused')).check()), 'classes': 5}
    objective = DetectionObjective(values, Preprocessing(SIZE, resize='stretch'), records)
    net = build('faster_rcnn_fpn', classes=5, **{**RCNN_OPTION, 'use_global_stats': True})
    mx.random.seed(3)
    net.initialize(ctx=[mx.cpu(0), mx.cpu(1)])
    random = np.random.RandomState(0)
    pixels = mx.nd.array(random.randint(0, 256, (4, SIZE, SIZE, 3)), dtype='uint8')
    boxes = mx.nd.array(padded([np.array([[n, 5, 5, 40, 50]], np.float32)[: n % 3 > 0] for n in range(4)]))

    def losses(counts):
        parts, first = [], 0
        for number, count in enumerate(counts):
            part = [each[first : first + count].as_in_context(mx.cpu(number)) for each in (pixels, boxes)]
            parts.append(DetectionBatch(*part))
            first += count
        found = []
        for part in objective.prepare(parts, 7, 0):
            with mx.autograd.train_mode():
                loss, (terms, positives) = objective.loss(net, part)
            assert loss.asnumpy() == pytest.approx(sum(term.asnumpy() for term in terms), rel=1e-5)
            found.append(np.stack([loss.asnumpy(), positives.asnumpy()], axis=1))
        return np.concatenate(found)

    whole = losses([4])
    assert whole[:, 1].tolist() == [0, *whole[1:3, 1], 0]
    assert (whole[1:3, 1] > 0).all()
    assert np.abs(losses([2, 2]) - whole).max() < 1e-4


def test_settings_of_ssd_are_refused(pictures, tmp_path):
    with pytest.raises(UsageError, match='--match-iou 0.6 is for SSD, which faster_rcnn_fpn is not: leave it out'):
        train(make_config(**rcnn(pictures, tmp_path, match_iou=0.6)))


@pytest.mark.slow
def test_training_finds_the_objects(pictures, tmp_path):
    train(make_config(**rcnn(pictures, tmp_path, epochs=14, lr=0.003, augment='flip', lr_mode='cosine')))
    epochs = [
        record for record in map(json.loads, (tmp_path / 'metrics.jsonl').read_text().splitlines())
        if record['kind'] == 'epoch'
    ]  # fmt: skip
    terms = ['region_class', 'region_box', 'class', 'box']
    for epoch in epochs:
        total = sum(epoch[f'train_{term}_loss'] for term in terms)
        assert epoch['train_loss'] == pytest.approx(total, rel=1e-4)
        assert epoch['train_positives'] > 0.5
    assert epochs[-1]['val_ap50'] > 0.6
    shown = (tmp_path / 'train.log').read_text()
    assert 'rpn class' in shown


@pytest.mark.slow
def test_dry_run_fits_a_few_pictures(pictures, tmp_path):
    report = dry_run(make_config(**rcnn(pictures, tmp_path / 'run', batch_size=4, augment='none')))
    assert report.fit.last_loss < 0.3 * report.fit.first_loss
    assert report.fit.figures['ap50'] > 0.2  # after 40 steps

"""CenterNet and YOLOv3 in training: what the terms are divided by, the dry run, devices, and that they learn."""

import json

import mxnet as mx
import numpy as np
import pytest
from box_scenes import drawn, write_boxes
from detection_runs import NAMES, POINTS, settings

from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.loading.box_training import DetectionBatch, padded
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.tasks.detection.objective import DetectionObjective
from gluon_cbam.training import make_config, train
from gluon_cbam.training.loop.dry_run import dry_run

TERMS = {
    'centernet': ['heatmap_loss', 'size_loss', 'offset_loss', 'positives'],
    'yolo3': ['object_loss', 'center_loss', 'size_loss', 'class_loss', 'positives'],
}


def run(name, data, output, **changes):
    return make_config(**settings(data, output, network=name, option=POINTS[name], **changes))


@pytest.mark.parametrize(('name', 'weight'), [('centernet', 4 / 3), ('yolo3', 1)])
def test_terms_are_divided_by_objects_or_images(name, weight, scenes):
    """Over both devices: three objects in four images."""
    values = {'network': name, 'classes': 5, 'option': POINTS[name], 'box_weight': 1.0, 'ignore_difficult': False}
    objective = DetectionObjective(values, Preprocessing(32, resize='stretch'), BoxRecords(scenes / 'train.rec'))
    rows = [np.array([[0, 2, 2, 12, 12], [1, 18, 3, 30, 9]]), np.array([[2, 4, 4, 20, 28]])]
    parts = []
    for number in range(2):
        context = mx.cpu(number)
        images = mx.nd.zeros((2, 32, 32, 3), dtype='uint8', ctx=context)
        boxes = mx.nd.array(padded([rows[number], np.zeros((0, 5))]), ctx=context)
        parts.append(DetectionBatch(images, boxes))
    assert [each.weight.asscalar() for each in objective.prepare(parts, 0, 0)] == pytest.approx([weight] * 2)


@pytest.mark.parametrize('name', POINTS)
def test_a_dry_run_fits_some_pictures(name, scenes, tmp_path):
    fit = dry_run(run(name, scenes, tmp_path / 'run', batch_size=4, image_size=96, augment='none')).fit
    assert fit.last_loss < 0.5 * fit.first_loss
    assert fit.figures['ap50'] > 0.3


@pytest.mark.parametrize('name', POINTS)
def test_devices_accumulated_batches_and_the_terms(name, scenes, tmp_path):
    more = {'cpus': 2, 'batch_size': 4, 'accumulate': 2, 'ema': 0.9, 'epochs': 1, 'multi_scale': '32,64'}
    summary = train(run(name, scenes, tmp_path / 'run', **more))
    assert summary['steps'] == 3
    last = json.loads((tmp_path / 'run' / 'metrics.jsonl').read_text().splitlines()[-1])
    assert [each for each in last if each[6:] in TERMS[name]] == [f'train_{term}' for term in TERMS[name]]
    assert all(np.isfinite(last[f'train_{term}']) for term in TERMS[name])


def large_objects(count, first):
    """Pictures of 48 pixels with one object of a third to two thirds of the sides in a noise."""
    for number in range(first, first + count):
        random = np.random.RandomState(number)
        low, size = random.randint(0, 16, 2), random.randint(16, 32, 2)
        boxes = Boxes.of([[*low, *(low + size)]], [random.randint(3)])
        yield np.maximum(drawn(48, 48, boxes), random.randint(0, 40, (48, 48, 3), np.uint8)), boxes


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'least'), [('centernet', 0.6), ('yolo3', 0.35)])
def test_it_learns_to_find_objects(name, least, tmp_path):
    write_boxes(tmp_path / 'train.rec', large_objects(320, 0), NAMES[:3])
    write_boxes(tmp_path / 'val.rec', large_objects(60, 1000), NAMES[:3])
    summary = train(
        run(
            name, tmp_path, tmp_path / 'run', image_size=48, batch_size=16, epochs=8, lr=0.004, wd=0.01, augment='flip',
            lr_mode='cosine', warmup_epochs=0.5, log_interval=100, best_figure='ap50',
        )
    )  # fmt: skip
    assert summary['best']['ap50'] > least

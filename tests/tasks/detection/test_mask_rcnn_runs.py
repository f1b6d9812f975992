"""Mask R-CNN as a detector of the task: its settings, training, scores beside pycocotools, the dry run."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from box_scenes import COLORS, write_boxes
from detection_runs import MASK_RCNN_OPTION, NAMES, settings
from detection_sets import pycocotools_evaluation

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.boxes.segmentations import mask_text
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.datasets.box_scenes import write_box_shapes
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.detection.metrics.coco import NAMES as FIGURES
from gluon_cbam.training import make_config, train
from gluon_cbam.training.loop.dry_run import dry_run

SIZE = 64


def masked(data, output, **changes):
    return settings(
        data, output, **{'network': 'mask_rcnn_fpn', 'option': MASK_RCNN_OPTION, 'image_size': SIZE, **changes}
    )


def ellipses(seed):
    """A picture with up to two ellipses in the colors of their classes, one in each half, on noise."""
    random = np.random.RandomState(seed)
    pixels = random.randint(0, 40, (SIZE, SIZE, 3)).astype(np.uint8)
    corners, texts, classes = [], [], random.permutation(len(NAMES))[: seed % 3]
    for half, kind in enumerate(classes):
        axes = random.randint(6, 15, 2)
        center = random.randint(axes + 1, [32 - axes[0], SIZE - axes[1]]) + [32 * half, 0]
        inside = cv2.ellipse(np.zeros((SIZE, SIZE), np.uint8), center.tolist(), axes.tolist(), 0, 0, 360, 1, -1) > 0
        pixels[inside] = COLORS[kind]
        rows, columns = np.nonzero(inside)
        corners.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        texts.append(mask_text(inside))
    return pixels, replace(Boxes.of(corners, classes), segmentations=np.array([*texts, ''], object)[:-1])


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    """The folder of train.rec and val.rec."""
    folder = tmp_path_factory.mktemp('pictures')
    for name, count, first in (('train', 96, 0), ('val', 24, 500)):
        write_boxes(folder / f'{name}.rec', [ellipses(seed) for seed in range(first, first + count)], NAMES)
    return folder


def test_data_without_masks_are_refused(crowded, scenes, tmp_path):
    for changes in ({'data_train': str(crowded / 'train.rec')}, {'data_val': str(crowded / 'train.rec')}):
        with pytest.raises(DataError, match=r'train.rec: no object has a mask, which mask_rcnn_fpn is trained with'):
            train(make_config(**masked(scenes, tmp_path / 'run', **changes)))
    assert not (tmp_path / 'run').exists() or not list((tmp_path / 'run').glob('*.params'))


def test_the_figures_of_masks_are_for_detectors_of_masks(scenes, tmp_path):
    with pytest.raises(UsageError, match='--best-figure mask_ap is for detectors of masks, which ssd_300 is not'):
        train(make_config(**settings(scenes, tmp_path, best_figure='mask_ap')))
    values = {**vars(make_config(**masked(scenes, tmp_path, best_figure='mask_ap')).check()), 'classes': 5}
    task = get_task('detection').configured(values)
    assert (task.best.name, task.best.label) == ('mask_ap', 'mask AP')
    assert [figure.name for figure in task.training_figures][5] == 'mask_loss'
    assert 'mask_ap' not in [figure.name for figure in get_task('detection').validation_figures]


def test_other_masks_are_other_data(pictures, tmp_path):
    values = {**vars(make_config(**masked(pictures, tmp_path)).check()), 'classes': 5}
    task, found = get_task('detection').configured(values), []
    for shift in (0, 1):
        made = [ellipses(seed) for seed in range(6)]
        texts = made[1][1].segmentations
        texts[0] = mask_text(np.arange(SIZE * SIZE).reshape(SIZE, SIZE) < 50 + shift)
        write_boxes(tmp_path / 'x.rec', made, NAMES)
        found.append(task.fingerprint(task.open_training(tmp_path / 'x.rec', 5)))
    assert found[0] != found[1]
    assert get_task('detection').fingerprint(BoxRecords(tmp_path / 'x.rec')) not in found


@pytest.mark.slow
def test_training_finds_masks_and_scores_as_pycocotools(tmp_path, cbam_here):
    """On drawn scenes of discs and rings among distractors, up to eight in a picture."""
    pictures = tmp_path / 'shapes'
    write_box_shapes(pictures, SIZE, 160, 32, classes=2)
    option = {
        **MASK_RCNN_OPTION, 'pyramid_channels': 32, 'head_channels': 64, 'mask_channels': 32,
        'anchor_sizes': [8, 12, 20, 32, 48],
    }  # fmt: skip
    run, results = tmp_path / 'run', tmp_path / 'results.json'
    train(make_config(**masked(pictures, run, option=option, epochs=10, lr=0.003, augment='flip', lr_mode='cosine',
                               best_figure='mask_ap')))  # fmt: skip
    epochs = [
        record for record in map(json.loads, (run / 'metrics.jsonl').read_text().splitlines())
        if record['kind'] == 'epoch'
    ]  # fmt: skip
    terms = ['region_class', 'region_box', 'class', 'box', 'mask']
    for epoch in epochs:
        assert epoch['train_loss'] == pytest.approx(sum(epoch[f'train_{term}_loss'] for term in terms), rel=1e-4)
    assert epochs[-1]['val_ap50'] > 0.1
    assert epochs[-1]['val_mask_ap50'] > 0.1
    assert epochs[-1]['val_mask_ap'] > 0.025
    assert 'mask AP' in (run / 'train.log').read_text()
    data = ('--data-val', pictures / 'val.rec', '--json')
    done = cbam_here('validate', '--params', run, *data, '--save-results', results)
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert value['mask_ap'] == pytest.approx(max(epoch['val_mask_ap'] for epoch in epochs), abs=1e-6)
    entries = json.loads(results.read_text())
    document = truth(pictures / 'val.rec')
    for kind, prefix in (('segm', 'mask_'), ('bbox', '')):
        own = [{key: entry[key] for key in entry if key != 'bbox' or kind == 'bbox'} for entry in entries]
        expected = pycocotools_evaluation(document, own, kind).stats
        np.testing.assert_allclose([value.get(f'{prefix}{name}', -1) for name in FIGURES], expected, rtol=0, atol=1e-9)
    again = cbam_here('validate', '--results', results, *data)
    assert json.loads(again.stdout)['mask_ap'] == pytest.approx(value['mask_ap'], abs=1e-12)


def truth(path):
    """The records as a COCO document."""
    records, annotations = BoxRecords(path), []
    records.read_segmentations()
    ids = records.records.ids.tolist()
    for number in range(len(records)):
        boxes = records.boxes_of(number)
        texts = boxes.segmentations if boxes.segmentations is not None else ()
        for corners, kind, area, text in zip(boxes.corners.tolist(), boxes.classes.tolist(), boxes.areas, texts):
            box = [*corners[:2], corners[2] - corners[0], corners[3] - corners[1]]
            annotations.append({
                'id': len(annotations) + 1, 'image_id': ids[number], 'category_id': kind + 1, 'bbox': box,
                'area': float(area), 'iscrowd': 0, 'segmentation': json.loads(text),
            })  # fmt: skip
    return {
        'images': [{'id': number, 'height': SIZE, 'width': SIZE} for number in ids],
        'annotations': annotations, 'categories': [{'id': kind + 1, 'name': name} for kind, name in enumerate(NAMES)],
    }  # fmt: skip


@pytest.mark.slow
def test_dry_run_fits_a_few_pictures(pictures, tmp_path):
    report = dry_run(make_config(**masked(pictures, tmp_path / 'run', batch_size=4, augment='none')))
    assert report.fit.last_loss < 0.4 * report.fit.first_loss
    assert report.fit.figures['ap50'] > 0.2  # after 40 steps
    assert report.fit.figures['mask_ap50'] > 0.2

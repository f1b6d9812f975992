"""Segmentation as a task: training, validation, prediction; every command knows the task only."""

import json
import random

import cv2
import mask_scenes
import mxnet as mx
import numpy as np
import pytest
from kills import CBAM, finish, kill
from run_folders import assert_same_run
from thread_groups import in_group

from gluon_cbam import get_model
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.class_masks.records import MaskRecords
from gluon_cbam.inference.model import load
from gluon_cbam.inference.network import load_network
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.evaluation import evaluate, on_contexts
from gluon_cbam.training import make_config, train
from gluon_cbam.training.config.recipes import read_recipe
from gluon_cbam.training.loop.dry_run import dry_run
from gluon_cbam.training.optim.learning_rates import set_learning_rates
from gluon_cbam.training.optim.lr_schedule import schedule
from gluon_cbam.training.parameters.selection import named

CPU = [mx.cpu()]


def epochs(output):
    records = [json.loads(line) for line in (output / 'metrics.jsonl').read_text().splitlines()]
    return [record for record in records if record['kind'] == 'epoch']


def test_files_of_a_run(trained):
    found = epochs(trained)
    for epoch in found:
        assert epoch['train_loss'] == pytest.approx(epoch['train_pixel_loss'] + epoch['train_aux_loss'], rel=1e-5)
        assert {'val_miou', 'val_pixel_accuracy', 'val_mean_accuracy'} <= set(epoch)
    assert found[-1]['train_loss'] < 0.8 * found[0]['train_loss']
    summary = json.loads((trained / 'summary.json').read_text())
    assert summary['best']['miou'] == max(epoch['val_miou'] for epoch in found)
    card = json.loads((trained / 'checkpoints' / 'best.json').read_text())
    assert (card['task'], card['classes'], card['class_names']) == ('segmentation', 4, mask_scenes.NAMES)
    assert card['preprocessing']['resize'] == 'letterbox'
    assert 'validation mIoU 0.' in (trained / 'train.log').read_text()


def by_hand(path, data, size=(32, 32)):
    """The table of pixels of the parameters of a run by a plain loop, at the size of each picture."""
    loaded, records, table = load_network('fcn', CPU, str(path)), MaskRecords(data), np.zeros((4, 4), int)
    for number in range(len(records)):
        pixels, truth = records.load(number)
        height, width = truth.shape
        factor = min(size[0] / height, size[1] / width)
        tall, wide = (int(np.floor(length * factor + 0.5)) for length in (height, width))
        small = np.full((*size, 3), np.array([124, 116, 104]), np.uint8)  # the mean color
        small[:tall, :wide] = cv2.resize(pixels, (wide, tall), interpolation=cv2.INTER_LINEAR)
        small = (small / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        (logits,) = loaded.net(mx.nd.array(small.transpose(2, 0, 1)[None])).asnumpy()
        seen = [cv2.resize(each[:tall, :wide].copy(), (width, height)) for each in logits]
        found = np.argmax(seen, axis=0)
        for true, guess in zip(truth.ravel(), found.ravel()):
            if true != 255:
                table[true, guess] += 1
    return table


def scored(path, data, batch_size=4, group=None):
    task, loaded = get_task('segmentation'), load_network('fcn', CPU, str(path))
    records = task.open_validation(data, 4)
    start = on_contexts(loaded.net, CPU)
    return task.evaluate(start, records, loaded.preprocessing, batch_size, 2, process_group=group)


def test_every_pixel_counts_once_over_any_batches_and_processes(trained, scenes):
    path, data = trained / 'checkpoints' / 'best.params', scenes / 'val.rec'
    whole = scored(path, data)
    assert whole.records == 11
    counted = sum((mask != 255).sum() for _, mask in map(MaskRecords(data).load, range(11)))
    assert whole.scores.table.sum() == counted
    assert np.abs(whole.scores.table - by_hand(path, data)).sum() <= 4, 'rounding moves a pixel at most'
    for found in (scored(path, data, 3), *in_group(3, lambda rank, group: scored(path, data, 2, group))):
        assert np.array_equal(found.scores.table, whole.scores.table) and found.records == 11
        assert np.array_equal(found.pictures.miou, whole.pictures.miou)
    assert max(epoch['val_miou'] for epoch in epochs(trained)) == pytest.approx(whole.figures['miou'], abs=1e-6)


def test_inputs_that_are_not_square(scenes, tmp_path):
    output = tmp_path / 'wide'
    train(make_config(**mask_scenes.settings(scenes, output, image_size='24,40', augment='segmentation', epochs=3)))
    found = scored(output, scenes / 'val.rec')
    assert np.abs(found.scores.table - by_hand(output, scenes / 'val.rec', (24, 40))).sum() <= 4
    assert epochs(output)[-1]['val_miou'] == pytest.approx(found.figures['miou'], abs=1e-3)
    pixels, _ = mask_scenes.scene(100, 30, 50)
    (prediction,) = load(output).predict([pixels])
    assert prediction.mask.shape == pixels.shape[:2]


def test_more_processes_than_records(trained, scenes, tmp_path):
    mask_scenes.write_masks(tmp_path / 'one.rec', [mask_scenes.scene(1)])
    path = trained / 'checkpoints' / 'best.params'
    whole = scored(path, tmp_path / 'one.rec')
    for found in in_group(2, lambda rank, group: scored(path, tmp_path / 'one.rec', 2, group)):
        assert np.array_equal(found.scores.table, whole.scores.table)


def test_predictions(trained, scenes, tmp_path):
    pixels, _ = mask_scenes.scene(300, 40, 56)
    model = load(trained / 'checkpoints' / 'best.params')
    (found,) = model.predict(pixels)
    assert found.mask.shape == (40, 56) and found.error is None
    assert sum(each.share for each in found.classes) == pytest.approx(1)
    for each in found.classes:
        assert each.label == mask_scenes.NAMES[each.number] and each.pixels == (found.mask == each.number).sum()
    assert found.values()['classes'][0] == found.classes[0].as_dict()
    (tmp_path / 'bad.png').write_bytes(b'no')
    (bad,) = model.predict(str(tmp_path / 'bad.png'))
    assert bad.error and bad.mask is None


def test_dry_run_fits_a_batch(scenes, tmp_path):
    report = dry_run(
        make_config(**mask_scenes.settings(scenes, tmp_path / 'run', batch_size=4, cpus=2, augment='none'))
    )
    assert report.fit.images == 8, 'four on each device'
    assert report.fit.last_loss < 0.6 * report.fit.first_loss
    assert report.fit.figures['pixel_accuracy'] > 0.8
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize(
    ('changes', 'error', 'reason'),
    [
        (
            {'network': 'cbamnet_tiny', 'option': {}, 'augment': 'none'},
            UsageError,
            'gives no classes of pixels: take fcn',
        ),
        ({'resize': 'crop'}, UsageError, '--resize crop hides a part of a picture'),
        ({'mixup': 0.2}, UsageError, 'for images with one label'),
        ({'augment': 'ssd'}, UsageError, "unknown augmentation 'ssd' of pictures with masks"),
        ({'classes': 3}, DataError, 'not a class in 0..2'),
    ],
)
def test_what_does_not_fit_is_refused_before_training(scenes, tmp_path, changes, error, reason):
    with pytest.raises(error, match=reason):
        train(make_config(**mask_scenes.settings(scenes, tmp_path / 'run', **changes)))
    assert not (tmp_path / 'run' / 'checkpoints').exists() or not list((tmp_path / 'run' / 'checkpoints').iterdir())


def test_networks_of_other_tasks_refuse_segmentation(scenes):
    for name in ('classification', 'detection'):
        net = load_network('fcn', CPU, classes=3, options=mask_scenes.OPTION).net
        with pytest.raises(UsageError, match='give --task segmentation|finds no boxes'):
            get_task(name).check_network(net, 'fcn', 3)
    with pytest.raises(DataError, match='give --task segmentation'):
        get_task('classification').open_training(scenes / 'train.rec', 4)


def test_parameters_without_a_card_are_for_what_the_network_is_made_for():
    assert load_network('fcn', CPU, classes=3, options=mask_scenes.OPTION).task.name == 'segmentation'


def test_advice_names_networks_that_can_be_a_backbone():
    fcn = load_network('fcn', CPU, classes=3, options=mask_scenes.OPTION).net
    with pytest.raises(UsageError, match='fcn finds no boxes: take a detector, such as ssd_300$'):
        get_task('detection').check_network(fcn, 'fcn', 3)
    ssd = load_network('ssd_300', CPU, classes=3, options={'backbone': 'cbamnet_tiny'}).net
    with pytest.raises(UsageError, match='take fcn or deeplabv3$'):
        get_task('segmentation').check_network(ssd, 'ssd_300', 3)


@pytest.mark.parametrize('name', ['fcn', 'deeplabv3'])
def test_recipes_have_the_settings_of_the_source(name):
    config = make_config(**read_recipe(name).values, data_train='train.rec').check()
    assert (config.task, config.network, config.image_size, config.base_size) == ('segmentation', name, 480, 520)
    assert (config.total_batch_size, config.epochs, config.optimizer, config.wd) == (16, 50, 'sgd', 1e-4)
    rate = schedule(config, 100)
    assert rate(0) == 1e-3 and rate(4999) == 0
    assert rate(2500) == pytest.approx(1e-3 * (1 - 2500 / 4999) ** 0.9)


@pytest.mark.parametrize(('name', 'parts'), [('fcn', {'head'}), ('deeplabv3', {'head', 'pyramid'})])
@pytest.mark.parametrize('aux', [True, False])
def test_heads_of_the_recipes_learn_ten_times_as_fast(name, parts, aux):
    """As ``lr_mult`` of ``head``, which holds the pyramid, and ``auxlayer`` in GluonCV's model_zoo."""
    net = get_model(name, backbone='cbam_resnet18', attention='cbam', attention_in='both', classes=3, aux=aux)
    found = set_learning_rates(net, make_config(**read_recipe(name).values, data_train='train.rec').lr_mult)
    parts = {*parts, 'aux_head'} if aux else parts
    for key, parameter in named(net).items():
        assert parameter.lr_mult == (10 if key.split('.')[0] in parts and key in found else 1)
        assert (key in found) == (key.split('.')[0] in parts and parameter.grad_req != 'null')


@pytest.mark.slow
def test_a_run_that_is_killed_equals_an_uninterrupted_one(scenes, tmp_path):
    changes = {'epochs': 3, 'log_interval': 1, 'save_interval': 2, 'augment': 'segmentation', 'ema': 0.9}
    values = mask_scenes.settings(scenes, tmp_path / 'run', **changes)
    train(make_config(**{**values, 'output': str(tmp_path / 'unbroken')}))
    flags = [f'--{name.replace("_", "-")}={value}' for name, value in values.items() if name != 'option']
    command = [CBAM, 'train', *flags, *(f'--option={name}={value}' for name, value in values['option'].items())]
    chance = random.Random(1)
    moments = [kill(command, tmp_path / 'run', chance) for _ in range(2)]
    assert moments != [None] * 2, 'the run ended before it was killed'
    finish(command)
    assert_same_run(tmp_path / 'run', tmp_path / 'unbroken')


@pytest.mark.slow
def test_scenes_are_learned(tmp_path):
    """A small FCN with CBAM finds the rectangles of scenes that it was not trained on."""
    mask_scenes.write_masks(tmp_path / 'train.rec', [mask_scenes.scene(number) for number in range(96)])
    mask_scenes.write_masks(tmp_path / 'val.rec', [mask_scenes.scene(500 + number) for number in range(24)])
    train(make_config(**mask_scenes.settings(tmp_path, tmp_path / 'run', epochs=12, lr=0.004, keep_best=1)))
    task, loaded = get_task('segmentation'), load_network(None, CPU, str(tmp_path / 'run'))
    records = task.open_validation(tmp_path / 'val.rec', 4)
    figures = evaluate(task, loaded.net, records, loaded.preprocessing, CPU, 24, 1).figures
    assert figures['miou'] > 0.6 and figures['pixel_accuracy'] > 0.85

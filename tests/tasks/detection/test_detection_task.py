"""Detection as a task: training, validation, prediction, publishing; every command knows the task only."""

import csv
import json
import os
import signal

import cv2
import mxnet as mx
import numpy as np
import pytest
from box_scenes import drawn, write_boxes
from detection_runs import NAMES, OPTION, settings
from records import encoded
from run_folders import assert_same_run
from thread_groups import in_group

from gluon_cbam.benchmarks import cbam_workloads
from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.common.errors import DataError, Interrupted, RunError, UsageError
from gluon_cbam.data.boxes.labels import encode
from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.loading import epochs
from gluon_cbam.data.loading.box_training import DetectionData
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordWriter
from gluon_cbam.inference.model import load
from gluon_cbam.inference.network import load_network
from gluon_cbam.publishing import publish as publishing
from gluon_cbam.publishing.publish import About
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.detection.detections import Detections
from gluon_cbam.tasks.detection.losses.ssd import SSDLoss
from gluon_cbam.tasks.detection.metrics.scores import score
from gluon_cbam.tasks.evaluation import evaluate, on_contexts
from gluon_cbam.training import make_config, train
from gluon_cbam.training.loop.dry_run import dry_run

CPU = [mx.cpu()]


def metrics(output, kind):
    records = [json.loads(line) for line in (output / 'metrics.jsonl').read_text().splitlines()]
    return [record for record in records if record['kind'] == kind]


def test_files_of_a_run(trained):
    epochs = metrics(trained, 'epoch')
    names = ['train_loss', 'train_class_loss', 'train_box_loss', 'train_positives', 'val_ap', 'val_ap50', 'val_ap75']
    assert list(epochs[0])[4:11] == names
    assert {'val_voc07', 'val_ar100'} <= set(epochs[0])
    for epoch in epochs:
        assert epoch['train_loss'] == pytest.approx(epoch['train_class_loss'] + epoch['train_box_loss'], rel=1e-5)
        assert epoch['train_positives'] >= 1
    assert epochs[-1]['train_loss'] < 0.7 * epochs[0]['train_loss']
    summary = json.loads((trained / 'summary.json').read_text())
    assert summary['best']['ap'] == max(epoch['val_ap'] for epoch in epochs)
    assert summary['final'] == {
        'ap': epochs[-1]['val_ap'], 'ap50': epochs[-1]['val_ap50'], 'voc07': epochs[-1]['val_voc07'],
        **{name: epochs[-1][f'train_{name}'] for name in ('loss', 'class_loss', 'box_loss', 'positives')},
    }  # fmt: skip
    card = json.loads((trained / 'checkpoints' / 'best.json').read_text())
    assert (card['task'], card['classes'], card['class_names']) == ('detection', 5, NAMES)
    assert card['preprocessing']['resize'] == 'stretch'
    assert 'validation AP 0.' in (trained / 'train.log').read_text()


def by_hand(path, data, tall=64, wide=64):
    """The truths and the detections of the parameters of a run by a plain loop."""
    loaded, records = load_network('ssd_300', CPU, str(path)), BoxRecords(data)
    detections, truths = [], []
    for number in range(len(records)):
        pixels = decode(records.records[number].image, 'x')
        height, width = pixels.shape[:2]
        small = cv2.resize(pixels, (wide, tall), interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
        small = (small - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        (rows,) = loaded.net(mx.nd.array(small.transpose(2, 0, 1)[None])).asnumpy().astype(float)
        rows = rows[rows[:, 0] >= 0]
        corners = (rows[:, 2:] * [width / wide, height / tall, width / wide, height / tall]).clip(
            0, [width, height] * 2
        )
        inside = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
        detections.append(Detections.of(rows[inside, 0], rows[inside, 1], corners[inside]))
        truths.append(records.boxes_of(number))
    return truths, detections


@pytest.mark.parametrize(('size', 'devices', 'batch_size'), [(1, 1, 5), (1, 2, 16), (3, 1, 4), (3, 2, 50)])
def test_validation_is_exact_and_sharded(trained, scenes, size, devices, batch_size):
    ctx = [mx.cpu(number) for number in range(devices)]
    networks = [load_network('ssd_300', ctx, str(trained)) for _ in range(size)]
    for loaded in networks:  # MXNet traces in one thread at a time
        on_contexts(loaded.net, ctx)(np.zeros((batch_size * devices, 3, 32, 32), np.float32))()

    def run(rank, group):
        loaded = networks[rank]
        data = loaded.task.open_validation(scenes / 'val.rec', 5)
        return evaluate(loaded.task, loaded.net, data, loaded.preprocessing, ctx, batch_size, 1, process_group=group)

    found = in_group(size, run)
    truths, detections = by_hand(trained, scenes / 'val.rec')
    expected = score(truths, detections, NAMES).figures
    assert sum(map(len, detections)) > 20
    for scored in found:
        assert scored.records == 19
        assert scored.figures == pytest.approx(expected, abs=1e-6)
        assert [len(each) for each in scored.results.detections] == [len(each) for each in detections]
        for mine, other in zip(scored.results.detections, detections):
            assert np.array_equal(mine.classes, other.classes)
            assert np.allclose(mine.corners, other.corners, atol=1e-2)
    boxes = get_task('detection').scored(BoxRecords(scenes / 'val.rec'), found[0])
    assert boxes.load(3).shape == (35, 57, 3)


def test_inputs_that_are_not_square(scenes, tmp_path):
    output = tmp_path / 'wide'
    train(make_config(**settings(scenes, output, image_size='40,72', augment='ssd', epochs=3, lr=0.002)))
    loaded = load_network('ssd_300', CPU, str(output))
    assert loaded.preprocessing.shape == (40, 72)
    data = loaded.task.open_validation(scenes / 'val.rec', 5)
    found = evaluate(loaded.task, loaded.net, data, loaded.preprocessing, CPU, 7, 1)
    truths, detections = by_hand(output, scenes / 'val.rec', 40, 72)
    assert sum(map(len, detections)) > 20
    assert found.figures == pytest.approx(score(truths, detections, NAMES).figures, abs=1e-6)
    assert metrics(output, 'epoch')[-1]['val_ap'] == pytest.approx(found.figures['ap'], abs=1e-6)


def interrupted(step):
    """A display that sends SIGTERM at a step."""
    shown = [0]

    def show(batches, total, text):
        for batch in batches:
            if shown[0] == step:
                os.kill(os.getpid(), signal.SIGTERM)
            shown[0] += 1
            yield batch

    return show


@pytest.mark.parametrize(
    'changes',
    [
        {'augment': 'ssd', 'multi_scale': [32, 96]},
        pytest.param({'augment': 'mosaic'}, marks=pytest.mark.slow),
    ],
)
def test_a_run_resumes_bit_for_bit(scenes, tmp_path, changes, monkeypatch):
    monkeypatch.setattr(epochs, '_ONE_SIZE', 2)
    run, unbroken = (settings(scenes, tmp_path / name, **changes, ema=0.9) for name in ('run', 'unbroken'))
    train(make_config(**unbroken))
    with pytest.raises(Interrupted, match='SIGTERM at step 4'):
        train(make_config(**run), progress=interrupted(4))
    train(make_config(**run, resume='auto'))
    assert_same_run(tmp_path / 'run', tmp_path / 'unbroken')


def test_devices_accumulated_batches_and_the_best_figure(scenes, tmp_path):
    summary = train(make_config(**settings(
        scenes, tmp_path / 'run', cpus=2, batch_size=4, accumulate=2, ema=0.9, epochs=1, best_figure='voc07',
    )))  # fmt: skip
    assert (summary['steps'], set(summary['best'])) == (3, {'epoch', 'step', 'voc07'})


def test_a_loss_that_is_not_finite_names_the_term_and_the_pictures(scenes, tmp_path, monkeypatch):
    forward = SSDLoss.hybrid_forward

    def wrong(self, F, *inputs):
        of_classes, of_boxes = forward(self, F, *inputs)
        return of_classes, of_boxes * float('nan')

    monkeypatch.setattr(SSDLoss, 'hybrid_forward', wrong)
    with pytest.raises(RunError) as caught:
        train(make_config(**settings(scenes, tmp_path / 'run')))
    numbers = DetectionData(BoxRecords(scenes / 'train.rec'), 8, Preprocessing(32), 'ssd', 0, 1).numbers(0, 0)
    assert str(caught.value).startswith(
        f'the loss is nan at step 1 (epoch 1) (box nan), of records {", ".join(map(str, numbers))} of '
        f'{scenes / "train.rec"}: the run diverged'
    )


def test_a_dry_run_fits_some_pictures(scenes, tmp_path):
    report = dry_run(make_config(**settings(scenes, tmp_path / 'run', batch_size=4, cpus=2, augment='none')))
    assert (report.steps_per_epoch, report.fit.images) == (6, 8), 'four on each device'
    assert report.fit.last_loss < 0.1 * report.fit.first_loss
    assert report.fit.figures['ap50'] > 0.9
    assert report.as_dict()['fit']['figures'] == report.fit.figures
    assert f'8 images in 40 steps of Adam: loss {report.fit.first_loss:.4f} to' in report.as_text()
    assert not (tmp_path / 'run').exists()


# data


def test_the_classes_are_those_of_the_data(scenes, tmp_path):
    task = get_task('detection')
    assert task.labels(scenes / 'train.rec', None) == (5, NAMES)
    boxes = Boxes.of([[0, 0, 9, 9], [0, 0, 5, 5]], [3, 1])
    write_boxes(tmp_path / 'unnamed.rec', [(drawn(32, 32, boxes), boxes)])
    assert task.labels(tmp_path / 'unnamed.rec', None) == (4, None)
    with pytest.raises(DataError, match=r'record 0 at offset 0: object 0 has class 3, not a class in 0..2 \(1 of 2'):
        task.open_training(tmp_path / 'unnamed.rec', 3)


def test_other_names_of_classes_are_refused(scenes, tmp_path):
    boxes = Boxes.of([[0, 0, 9, 9]], [0])
    write_boxes(tmp_path / 'val.rec', [(drawn(32, 32, boxes), boxes)], ['red', 'blue', 'green'])
    with pytest.raises(DataError, match="class 1 is 'blue' in .*, but 'green' in .*--ignore-classes"):
        train(make_config(**settings(scenes, tmp_path / 'run', data_val=str(tmp_path / 'val.rec'))))
    assert not (tmp_path / 'run').exists()


def test_records_of_classification_and_of_detection_are_told_apart(scenes, digits, tmp_path):
    with pytest.raises(DataError, match='has 1 label, as records of classification: it holds no boxes'):
        train(make_config(**settings(digits, tmp_path / 'run')))
    with pytest.raises(DataError, match='val.rec has boxes, .*: give --task detection'):
        get_task().open_validation(scenes / 'val.rec', 5)


def test_networks_of_other_tasks_are_refused(scenes, tmp_path):
    with pytest.raises(UsageError, match='cbamnet_tiny finds no boxes: take a detector, such as ssd_300 --option back'):
        train(make_config(**settings(scenes, tmp_path / 'run', network='cbamnet_tiny', option={})))
    net = load_network('ssd_300', CPU, classes=5, options=OPTION).net
    for task in ('classification', 'faces'):
        with pytest.raises(UsageError, match='ssd_300 finds boxes and .*: give --task detection'):
            get_task(task).check_network(net, 'ssd_300', 5)


def test_settings_of_labels_are_refused(scenes, tmp_path):
    for name, value in (('mixup', 0.2), ('label_smoothing', 0.1), ('cutmix', 1)):
        with pytest.raises(UsageError, match=f'--{name.replace("_", "-")} {value:g} is for images with one label'):
            train(make_config(**settings(scenes, tmp_path / 'run', **{name: value})))
    with pytest.raises(UsageError, match='--label-index 1: the task detection has no label to choose'):
        train(make_config(**settings(scenes, tmp_path / 'run', label_index=1)))
    for sizes in ([320], [30, 64], [64, 32], [32.5, 64], [0, 32], [32, 8192]):
        with pytest.raises(UsageError, match=f'--multi-scale takes two multiples of 32 .*, got {sizes[0]:g}'):
            train(make_config(**settings(scenes, tmp_path / 'run', multi_scale=sizes)))
    vgg = dict(network='ssd_300_vgg16', option={'widen': 0.125}, image_size=288)
    with pytest.raises(UsageError, match='--multi-scale from 256: SSD takes inputs of at least 257 x 257, got 256'):
        train(make_config(**settings(scenes, tmp_path / 'run', multi_scale=[256, 320], **vgg)))
    assert not (tmp_path / 'run').exists()
    with pytest.raises(UsageError, match="unknown augmentation 'imagenet' of pictures with boxes"):
        train(make_config(**settings(scenes, tmp_path / 'run', augment='imagenet')))


def test_validation_data_must_have_objects(tmp_path):
    crowd = Boxes.of([[0, 0, 9, 9]], [0], crowd=[True])
    write_boxes(tmp_path / 'val.rec', [(drawn(32, 32, each), each) for each in (Boxes.empty(), crowd)])
    with pytest.raises(DataError, match='val.rec has no object, crowds aside: there is nothing to measure'):
        get_task('detection').open_validation(tmp_path / 'val.rec', 1)


def test_a_label_of_another_picture_is_refused(trained, tmp_path):
    boxes = Boxes.of([[0, 0, 9, 9]], [0])
    with RecordWriter(tmp_path / 'val.rec') as writer:
        writer.write(encode(boxes, 48, 64).tolist(), encoded(drawn(32, 32, boxes)))
    loaded = load_network('ssd_300', CPU, str(trained))
    data = loaded.task.open_validation(tmp_path / 'val.rec', 5)
    with pytest.raises(
        DataError, match='record 0 at offset 0: its label is of a picture of 64 x 48 pixels, .* 32 x 32'
    ):
        evaluate(loaded.task, loaded.net, data, loaded.preprocessing, CPU, 4, 1)


def test_the_fingerprint_follows_the_boxes(tmp_path):
    task = get_task('detection')

    def fingerprint(name, *boxes):
        pictures = [(np.zeros((32, 32, 3), np.uint8), each) for each in boxes]
        records = write_boxes(tmp_path / f'{name}.rec', pictures)
        return task.fingerprint(records)

    one, other = Boxes.of([[0, 0, 9, 9]], [1]), Boxes.of([[0, 0, 9, 10]], [1])
    first = fingerprint('a', one, other)
    assert fingerprint('b', one, other) == first
    assert fingerprint('c', other, one) != first
    assert fingerprint('d', one, Boxes.of([[0, 0, 9, 10]], [0])) != first


# commands


def test_the_command_validates(cbam_here, trained, scenes):
    arguments = ['--params', trained, '--data-val', scenes / 'val.rec']
    value = json.loads(cbam_here('validate', *arguments, '--json').stdout)
    expected = score(*by_hand(trained, scenes / 'val.rec'), NAMES).figures
    assert {name: value[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert list(value)[:4] == ['network', 'params_sha256', 'records', 'ap']
    assert f'19 of 19 records, each once: AP {value["ap"]:.4f}, AP50' in cbam_here('validate', *arguments).stdout


def test_the_command_predicts(cbam_here, trained, scenes, tmp_path):
    arguments = [scenes / 'val.rec', '--params', trained]
    images = json.loads(cbam_here('predict', *arguments, '--json').stdout)['images']
    _, detections = by_hand(trained, scenes / 'val.rec')
    for number, (image, expected) in enumerate(zip(images, detections)):
        assert (image['height'], image['width']) == (32 + number, 60 - number)
        assert [box['class'] for box in image['boxes']] == expected.classes.tolist()
        assert [box['label'] for box in image['boxes']] == [NAMES[kind] for kind in expected.classes]
        corners = np.array([box['box'] for box in image['boxes']]).reshape(-1, 4)
        assert np.allclose(corners, expected.corners, atol=1e-2)
        assert [box['score'] for box in image['boxes']] == pytest.approx(expected.scores.tolist(), abs=1e-4)
    assert cbam_here('predict', *arguments, '--csv', tmp_path / 'b.csv').returncode == 0
    with open(tmp_path / 'b.csv') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(max(len(each), 1) for each in detections)
    boxes = [box for image in images for box in image['boxes']]
    assert [(row['label'], float(row['xmax'])) for row in rows if row['label']] == [
        (box['label'], box['box'][2]) for box in boxes
    ]
    first = cbam_here('predict', *arguments).stdout.splitlines()[0]
    assert f'val.rec#0: {len(images[0]["boxes"])} object' in first


def test_boxes_are_chosen(cbam_here, trained, scenes):
    arguments = ['predict', scenes / 'val.rec', '--params', trained, '--json']

    def boxes(*options):
        images = json.loads(cbam_here(*arguments, *options).stdout)['images']
        return [[(box['label'], box['score']) for box in image['boxes']] for image in images]

    everything = boxes()
    scores = sorted(score for image in everything for _, score in image)
    middle = scores[len(scores) // 2]
    assert boxes('--threshold', middle) == [[box for box in image if box[1] >= middle] for image in everything]
    some = boxes('--only', 'red', '--only', 'blue')
    assert some == [[box for box in image if box[0] in ('red', 'blue')] for image in everything]
    assert boxes('--top-k', 1) == [image[:1] for image in everything]
    process = cbam_here(*arguments, '--only', 'gren')
    assert process.returncode == 2
    assert "the network has no class 'gren': did you mean green" in process.stderr


def test_other_tasks_have_no_boxes_to_choose(cbam_here, digits):
    process = cbam_here('predict', digits / 'val.rec', '--pretrained', 'cbamnet_tiny.digits', '--threshold', 0.5)
    assert process.returncode == 2
    assert '--threshold chooses boxes or labels, which the task of the network does not give' in process.stderr


def test_three_lines_of_python(trained, scenes):
    model = load(str(trained))
    pixels = decode(BoxRecords(scenes / 'val.rec').records[4].image, 'x')
    (prediction,) = model.predict(pixels)
    _, detections = by_hand(trained, scenes / 'val.rec')
    assert len(prediction.boxes) == len(detections[4])
    assert np.allclose(prediction.detections.corners, detections[4].corners, atol=1e-2)
    assert prediction.boxes[0].label == NAMES[detections[4].classes[0]]


def test_it_is_published_and_verified(cbam_here, trained, scenes, tmp_path, monkeypatch):
    monkeypatch.setenv('CBAM_HOME', str(tmp_path / 'home'))
    card = publishing.publish(trained, tmp_path / 'shop', About('ssd_300', 'first'), CPU)
    expected = score(*by_hand(trained, scenes / 'val.rec'), NAMES).figures
    assert (card.task, card.options) == ('detection', OPTION)
    assert card.metrics.figures == pytest.approx(
        {name: expected[name] for name in ('ap', 'ap50', 'ap75', 'voc07')}, abs=1e-6
    )
    options = ['--registry', tmp_path / 'shop' / 'registry.yaml', '--root', tmp_path / 'store']
    assert cbam_here('zoo', 'get', card.tag, *options).returncode == 0
    process = cbam_here('zoo', 'verify', card.tag, '--data-val', scenes / 'val.rec', *options, '--json')
    (value,) = json.loads(process.stdout)['weights']
    assert value['agrees'], process.stderr


def test_runs_are_compared(cbam_here, trained):
    process = cbam_here('runs', trained.parent, '--json')
    (run,) = [each for each in json.loads(process.stdout)['runs'] if each['path'].endswith('scenes')]
    summary = json.loads((trained / 'summary.json').read_text())
    assert (run['task'], run['best_ap']) == ('detection', summary['best']['ap'])


def test_it_is_measured(scenes):
    context = BenchmarkContext(
        mode='train', network='ssd_300', batch=4, image_size=32, classes=5, task='detection', options=OPTION,
        data=str(scenes / 'val.rec'),
    )  # fmt: skip
    with cbam_workloads.train(context) as workload:
        sums, _ = workload.call()
    assert len(sums) == 4
    assert all(np.isfinite(each[0].asscalar()) for each in sums)
    with cbam_workloads.validate(context) as workload:
        assert workload.call().records == workload.images == 19


def test_examples_of_the_task_can_be_trained(tmp_path):
    task = get_task('detection')
    task.write_example(tmp_path / 'some.rec', 5, 3)
    records = task.open_training(tmp_path / 'some.rec', 3)
    assert [each.tolist() for each in records.objects[:, 0].reshape(-1, 1)] == [[0], [1], [2], [0], [1]]
    batch = task.example_batch(4, 32, 3)
    boxes = batch.boxes.asnumpy()
    assert (batch.images.shape, boxes.shape) == ((4, 32, 32, 3), (4, 8, 5))
    real = boxes[boxes[..., 0] >= 0]
    assert len(real) == 12
    assert (real[:, 1:3] < real[:, 3:]).all()
    assert real[:, 1:].min() >= 0
    assert real[:, 1:].max() <= 32

"""A detector whose pictures keep their aspect ratio: training, validation, prediction, explanation, exported files."""

import json

import cv2
import mxnet as mx
import numpy as np
import pytest
from detection_runs import NAMES, settings

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.decoding import decode
from gluon_cbam.inference.network import load_network
from gluon_cbam.tasks.detection.detections import Detections
from gluon_cbam.tasks.detection.metrics.scores import score
from gluon_cbam.training import make_config, train


@pytest.fixture(scope='module')
def letterboxed(scenes, tmp_path_factory):
    """The folder of a run."""
    output = tmp_path_factory.mktemp('runs') / 'letterbox'
    train(make_config(**settings(scenes, output, resize='letterbox', epochs=1)))
    return output


@pytest.fixture(scope='module')
def by_hand(letterboxed, scenes):
    """The truths and the detections of the run by a plain loop."""
    loaded, records = load_network('ssd_300', [mx.cpu()], str(letterboxed)), BoxRecords(scenes / 'val.rec')
    truths, detections = [], []
    for number in range(len(records)):
        pixels = decode(records.records[number].image, 'x')
        height, width = pixels.shape[:2]
        tall, wide = (int(length * 32 / max(height, width) + 0.5) for length in (height, width))
        filled = np.empty((32, 32, 3), np.float32)
        filled[:] = np.floor(np.array([0.485, 0.456, 0.406]) * 255 + 0.5)
        filled[:tall, :wide] = cv2.resize(pixels, (wide, tall), interpolation=cv2.INTER_LINEAR)
        small = (filled / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        (rows,) = loaded.net(mx.nd.array(small.transpose(2, 0, 1)[None])).asnumpy().astype(float)
        rows = rows[rows[:, 0] >= 0]
        corners = (rows[:, 2:] * ([width / wide, height / tall] * 2)).clip(0, [width, height] * 2)
        inside = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])  # not in what is filled
        detections.append(Detections.of(rows[inside, 0], rows[inside, 1], corners[inside]))
        truths.append(records.boxes_of(number))
    return truths, detections


def test_the_run_says_so_and_keeps_it(letterboxed, scenes):
    card = json.loads((letterboxed / 'checkpoints' / 'best.json').read_text())
    assert card['preprocessing']['resize'] == 'letterbox'
    with pytest.raises(UsageError, match="--resize 'stretch' .was 'letterbox'."):
        train(make_config(**settings(scenes, letterboxed, resize='stretch', resume='auto')))


def test_validation_and_prediction_equal_a_plain_loop(letterboxed, scenes, by_hand, cbam_here):
    truths, detections = by_hand
    found = json.loads(
        cbam_here('validate', '--params', letterboxed, '--data-val', scenes / 'val.rec', '--json').stdout
    )
    expected = score(truths, detections, NAMES).figures
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    images = json.loads(cbam_here('predict', scenes / 'val.rec', '--params', letterboxed, '--json').stdout)['images']
    for image, mine in zip(images, detections):
        assert [box['class'] for box in image['boxes']] == mine.classes.tolist()
        assert np.allclose([box['box'] for box in image['boxes']], mine.corners, atol=1e-2)


def test_another_resize_may_be_asked_for(letterboxed, scenes, cbam_here):
    def boxes(*words):
        done = cbam_here('predict', scenes / 'val.rec', '--params', letterboxed, *words, '--json')
        return json.loads(done.stdout)['images']

    assert boxes('--resize', 'letterbox') == boxes() != boxes('--resize', 'stretch')


def test_explained_boxes_are_in_the_picture(letterboxed, scenes, by_hand, cbam_here, tmp_path):
    record = BoxRecords(scenes / 'val.rec').records[0]
    (tmp_path / 'x.png').write_bytes(record.image)
    words = ['--params', letterboxed, '--boxes', 1, '--output', tmp_path / 'out', '--json']
    (image,) = json.loads(cbam_here('explain', tmp_path / 'x.png', *words).stdout)['images']
    corners = ', '.join(f'{value:.0f}' for value in by_hand[1][0].corners[0])
    assert corners in json.dumps(image['maps'])


def test_an_exported_file_knows_it(letterboxed, cbam_here, tmp_path):
    done = cbam_here(
        'export', '--params', letterboxed, '--format', 'safetensors', '--output', tmp_path / 'a.safetensors'
    )
    assert done.returncode == 0, done.stderr
    assert b'letterbox' in (tmp_path / 'a.safetensors').read_bytes()

"""Exported files of a detector find and score what the network does, in every engine."""

import json

import pytest

SCORES = ('ap', 'ap50', 'ap75', 'voc07')


@pytest.fixture(scope='module')
def files(trained, scenes, cbam, tmp_path_factory):
    """The folder of plain.onnx, for images of any size, and of int8.onnx with its report."""
    folder = tmp_path_factory.mktemp('exported')
    words = ['export', '--params', trained, '--data-val', scenes / 'val.rec', '--json']
    done = cbam(*words, '--dynamic', '--output', folder / 'plain.onnx')
    assert done.returncode == 0, done.stderr
    (folder / 'plain.json').write_text(done.stdout)
    int8 = ['--format', 'onnx-int8', '--calibration', scenes / 'train.rec', '--calibration-images', 16]
    done = cbam(*words, *int8, '--output', folder / 'int8.onnx')
    assert done.returncode == 0, done.stderr
    (folder / 'int8.json').write_text(done.stdout)
    return folder


def scores(done):
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return [found[name] for name in SCORES]


def test_the_report(files):
    report = json.loads((files / 'plain.json').read_text())
    assert report['detections']['compared'] == report['detections']['agreeing'] > 50
    assert len(report['further_sizes']) == 2 and report['compared_on'].endswith('images of val.rec')


@pytest.mark.parametrize('engine', ['onnxruntime', 'openvino'])
def test_validation_and_predictions(trained, files, scenes, cbam_here, engine):
    pytest.importorskip(engine)
    file = ['--exported', files / 'plain.onnx', '--engine', engine]
    data = ['--data-val', scenes / 'val.rec', '--json', '--batch-size', 5]
    wanted = scores(cbam_here('validate', '--params', trained, *data))
    assert wanted[0] > 0 and scores(cbam_here('validate', *file, *data)) == pytest.approx(wanted, abs=1e-6)
    found, wanted = (
        json.loads(cbam_here('predict', scenes / 'val.rec', *words, '--json').stdout)['images']
        for words in (file, ['--params', trained])
    )
    for one, two in zip(found, wanted):
        assert [box['label'] for box in one['boxes']] == [box['label'] for box in two['boxes']]
        for box, same in zip(one['boxes'], two['boxes']):
            assert box['box'] == pytest.approx(same['box'], abs=1e-2)


def test_int8_has_its_scores_before_and_after(trained, files, scenes, cbam_here):
    report = json.loads((files / 'int8.json').read_text())
    before, after = ([report['accuracy'][name][score] for score in SCORES] for name in ('float32', 'int8'))
    data = ['--data-val', scenes / 'val.rec', '--json']
    assert scores(cbam_here('validate', '--params', trained, *data)) == pytest.approx(before, abs=1e-6)
    assert scores(cbam_here('validate', '--exported', files / 'int8.onnx', *data)) == pytest.approx(after, abs=1e-6)
    assert report['error'] < 0.2 and b'QuantizeLinear' in (files / 'int8.onnx').read_bytes()


def test_another_size_where_it_is_free(trained, files, scenes, cbam_here):
    data = ['--data-val', scenes / 'val.rec', '--json', '--image-size', 48]
    wanted = scores(cbam_here('validate', '--params', trained, *data))
    assert scores(cbam_here('validate', '--exported', files / 'plain.onnx', *data)) == pytest.approx(wanted, abs=1e-6)
    done = cbam_here('validate', '--exported', files / 'int8.onnx', *data)
    assert done.returncode == 2 and 'takes images of 64 x 64 pixels, got 48: export ONNX with --dynamic' in done.stderr


def test_boxes_are_not_explained_without_gradients(files, scenes, cbam_here, tmp_path):
    done = cbam_here(
        'explain', scenes / 'val.rec', '--exported', files / 'plain.onnx', '--boxes', 1, '--output', tmp_path / 'maps'
    )
    assert done.returncode == 2 and 'boxes are explained by gradcam, with MXNet and --params' in done.stderr

"""Predicted masks as files, and exported networks of segmentation."""

import json

import cv2
import mask_scenes
import numpy as np
import pytest
from checks import assert_one_line
from PIL import Image

from gluon_cbam.data.class_masks.palette import palette
from gluon_cbam.data.class_masks.png import decode_mask
from gluon_cbam.inference.model import load


@pytest.fixture
def pictures(tmp_path):
    """Two pictures of different sizes."""
    for number, size in enumerate(((32, 40), (50, 36))):
        pixels, _ = mask_scenes.scene(200 + number, *size)
        assert cv2.imwrite(str(tmp_path / f'{number}.png'), pixels[..., ::-1])
    return [tmp_path / f'{number}.png' for number in range(2)]


def test_masks_and_drawings(trained, pictures, tmp_path, cbam_here):
    folders = [tmp_path / 'masks', tmp_path / 'drawn']
    options = ('--params', trained, '--masks', folders[0], '--draw', folders[1], '--json')
    process = cbam_here('predict', *pictures, *options)
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout)['images']
    expected = load(trained).predict([str(path) for path in pictures])
    for path, entry, prediction in zip(pictures, found, expected):
        data = (folders[0] / path.name).read_bytes()
        assert np.array_equal(decode_mask(data, 'x'), prediction.mask)
        colors = np.asarray(Image.open(folders[0] / path.name).convert('RGB'))
        assert np.array_equal(colors, palette()[prediction.mask])
        assert [each['pixels'] for each in entry['classes']] == [each.pixels for each in prediction.classes]
        assert max(cv2.imread(str(folders[1] / path.name)).shape) >= 400


def test_options_of_boxes_are_refused(trained, pictures, tmp_path, cbam_here):
    folder = tmp_path / 'a'
    for option, reason in (
        (('--tiles', '64'), 'finds no boxes'),
        (('--draw', folder, '--masks', folder), 'is the folder of --masks'),
    ):
        process = cbam_here('predict', pictures[0], '--params', trained, *option)
        assert reason in process.stderr
        assert_one_line(process, 2)


def test_pictures_are_not_replaced(trained, pictures, tmp_path, cbam_here):
    before = [path.read_bytes() for path in pictures]
    for option in ('--masks', '--draw'):
        process = cbam_here('predict', tmp_path, '--params', trained, option, tmp_path)
        assert 'pictures there would be replaced: give another one' in assert_one_line(process, 2)
        assert [path.read_bytes() for path in pictures] == before


def test_validate_prints_the_classes(trained, scenes, cbam_here):
    process = cbam_here('validate', '--params', trained, '--data-val', scenes / 'val.rec')
    assert process.returncode == 0, process.stderr
    assert '11 of 11 records, each once: mIoU 0.' in process.stdout
    assert [line.split()[0] for line in process.stdout.splitlines()[1:6]] == ['class', *mask_scenes.NAMES]


@pytest.mark.slow
def test_exported_networks_give_the_masks(trained, scenes, tmp_path, cbam_here):
    """The command compares the file with MXNet before it is kept."""
    pytest.importorskip('onnxruntime')
    data = ('--data-val', scenes / 'val.rec')
    process = cbam_here('export', '--params', trained, '--output', tmp_path / 'fcn.onnx', *data)
    assert process.returncode == 0, process.stderr
    process = cbam_here('validate', '--exported', tmp_path / 'fcn.onnx', *data, '--json')
    value = json.loads(process.stdout)
    plain = json.loads(cbam_here('validate', '--params', trained, *data, '--json').stdout)
    assert value['miou'] == pytest.approx(plain['miou'], abs=1e-3)
    assert np.abs(np.subtract(value['confusion'], plain['confusion'])).sum() <= 4


@pytest.mark.slow
@pytest.mark.parametrize('options', [(), ('--dynamic',)])
def test_onnx_of_deeplabv3(tmp_path, cbam_here, options):
    """Operators that resize like another map, for one size or any; the command compares the file with MXNet."""
    runtime = pytest.importorskip('onnxruntime')
    import mxnet as mx

    from gluon_cbam import get_model

    net = get_model('deeplabv3', backbone='cbamnet_tiny', classes=4)
    net.initialize(mx.init.Xavier())
    net.save_parameters(str(tmp_path / 'net.params'))
    network = ('--network', 'deeplabv3', '--option', 'backbone=cbamnet_tiny', '--classes', '4', '--image-size', '32')
    weights = ('--params', tmp_path / 'net.params', '--output', tmp_path / 'net.onnx')
    process = cbam_here('export', *network, *weights, *options)
    assert process.returncode == 0, process.stderr
    shape = (40, 56) if options else (32, 32)
    x = np.random.RandomState(0).normal(0, 1, (2, 3, *shape)).astype(np.float32)
    session = runtime.InferenceSession(str(tmp_path / 'net.onnx'))
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    expected = net(mx.nd.array(x)).asnumpy()
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()

"""``cbam explain`` of a detector."""

import json

import cv2
import mxnet as mx
import numpy as np
import pytest
from box_scenes import apart, drawn
from checks import assert_one_line

from gluon_cbam.data.sources.images import open_images
from gluon_cbam.detection.explaining import explain_boxes
from gluon_cbam.explain.images.explanation import UnreadableImage
from gluon_cbam.explain.images.network_explainer import NetworkExplainer
from gluon_cbam.inference.network import load_network

DETECTOR = ['--network', 'ssd_300', '--classes', 5, '--image-size', 32]
DETECTOR += ['--option', 'backbone=cbamnet_tiny', '--option', 'keep=20']


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Two pictures of 40 x 60 pixels, one that is none, and parameters of a detector."""
    folder = tmp_path_factory.mktemp('explained')
    for number in range(2):
        pixels = drawn(40, 60, apart(40, 60, 2, number))
        cv2.imwrite(str(folder / f'{number}.png'), pixels[..., ::-1])
    (folder / '2.png').write_bytes(b'no picture')
    loaded = load_network(
        'ssd_300', [mx.cpu()], classes=5, image_size=32, options={'backbone': 'cbamnet_tiny', 'keep': 20},
    )  # fmt: skip
    loaded.net.save_parameters(str(folder / 'net.params'))
    return folder


def test_each_box_has_a_map_and_is_drawn(folder):
    loaded = load_network(
        'ssd_300', [mx.cpu()], str(folder / 'net.params'), classes=5, image_size=32, task='detection',
        options={'backbone': 'cbamnet_tiny', 'keep': 20},
    )  # fmt: skip
    explainer = NetworkExplainer(loaded, mx.cpu())
    paths = [str(folder / f'{number}.png') for number in range(3)]
    first, second, bad = explain_boxes(explainer, open_images(paths), most=2, stages=['all'])
    assert isinstance(bad, UnreadableImage)
    plain = loaded.preprocessing.crop(cv2.imread(paths[0])[..., ::-1])
    rows = loaded.net(mx.nd.array(loaded.preprocessing.normalize(plain)[None]))[0].asnumpy()[:2]
    for number, (activation, row) in enumerate(zip(first.activations, rows), 1):
        assert activation.probability == pytest.approx(row[1], rel=1e-5)
        corners = row[2:] * np.array([60, 40, 60, 40]) / 32
        assert activation.label == f'{number}: {int(row[0])} ({", ".join(f"{value:.0f}" for value in corners)})'
    assert (first.pixels != plain).any()
    assert first.gates
    assert second.file == paths[1]


def test_the_command_draws_a_figure_for_each_image(folder, cbam_here, tmp_path):
    done = cbam_here(
        'explain', folder / '0.png', folder / '1.png', '--params', folder / 'net.params', *DETECTOR, '--boxes', 2,
        '--output', tmp_path / 'out', '--report', '--json',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert [[each['kind'] for each in image['maps']].count('gradcam') for image in value['images']] == [2, 2]
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['0.png', '1.png', 'report.html']


@pytest.mark.parametrize('other', [[], ['--pair', 'x.png']])
def test_other_networks_have_no_boxes(folder, cbam_here, tmp_path, other):
    words = ['--network', 'cbamnet_tiny', '--pretrained', '--boxes', 2, '--output', tmp_path / 'out', *other]
    expected = '--boxes 2 is explained image by' if other else '--boxes 2 is for detectors, and cbamnet_tiny is none'
    assert expected in assert_one_line(cbam_here('explain', folder / '0.png', *words), 2)


@pytest.mark.parametrize('method', ['occlusion', 'rise', 'gradcam++'])
def test_other_methods_are_refused(folder, cbam_here, tmp_path, method):
    """Without a card, too, which would name the task."""
    words = ['--params', folder / 'net.params', *DETECTOR, '--method', method, '--output', tmp_path / 'out']
    line = assert_one_line(cbam_here('explain', folder / '0.png', *words), 2)
    assert f'boxes are explained by gradcam, with MXNet and --params, and not by {method}' in line

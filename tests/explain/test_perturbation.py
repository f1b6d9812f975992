"""Occlusion and RISE, on functions whose answer is known, on a network and on its exported file."""

import json
from pathlib import Path

import numpy as np
import pytest
from checks import assert_one_line

from gluon_cbam import explain
from gluon_cbam.common.errors import UsageError
from gluon_cbam.export.runtime import load_exported
from gluon_cbam.export.runtime.session import exported_session

SEVEN = Path(__file__).parent.parent / 'data' / 'seven.png'
SIZE = 20
PATCH = (slice(4, 8), slice(12, 16))
TINY = ('--network', 'cbamnet_tiny', '--pretrained')


def bright_patch(images):
    """Logits of two classes: the second is the mean brightness of the patch."""
    seen = images[:, PATCH[0], PATCH[1]].mean(axis=(1, 2, 3)) / 32
    return np.stack([np.full(len(images), 4.0), seen], axis=1)


def probability(images, index):
    powers = np.exp(bright_patch(images))
    return powers[:, index] / powers.sum(axis=1)


@pytest.fixture(scope='module')
def image():
    return np.full((SIZE, SIZE, 3), 255, np.uint8)


def test_occlusion_is_the_mean_loss_over_the_windows_that_hide_a_pixel(image):
    """Against windows of 4 pixels in steps of one, one at a time."""
    losses, counts = np.zeros((2, SIZE, SIZE))
    for top in range(-3, SIZE):
        for left in range(-3, SIZE):
            hidden = image.copy()
            window = slice(max(top, 0), top + 4), slice(max(left, 0), left + 4)
            hidden[window] = 0
            losses[window] += (probability(image[None], 1) - probability(hidden[None], 1))[0]
            counts[window] += 1
    expected = losses / counts
    found = explain.perturbation_maps(bright_patch, image[None], method='occlusion', batch_size=7, fill=(0, 0, 0))
    assert (found.classes.tolist(), found.layer) == ([1], 'input')
    assert np.allclose(found.maps[0], expected / expected.max(), atol=1e-6)
    against = explain.perturbation_maps(bright_patch, image[None], 0, 'occlusion', fill=(0, 0, 0))
    assert not against.maps.any(), 'hiding the patch takes nothing from the other class'


def test_rise_finds_the_patch(image):
    found = explain.perturbation_maps(bright_patch, image[None], method='rise', samples=600, fill=(0, 0, 0)).maps[0]
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert (found.min(), found.max()) == (0, 1)
    assert PATCH[0].start <= row < PATCH[0].stop and PATCH[1].start <= column < PATCH[1].stop
    assert found[PATCH].mean() > 3 * found.mean()


@pytest.mark.parametrize('method', ['occlusion', 'rise'])
def test_a_wide_image_is_a_tall_one_transposed(method):
    """Windows and cells have the aspect ratio of the image; both have as many."""
    wide = np.full((SIZE, 2 * SIZE, 3), 255, np.uint8)
    found = explain.perturbation_maps(bright_patch, wide[None], 1, method, samples=400, fill=(0, 0, 0)).maps[0]
    assert found.shape == (SIZE, 2 * SIZE)
    assert found[PATCH].mean() > 2 * found.mean()
    if method == 'occlusion':
        tall = explain.perturbation_maps(
            lambda images: bright_patch(images.transpose(0, 2, 1, 3)), wide.transpose(1, 0, 2)[None], 1, fill=(0, 0, 0)
        )
        assert np.allclose(tall.maps[0].T, found, atol=1e-6)


def test_batches_are_one_by_one(image):
    dark = image.copy()
    dark[PATCH] = 100
    both = explain.perturbation_maps(bright_patch, np.stack([image, dark]), [1, 1], 'rise', samples=20)
    alone = explain.perturbation_maps(bright_patch, dark[None], 1, 'rise', samples=20, batch_size=3)
    assert np.allclose(both.maps[1], alone.maps[0], atol=1e-5)
    assert both.logits.shape == (2, 2)


def test_unknown_methods_and_classes_are_refused(image):
    with pytest.raises(UsageError, match="unknown method 'ris': did you mean rise"):
        explain.perturbation_maps(bright_patch, image[None], method='ris')
    with pytest.raises(UsageError, match='targets must be in 0..1, got 2'):
        explain.perturbation_maps(bright_patch, image[None], 2, 'rise', samples=2)


@pytest.mark.parametrize('name', ['digits', 'pixels'])
def test_an_exported_file_has_the_maps_of_its_network(name, exported_digits, cbam_here, tmp_path):
    """The network runs in mxnet, the file in ONNX Runtime: with preprocessing inside, too."""
    command = ('explain', SEVEN, '--method', 'occlusion', '--class', 3, '--stages', 'stages.1', '--json')
    network = json.loads(cbam_here(*command, *TINY, '--output', tmp_path / 'network').stdout)
    file = ('--exported', exported_digits / f'{name}.onnx', '--output', tmp_path / 'file')
    exported = json.loads(cbam_here(*command[:-3], '--json', *file, '--report').stdout)
    maps = network['images'][0]['maps']
    assert [entry['kind'] for entry in maps] == ['occlusion', 'occlusion', 'spatial', 'channel']
    for entry, ours in zip(exported['images'][0]['maps'], maps[:2]):
        assert (entry['kind'], entry['path'], entry['class']) == ('occlusion', 'input', ours['class'])
        assert abs(entry['mean'] - ours['mean']) < 1e-4
    assert len(exported['images'][0]['maps']) == 2
    assert 'Occlusion: 7' in (tmp_path / 'file' / 'report.html').read_text(encoding='utf-8')


def test_a_session_gives_logits_for_cropped_pixels(exported_digits):
    network = load_exported(exported_digits / 'digits.onnx')
    session, pixels = exported_session(network), np.full((2, 16, 16, 3), 90, np.uint8)
    assert np.array_equal(session.logits(pixels), network(np.stack([network.prepare(each) for each in pixels])))


@pytest.mark.parametrize(
    'arguments, words',
    [
        (
            ('--method', 'gradcam'),
            'gradcam needs gradients, and so MXNet and --params: an exported file takes occlusion',
        ),
        (('--stages', 'all'), '--stages and --layer look inside a network'),
        (('--samples', 3), '--samples is for --method rise, got occlusion'),
        (('--params', 'x'), '--exported knows its network and weights: leave --params out'),
        (('--score',), 'leave --score, --compare and --pair out'),
    ],
)
def test_what_an_exported_file_cannot_do(arguments, words, exported_digits, cbam_here, tmp_path):
    command = ('explain', SEVEN, '--exported', exported_digits / 'digits.onnx', '--output', tmp_path / 'out')
    assert words in assert_one_line(cbam_here(*command, *arguments), 2)
    assert not list(tmp_path.iterdir())


def test_a_layer_goes_with_gradients_only(cbam_here, tmp_path):
    command = ('explain', SEVEN, *TINY, '--method', 'rise', '--layer', 'stages.1', '--output', tmp_path / 'out')
    assert 'rise is of the pixels and takes no --layer' in assert_one_line(cbam_here(*command), 2)

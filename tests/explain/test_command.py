"""``cbam explain`` from files to files."""

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import matplotlib
import mxnet as mx
import numpy as np
import pytest
from checks import assert_one_line
from sklearn.datasets import load_digits

import gluon_cbam
from gluon_cbam import explain
from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.sources.images import image_file
from gluon_cbam.explain.figures.overlay import COLORMAP, OPACITY
from gluon_cbam.explain.images.classes import class_index
from gluon_cbam.explain.images.network_explainer import NetworkExplainer
from gluon_cbam.explain.images.pipeline import ExplainOptions, explain_images
from gluon_cbam.inference.network import load_network

TILE = 256
TINY = ('--network', 'cbamnet_tiny', '--pretrained')


@pytest.fixture(scope='module')
def scans(tmp_path_factory):
    """A folder of digits 0 to 7 as PNGs, named after the digit."""
    folder = tmp_path_factory.mktemp('scans')
    digits = load_digits()
    for number in range(8):
        cv2.imwrite(str(folder / f'{digits.target[number]}.png'), np.round(digits.images[number] * 255 / 16))
    return folder


def answered(process, code=0):
    assert process.returncode == code, process.stderr
    return json.loads(process.stdout)


@pytest.fixture(scope='module')
def red_network(tmp_path_factory):
    """cbamnet_tiny that answers to red alone, in its last map, its spatial gates and the logit of class 1."""
    net = gluon_cbam.get_model('cbamnet_tiny', classes=2)
    net.initialize(mx.init.Zero())
    for parameter in net.collect_params('.*weight|.*bias').values():
        parameter.set_data(mx.nd.zeros(parameter.shape))
    for stage in net.stages:
        kernel = np.zeros(stage.conv.weight.shape, np.float32)
        kernel[0, 0, 1, 1] = 1  # channel 0 is red in the first stage, and channel 0 of the first in the second
        stage.conv.weight.set_data(mx.nd.array(kernel))
        kernel = np.zeros(stage.attention.spatial.conv.weight.shape, np.float32)
        kernel[0, :, 3, 3] = 1
        stage.attention.spatial.conv.weight.set_data(mx.nd.array(kernel))
    weights = np.zeros((2, 128), np.float32)
    weights[1, 0] = 1
    net.fc.weight.set_data(mx.nd.array(weights))
    path = tmp_path_factory.mktemp('red') / 'red.params'
    net.save_parameters(str(path))
    return path


def hottest(tile, seen):
    """Row and column of the highest value of an overlay, to 4 pixels, read from its colors."""
    tile, seen = tile[2::4, 2::4], seen[2::4, 2::4]
    gray = cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY).astype(float)[..., None]
    color = (tile - (1 - OPACITY) * gray) / OPACITY
    table = matplotlib.colormaps[COLORMAP](np.arange(256))[:, :3] * 255
    values = np.abs(color[:, :, None] - table).sum(axis=3).argmin(axis=2)
    return np.mean(np.nonzero(values == values.max()), axis=1) * 4 + 2


def test_overlays_are_on_the_object_in_the_file(red_network, tmp_path, cbam_here):
    """A red square off the center of a wide picture, cropped and resized on the way; a blue one would be hot if the
    channels were swapped."""
    picture = np.full((64, 96, 3), 60, np.uint8)
    picture[40:48, 32:40] = (255, 0, 0)  # rows 20..23 and columns 8..11 of what the network sees
    picture[8:16, 64:72] = (0, 0, 255)
    cv2.imwrite(str(tmp_path / 'squares.png'), picture[..., ::-1])
    answer = answered(
        cbam_here(
            'explain', tmp_path / 'squares.png', '--network', 'cbamnet_tiny', '--params', red_network, '--classes', 2,
            '--class', 1, '--output', tmp_path / 'out', '--image-size', 32, '--crop-ratio', 1, '--json',
        )
    )  # fmt: skip
    (image,) = answer['images']
    drawn = cv2.imread(image['picture'])[..., ::-1]
    middle = np.array([22, 10]) * TILE / 32 - 0.5  # of the red square, in a tile
    maps = [entry for entry in image['maps'] if 'box' in entry]
    assert [entry['kind'] for entry in maps] == ['gradcam', 'spatial', 'spatial']
    seen = picture[::2, 16:80:2].repeat(8, 0).repeat(8, 1)
    for entry in maps:
        left, top, width, height = entry['box']
        assert (width, height) == (TILE, TILE)
        found = hottest(drawn[top : top + height, left : left + width], seen)
        assert np.abs(found - middle).max() <= 8, entry['path']
    top, (row, column) = maps[0]['box'][1], middle.astype(int)
    assert drawn[top + row, 20 + column].tolist() == [255, 0, 0]  # the input stands at the left border
    assert image['top'][0]['class'] == 1 and maps[0]['class'] == 1


def test_figures_of_files_and_their_values(scans, tmp_path, cbam_here):
    folder = tmp_path / 'photos'
    folder.mkdir()
    files = [folder / '3.png', folder / '4 <b>&"$.png', scans / '3.png', folder / 'text.png', folder / 'missing.png']
    files[0].write_bytes((scans / '3.png').read_bytes())
    files[1].write_bytes((scans / '4.png').read_bytes())
    files[3].write_text('no picture')
    before = {file: file.read_bytes() for file in files[:4]}
    process = cbam_here(
        'explain', *files, *TINY, '--class', 5, '--output', folder, '--batch-size', 2, '--report', '--json',
        '--channels', 3,
    )  # fmt: skip
    answer = answered(process, 4)
    (line,) = process.stderr.splitlines()
    assert line.startswith(f'cbam: 2 of 5 images could not be read: {files[3]}, {files[4]} ({files[3]}: no JPEG, PNG')
    assert answer['unreadable'][1]['error'] == f'{files[4]}: No such file or directory'
    assert [bad['file'] for bad in answer['unreadable']] == [str(file) for file in files[3:]]
    assert [image['file'] for image in answer['images']] == [str(file) for file in files[:3]]
    pictures = [image['picture'] for image in answer['images']]
    assert len({*pictures, *map(str, files)}) == len(pictures) + len(files)  # all different
    assert {file: file.read_bytes() for file in files[:4]} == before
    assert sorted(map(str, folder.iterdir())) == sorted(
        [*map(str, files[:2]), str(files[3]), *pictures, answer['report']]
    )
    assert [image['top'][0]['label'] for image in answer['images']] == ['3', '4', '3']
    _check_values(answer['images'][1]['maps'], scans / '4.png')
    _check_report(answer['report'], [image['file'] for image in answer['images']], pictures)


def _check_values(maps, file):
    """The values of an image's maps are those of the library."""
    network = load_network('cbamnet_tiny', [mx.cpu()], pretrained=True)
    batch = network.preprocessing(decode(file.read_bytes(), 'scan'))[None]
    expected = [('gradcam', 'stages', explain.grad_cam(network.net, batch, targets).maps[0]) for targets in (None, 5)]
    for found in explain.attention_maps(network.net, batch):
        expected += [('spatial', found.path, found.spatial[0]), ('channel', found.path, found.channel[0])]
    assert [(entry['kind'], entry['path'], tuple(entry['shape'])) for entry in maps] == [
        (kind, path, values.shape) for kind, path, values in expected
    ]
    for entry, (_, _, values) in zip(maps, expected):
        answer = [entry[name] for name in ('min', 'mean', 'max')]
        np.testing.assert_allclose(answer, [values.min(), values.mean(), values.max()], atol=1e-5)
    assert [entry.get('class') for entry in maps[:2]] == [4, 5]


class _Table(HTMLParser):
    """Rows with the pictures' targets, the sources of their thumbnails and the keys by name."""

    def __init__(self):
        super().__init__()
        self.rows, self.tags = [], set()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.add(tag)
        if tag == 'tr':
            self.rows.append({'images': []})
        elif tag == 'a':
            self.rows[-1]['picture'] = attributes['href']
        elif tag == 'img':
            self.rows[-1]['images'].append(attributes['src'])
        elif tag == 'td' and 'data-key' in attributes:
            self.rows[-1][attributes['data-name']] = attributes['data-key']


def _check_report(path, files, pictures):
    with open(path, encoding='utf-8') as file:
        text = file.read()
    assert 'http' not in text.replace('http-equiv', '') and '2 could not be read' in text
    table = _Table()
    table.feed(text)
    head, *rows = table.rows
    assert [row['file'] for row in rows] == files
    assert len({row['picture'] for row in rows}) == len(pictures) and all(float(row['P']) > 0.5 for row in rows)
    assert not {'link', 'b&"$.png'} & table.tags
    for row in rows:
        for source in row['images']:
            start, _, data = source.partition(',')
            assert start == 'data:image/jpeg;base64'
            assert cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), 1).shape == (128, 128, 3)
    assert [len(row['images']) for row in rows] == [4, 4, 4]  # seen, two classes, a gate


def test_a_network_without_attention_has_gradcam_alone(tmp_path, scans, cbam_here):
    net = gluon_cbam.get_model('mobilenet0.7', classes=2)
    net.initialize()
    net.save_parameters(str(tmp_path / 'plain.params'))
    options = ('--network', 'mobilenet0.7', '--params', tmp_path / 'plain.params', '--classes', 2, '--image-size', 32)
    answer = answered(
        cbam_here('explain', scans / '1.png', *options, '--method', 'gradcam++', '--layer', 'units.10',
                  '--output', tmp_path, '--json')
    )  # fmt: skip
    (entry,) = answer['images'][0]['maps']
    assert (entry['kind'], entry['path'], entry['shape']) == ('gradcam', 'units.10', [4, 4])
    assert answer['report'] is None and not list(tmp_path.glob('*.html'))


def test_embeddings_show_gates_and_the_activation_of_a_requested_output(scans):
    network = load_network('modified_cbamnet18', [mx.cpu()], options={'image_size': 32, 'embedding': 8}, image_size=32)
    from gluon_cbam.data.decoding import image_threads

    assert class_index('7', network) == 7
    with image_threads(1) as pool:
        for target, activations in ((None, 0), (7, 1)):
            (found,) = explain_images(
                NetworkExplainer(network, mx.cpu()),
                [image_file(str(scans / '2.png'))],
                ExplainOptions(targets=target),
                4,
                pool,
            )
            assert found.top == [] and len(found.activations) == activations
            assert [gate.path for gate in found.gates] == [f'layer{stage}.unit2.attention' for stage in (1, 2, 3, 4)]
    assert found.activations[0][1:5] == (7, 'output 7', None, False)
    with pytest.raises(UsageError, match=r"no class '8': .* \(numbers are 0..7\)"):
        class_index('8', network)


def test_a_class_by_name_or_number():
    network = load_network('cbamnet_tiny', [mx.cpu()], classes=4)
    network = replace(network, class_names=['crane', '0', 'crane', 'tench'])
    assert [class_index(text, network) for text in ('tench', '0', '2')] == [3, 1, 2]  # names come before numbers
    for text, words in (('crane', r'2 classes .*one of \[0, 2\]'), ('trench', 'did you mean tench'), ('4', 'no class')):
        with pytest.raises(UsageError, match=words):
            class_index(text, network)


def test_networks_compared(scans, tmp_path, cbam_here):
    networks = 'cbamnet_tiny,cifar_cbam_resnet18'
    files = [scans / f'{number}.png' for number in range(7)]
    classes = ','.join('0123457')  # the last one is wrong on purpose
    options = ('--compare', networks, '--output', tmp_path, '--json', '--class')
    answer = answered(cbam_here('explain', *files, *options, classes))
    assert [image['label'] for image in answer['images']] == list('0123457')
    guesses = json.loads(cbam_here('predict', files[6], *TINY, '--top-k', 10, '--json').stdout)['images'][0]['top']
    seven = next(guess['probability'] for guess in guesses if guess['label'] == '7')
    first, second = answer['images'][6]['networks']
    assert abs(first['probability'] - seven) < 1e-5 and first['predicted'] == '6'
    assert (first['network'], second['network']) == tuple(networks.split(','))
    tall = cv2.imread(answer['picture']).shape
    answer = answered(cbam_here('explain', *files[:2], scans / 'none.png', '--force', *options, '1'), 4)
    wide = cv2.imread(answer['picture']).shape
    assert tall[0] > tall[1] and wide[1] == tall[1] - 192 - 10  # 7 rows of images, or 2 columns
    assert [image['class'] for image in answer['images']] == [1, 1] and len(answer['unreadable']) == 1


@pytest.mark.parametrize(
    'arguments, words',
    [
        ((*TINY, '--stages', 'stages.2'), "unknown stage 'stages.2': did you mean stages"),
        ((*TINY, '--layer', 'stages.1.cnv'), "unknown layer 'stages.1.cnv': did you mean stages.1.conv"),
        ((*TINY, '--class', 'cat'), "cbamnet_tiny has no class 'cat': known: 0, 1"),
        ((*TINY, '--method', 'cam'), "unknown method 'cam': did you mean gradcam"),
        (('--network', 'cbamnet_tiny'), 'explain needs weights'),
        ((), 'give either --network or --compare'),
        ((*TINY, '--compare', 'cbamnet_tiny'), 'give either --network or --compare'),
        (('--compare', 'cbamnet_tiny', '--report'), '--compare takes no --report'),
        (('--compare', 'cbamnet_tny'), "unknown network 'cbamnet_tny': did you mean cbamnet_tiny"),
        (('--compare', 'cbamnet_tiny', '--class', '1,2'), "no class '1,2'"),
    ],
)
def test_errors_are_one_line_and_write_no_file(arguments, words, scans, tmp_path, cbam_here):
    process = cbam_here('explain', scans / '1.png', '--output', tmp_path / 'out', *arguments)
    assert words in assert_one_line(process, 2)
    assert not list(tmp_path.iterdir())


def test_a_figure_is_written_atomically(scans, tmp_path, cbam_here, monkeypatch):
    from gluon_cbam.explain.figures.canvas import Canvas

    def fail(self, path):
        path.write_bytes(b'half')
        raise OSError('no space left')

    monkeypatch.setattr(Canvas, 'save', fail)
    assert 'no space left' in assert_one_line(cbam_here('explain', scans / '1.png', *TINY, '--output', tmp_path), 5)
    assert not list(tmp_path.iterdir())


def test_human_readable_lines(scans, tmp_path, cbam_here):
    process = cbam_here('explain', scans / '1.png', *TINY, '--output', tmp_path)
    assert re.fullmatch(rf'{scans}/1.png -> {tmp_path}/1.png: 1 0\.9\d+\n', process.stdout)

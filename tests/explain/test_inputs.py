"""``cbam explain`` takes the images that ``cbam predict`` takes, and knows the true classes of some."""

import io
import json
import os
import shutil
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import cv2
import mxnet as mx
import numpy as np
import pytest
from checks import assert_one_line

import gluon_cbam
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.explain.figures.output_directory import FigurePaths

TINY = ('--network', 'cbamnet_tiny', '--pretrained')


@pytest.fixture(scope='module')
def records(digits, tmp_path_factory):
    """A few digits: six right ones, and one whose label is wrong."""
    source = RecordFile(digits / 'val.rec')
    folder = tmp_path_factory.mktemp('few')
    with RecordWriter(folder / 'few.rec') as writer:
        for number in range(6):
            writer.write([source.labels[number]], source[number].image)
        writer.write([(source.labels[6] + 1) % 10], source[6].image)
    return folder / 'few.rec'


@pytest.fixture
def explain(cbam_here, tmp_path):
    """Runs ``cbam explain --json`` -> its value; the figures of each run go to another folder."""
    folders = (tmp_path / f'out{number}' for number in count())

    def run(*arguments, code=0):
        process = cbam_here('explain', *arguments, '--output', next(folders), '--json', '--channels', 2)
        assert process.returncode == code, process.stderr
        return json.loads(process.stdout)

    return run


def test_records_with_their_true_classes(records, explain, cbam_here, tmp_path):
    images = explain(records, *TINY, '--limit', 7)['images']
    labels = RecordFile(records).labels.astype(int).tolist()
    assert [image['true']['class'] for image in images] == labels
    assert [image['number'] for image in images] == list(range(7))
    predicted = json.loads(cbam_here('predict', records, *TINY, '--top-k', 1, '--json').stdout)['images']
    assert [image['top'][0]['class'] for image in images] == [entry['top'][0]['class'] for entry in predicted]
    classes = [[entry['class'] for entry in image['maps'] if entry['kind'] == 'gradcam'] for image in images]
    assert classes == [list(dict.fromkeys([image['top'][0]['class'], label])) for image, label in zip(images, labels)]
    assert len(classes[6]) == 2  # the wrong label is a class to explain, too
    assert [Path(image['picture']).name for image in images] == [f'few_{number}.png' for number in range(7)]
    assert all(Path(image['picture']).is_file() for image in images)


def test_the_true_class_is_compared_by_name(records, explain, tmp_path):
    """Where the record file has names and the network too; else by number."""
    labels = RecordFile(records).labels[:2].astype(int).tolist()
    shutil.copy(records, tmp_path / 'few.rec')
    for names, expected in (
        ([str(9 - number) for number in range(10)], [9 - label for label in labels]),
        ([f'digit {number}' for number in range(10)], [None] * len(labels)),
        ([], labels),
    ):
        (tmp_path / 'classes.txt').write_text(''.join(f'{name}\n' for name in names))
        images = explain(tmp_path / 'few.rec', *TINY, '--limit', 2)['images']
        assert [image.get('true', {}).get('class') for image in images] == expected


def test_figures_below_the_images_are_no_images(records, cbam_here, tmp_path):
    root = write_folders(tmp_path / 'photos', records)
    for more in ((), ('--force',)):
        arguments = ['explain', root, *TINY, '--output', root / 'explained', '--channels', 1, '--json', *more]
        assert len(json.loads(cbam_here(*arguments).stdout)['images']) == 4


def write_folders(root, records):
    """Class folders of the first records, and a file that is no image."""
    source = RecordFile(records)
    for number in range(4):
        path = root / str(int(source.labels[number])) / f'{number}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source[number].image)
    (root / 'notes.txt').write_text('no image')
    return root


def test_folders_patterns_and_lists(records, explain, tmp_path, monkeypatch):
    root = write_folders(tmp_path / 'photos', records)
    monkeypatch.chdir(tmp_path)
    images = explain('photos', *TINY)['images']
    assert {image['file'] for image in images} == {str(path.relative_to(tmp_path)) for path in root.glob('*/*.png')}
    assert all(image['true']['label'] == Path(image['file']).parent.name for image in images)
    (tmp_path / 'list').write_text('photos\nfew.rec\n')
    shutil.copy(records, tmp_path / 'few.rec')
    images = explain('photos/*/0.png', '--files-from', 'list', '--limit', 6, *TINY)['images']
    assert [image['file'] for image in images][4:] == [images[4]['file'], 'few.rec']
    assert 'true' not in images[0]  # a file alone says nothing of its class
    assert assert_one_line_of(explain, 'none*', *TINY) == "cbam: no file matches 'none*'"
    (tmp_path / 'empty').mkdir()
    assert assert_one_line_of(explain, 'empty', *TINY) == 'cbam: no images in empty'


def assert_one_line_of(explain, *arguments):
    """The line of a wrong usage."""
    with pytest.raises(AssertionError) as caught:
        explain(*arguments)
    return str(caught.value).split('\n')[0].strip()


def test_frames_of_a_video(explain, tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / 'clip.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 64))
    for shade in (0, 60, 120, 180, 240):
        writer.write(np.full((64, 64, 3), shade, np.uint8))
    writer.release()
    images = explain(tmp_path / 'clip.avi', *TINY, '--every', 2)['images']
    assert [image['number'] for image in images] == [0, 2, 4]
    assert not any('true' in image for image in images)


def test_standard_input(records, explain, monkeypatch):
    monkeypatch.setattr(sys, 'stdin', SimpleNamespace(buffer=io.BytesIO(bytes(RecordFile(records)[0].image))))
    (image,) = explain('-', *TINY)['images']
    assert (image['file'], Path(image['picture']).name) == ('-', 'standard_input.png')


def test_networks_are_compared_on_the_true_class(records, explain, cbam_here, tmp_path):
    """Where it is known; else on what the first network predicts, which is said."""
    images = explain(records, '--compare', 'cbamnet_tiny,cbamnet_tiny')['images']
    assert [image['class'] for image in images] == RecordFile(records).labels.astype(int).tolist()
    assert {image['chosen_by'] for image in images} == {'label'}
    assert images[6]['networks'][0]['probability'] < 0.5  # of a label that is wrong
    (tmp_path / 'wrong.png').write_bytes(RecordFile(records)[6].image)
    (image,) = explain(tmp_path / 'wrong.png', '--compare', 'cbamnet_tiny')['images']
    assert (image['chosen_by'], image['label']) == ('prediction', image['networks'][0]['predicted'])
    process = cbam_here('explain', tmp_path / 'wrong.png', '--compare', 'cbamnet_tiny', '--output', tmp_path / 'text')
    assert f'{image["label"]} (predicted by cbamnet_tiny): cbamnet_tiny ' in process.stdout
    (image,) = explain(tmp_path / 'wrong.png', '--compare', 'cbamnet_tiny', '--class', '3')['images']
    assert (image['chosen_by'], image['class']) == ('request', 3)


@pytest.mark.parametrize('text', ['=runs/a', 'cbamnet_tiny=', 'a=runs/a', ','])
def test_the_form_of_a_comparison(records, cbam_here, tmp_path, text):
    line = assert_one_line(cbam_here('explain', records, '--compare', text, '--output', tmp_path / 'out'), 2)
    assert '--compare takes NETWORK=PARAMS' in line
    assert not (tmp_path / 'out').exists()


def test_names_of_figures(tmp_path):
    name = FigurePaths(tmp_path, [])
    for file, number, expected in (
        ('a/x.rec', 3, 'x_3.png'), ('b/x.rec', 3, 'x_3_2.png'), ('-', None, 'standard_input.png'),
        ('a\nb.png', None, r'a\nb.png'), (os.fsdecode(b'caf\xe9.jpg'), None, r'caf\udce9.png'),
        ('x' * 251 + '.jpg', None, 'x' * 50 + '.png'), ('x' * 250 + '.jpg', None, 'x' * 50 + '_2.png'),
    ):  # fmt: skip
        assert name(file, number).name == expected


@pytest.mark.parametrize('options', [(), ('--method', 'occlusion')])
def test_a_network_of_gray_images_is_shown_what_it_sees(tmp_path, explain, options):
    mx.random.seed(1)
    net = gluon_cbam.get_model('cbamnet_tiny', classes=3, in_channels=1)
    net.initialize(mx.init.Xavier())
    net(mx.nd.zeros((1, 1, 32, 32)))
    net.save_parameters(str(tmp_path / 'net.params'))
    colors = np.random.RandomState(0).randint(0, 256, (4, 4, 3), np.uint8)
    picture = cv2.resize(colors, (32, 32), interpolation=cv2.INTER_NEAREST)  # the size of the input
    cv2.imwrite(str(tmp_path / 'colors.png'), picture)
    network = ('--network', 'cbamnet_tiny', '--option', 'in_channels=1', '--params', tmp_path / 'net.params')
    (image,) = explain(tmp_path / 'colors.png', *network, '--classes', 3, *options)['images']
    left, top, side = 20, 92, 256
    tile = cv2.imread(image['picture'])[top : top + side, left : left + side]
    expected = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (side, side), interpolation=cv2.INTER_NEAREST)
    assert np.array_equal(tile, expected[..., None].repeat(3, axis=2))

"""``cbam predict``: inputs, outputs and exit codes."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from checks import assert_one_line
from odd_images import READABLE

from gluon_cbam.cli.main import cli
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.records.recordio import RecordFile

SEVEN = Path(__file__).parent.parent / 'data' / 'seven.png'
NETWORK = ['--network', 'cbamnet_tiny', '--pretrained']


@pytest.fixture
def predict(cbam_here, tmp_path, monkeypatch):
    """Runs ``cbam predict`` in this process, in a folder with intact and damaged images."""
    for name, image in (
        ('a/7.png', SEVEN.read_bytes()),
        ('a/10.jpg', b''),
        ('b.png', b'\x89PNG no'),
        ('c.webp', b'RIFF'),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(image)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: cbam_here('predict', *arguments, *NETWORK)


def test_accuracy_equals_validate(cbam_here, digits, tmp_path):
    records = RecordFile(digits / 'val.rec')
    labels = {}
    for number in range(len(records)):
        labels[str(tmp_path / f'{number}.png')] = records.labels[number]
        (tmp_path / f'{number}.png').write_bytes(records[number].image)
    scored = json.loads(cbam_here('validate', *NETWORK, '--data-val', digits / 'val.rec', '--json').stdout)
    printed = json.loads(cbam_here('predict', tmp_path, *NETWORK, '--json', '--cpus', 2, '--batch-size', 50).stdout)
    assert [entry['file'] for entry in printed['images']] == list(labels)
    hits = [
        [guess['class'] for guess in entry['top'][:k]].count(labels[entry['file']])
        for k in (1, 5)
        for entry in printed['images']
    ]
    assert (np.mean(hits[:360]), np.mean(hits[360:])) == (scored['top1'], scored['top5'])
    losses = [
        -np.log(guess['probability'])
        for entry in json.loads(cbam_here('predict', digits / 'val.rec', *NETWORK, '--json', '--top-k', 10).stdout)[
            'images'
        ]
        for guess in entry['top']
        if guess['class'] == records.labels[entry['number']]
    ]
    assert np.mean(losses) == pytest.approx(scored['loss'], abs=1e-5)


def test_bad_images_are_reported_and_the_others_predicted(predict):
    process = predict('.', '--json')
    assert process.returncode == 4
    assert process.stderr == (
        'cbam: 3 of 4 images could not be read: ./b.png, ./c.webp, ./a/10.jpg (./b.png: a damaged image (7 bytes): it '
        'does not begin with the chunk IHDR)\n'
    )
    value = json.loads(process.stdout)
    assert [(entry['file'], entry['top'][0]['label']) for entry in value['images']] == [('./a/7.png', '7')]
    assert [entry['file'] for entry in value['failed']] == ['./b.png', './c.webp', './a/10.jpg']
    process = predict('b.png', 'a')
    assert (process.returncode, process.stdout[:17]) == (4, 'a/7.png: 7 0.9999')
    assert '2 of 3 images' in process.stderr


def test_output_files(predict, tmp_path):
    process = predict('a', '--output', 'out/a.jsonl', '--csv', 'b.csv', '--top-k', 2)
    assert process.returncode == 4
    assert process.stdout == 'b.csv: 2 images\nout/a.jsonl: 2 images\n'
    (seven, bad) = map(json.loads, (tmp_path / 'out' / 'a.jsonl').read_text().splitlines())
    assert (seven['top'][0]['class'], len(seven['top']), bad['error']) == (7, 2, 'the image is empty')
    assert len((tmp_path / 'b.csv').read_text().splitlines()) == 3
    printed = predict('a', '--csv', '-', '--output', 'c.csv', '--top-k', 2).stdout
    assert printed == (tmp_path / 'b.csv').read_text() == (tmp_path / 'c.csv').read_text()
    assert [row['label_1'] for row in csv.DictReader(io.StringIO(printed))] == ['7', '']


def test_labels(predict, tmp_path):
    (tmp_path / 'labels.txt').write_text(''.join(f'digit {n}\n' for n in range(10)))
    assert predict('a/7.png', '--labels', 'labels.txt').stdout.startswith('a/7.png: digit 7 0.9999')
    (tmp_path / 'labels.txt').write_text('one\n')
    assert 'names 1 classes' in assert_one_line(predict('a/7.png', '--labels', 'labels.txt'), 4)


def test_a_video(predict, tmp_path):
    writer = cv2.VideoWriter('clip.avi', cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 64))
    for shade in (0, 0, 255, 255):
        frame = cv2.resize(cv2.imread(str(SEVEN)), (64, 64)) if shade else np.zeros((64, 64, 3), np.uint8)
        writer.write(frame)
    writer.release()
    lines = predict('clip.avi', '--every', 2).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ['clip.avi#0:', 'clip.avi#2:']
    assert lines[1].split()[1] == '7'
    assert len(predict('a/7.png', 'clip.avi', '--limit', 3).stdout.splitlines()) == 3


def test_an_interrupted_camera_leaves_complete_files(predict, tmp_path, monkeypatch):
    class Camera:
        frames = 0
        isOpened = staticmethod(lambda: True)  # noqa: N815 (OpenCV's name)
        retrieve = staticmethod(lambda: (True, cv2.imread(str(SEVEN))))
        release = staticmethod(lambda: None)

        def grab(self):
            self.frames += 1
            if self.frames > 3:
                raise KeyboardInterrupt
            return True

    monkeypatch.setattr(cv2, 'VideoCapture', lambda source: Camera())
    process = predict('--camera', 0, '--output', 'camera.json')
    assert process.returncode == 130
    value = json.loads((tmp_path / 'camera.json').read_text())
    assert [(entry['file'], entry['number'], entry['top'][0]['class']) for entry in value['images']] == [
        ('camera 0', number, 7) for number in range(3)
    ]


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    """Files that cbam export wrote, by name."""
    folder = tmp_path_factory.mktemp('exported')
    for name, *more in (('floats.onnx',), ('pixels.onnx', '--preprocessing'), ('net', '--format', 'symbol')):
        with pytest.raises(SystemExit) as ended:
            cli.main(['export', *NETWORK, '--output', str(folder / name), *more])
        assert ended.value.code == 0
    return {'floats': folder / 'floats.onnx', 'pixels': folder / 'pixels.onnx', 'symbol': folder / 'net-symbol.json'}


@pytest.mark.parametrize(
    ('name', 'engine'),
    [('floats', 'onnxruntime'), ('pixels', 'onnxruntime'), ('floats', 'openvino'), ('symbol', 'auto')],
)
def test_exported_files_predict_like_the_network(exported, cbam_here, digits, name, engine):
    if engine != 'auto':
        pytest.importorskip(engine)
    arguments = ['predict', digits / 'val.rec', '--limit', 100, '--top-k', 10, '--json']
    ours = json.loads(cbam_here(*arguments, *NETWORK).stdout)['images']
    theirs = json.loads(cbam_here(*arguments, '--exported', exported[name], '--engine', engine).stdout)['images']
    assert len(theirs) == 100
    for one, other in zip(ours, theirs):
        assert one['number'] == other['number']
        assert [guess['label'] for guess in one['top']][:2] == [guess['label'] for guess in other['top']][:2]
        probabilities = [{guess['class']: guess['probability'] for guess in entry['top']} for entry in (one, other)]
        assert max(abs(probabilities[0][k] - probabilities[1][k]) for k in range(10)) < 1e-4


def test_options_that_an_exported_file_determines(exported, cbam_here, tmp_path):
    arguments = ['predict', SEVEN, '--exported', exported['symbol']]
    for more, code, message in (
        (['--network', 'cbamnet_small'], 2, 'is of cbamnet_tiny, not of cbamnet_small'),
        (['--image-size', 32], 2, 'takes images of 16 x 16 pixels, got 32: export ONNX with --dynamic'),
        (['--pretrained'], 2, 'leave --pretrained out'),
        (['--engine', 'onnxruntime'], 2, 'onnxruntime does not run'),
    ):
        assert message in assert_one_line(cbam_here(*arguments, *more), code)
    assert cbam_here(*arguments, '--network', 'cbamnet_tiny').stdout.startswith(f'{SEVEN}: 7 0.9999')


@pytest.mark.parametrize(
    ('arguments', 'code', 'message'),
    [
        (['none.png'], 2, "no image file or folder 'none.png'"),
        (['*.tga'], 2, "no file matches '*.tga'"),
        (['empty'], 2, 'no images in empty'),
        ([], 2, 'no images: give files or folders, --files-from or --camera'),
        (['a', '--camera', 0], 2, '--camera 0 and images exclude each other'),
        (['a', '--json', '--csv', '-'], 2, '--json and --csv exclude each other'),
        (['a', '--output', 'a.xls'], 2, "got 'a.xls'"),
        (['a', '--output', 'b.png/a.csv'], 5, 'b.png'),
        (['--camera', 77], 3, 'camera 77 gives no frame'),
    ],
)
def test_errors_are_one_line(predict, tmp_path, arguments, code, message):
    (tmp_path / 'empty').mkdir()
    before = sorted(tmp_path.rglob('*'))
    assert message in assert_one_line(predict(*arguments), code)
    assert sorted(tmp_path.rglob('*')) == before


def test_images_after_pretrained_give_a_hint(cbam_here):
    process = cbam_here('predict', '--network', 'cbamnet_tiny', '--pretrained', SEVEN)
    assert f"--pretrained took '{SEVEN}' as the tag" in assert_one_line(process, 2)


def test_standard_input(tmp_path):
    """One image, or a list; messages of OpenCV and FFmpeg about damaged files are suppressed."""
    (tmp_path / 'damaged.mp4').write_bytes(b'no video' * 99)
    (tmp_path / 'cut.png').write_bytes(READABLE['plain.png'][:200])
    (tmp_path / 'cut.bmp').write_bytes(READABLE['plain.bmp'][:200])
    command = [str(Path(sys.executable).parent / 'cbam'), 'predict']
    for arguments, given, code in (
        (['-'], SEVEN.read_bytes(), 0),
        (['--files-from', '-'], f'{SEVEN}\n{tmp_path}\n{tmp_path}/damaged.mp4\n'.encode(), 4),
    ):
        process = subprocess.run([*command, *arguments, *NETWORK], input=given, capture_output=True, check=False)
        assert process.returncode == code, process.stderr
        name = arguments[0] if arguments == ['-'] else SEVEN
        assert process.stdout.decode().startswith(f'{name}: 7 0.9999')
        said = [line for line in process.stderr.splitlines() if not line.startswith(b'cbam: left out: ')]
        assert len(said) == (code > 0), process.stderr
        assert (b'3 of 4 images' in process.stderr) == (code > 0)


def test_dark_images_are_named_once_and_scaled(cbam_here, tmp_path, monkeypatch):
    seven = decode(SEVEN.read_bytes(), 'seven')
    for name in ('a.png', 'b.png'):
        image = cv2.imencode('.png', seven.astype(np.uint16) << 4)[1].tobytes()
        (tmp_path / name).write_bytes(image)
    monkeypatch.chdir(tmp_path)
    process = cbam_here('predict', 'a.png', 'b.png', *NETWORK)
    warned = [line for line in process.stderr.splitlines() if 'almost black' in line]
    assert (process.returncode, len(warned)) == (0, 1)
    assert '2 images have 16 bits a channel, of which 12 are used' in warned[0]
    process = cbam_here('predict', 'a.png', 'b.png', '--depth', '12', *NETWORK)
    assert (process.stderr, process.stdout[:8]) == ('', 'a.png: 7')


def test_nan_is_no_threshold(cbam_here):
    process = cbam_here('predict', SEVEN, *NETWORK, '--threshold', 'nan')
    assert process.returncode == 2
    assert process.stderr == (
        "cbam: Invalid value for '--threshold': nan is not in the range 0<=x<=1. (see cbam predict --help)\n"
    )

"""The scripts of scripts/examples run as they stand, and do what they say."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted(path.stem for path in (ROOT / 'scripts' / 'examples').glob('*.py'))


@pytest.fixture
def example(tmp_path):
    """Runs a script in an empty folder -> its output."""

    def run(name, *arguments):
        process = subprocess.run(
            [sys.executable, ROOT / 'scripts' / 'examples' / f'{name}.py', *map(str, arguments)],
            capture_output=True, text=True, cwd=tmp_path, env={**os.environ, 'PYTHONPATH': str(ROOT)}, timeout=300,
            check=False,
        )  # fmt: skip
        assert process.returncode == 0, process.stderr
        return process.stdout

    return run


def found(pattern, text):
    match = re.search(pattern, text)
    assert match, text
    return match.groups()


@pytest.mark.parametrize('name', EXAMPLES)
def test_an_example_is_short_and_says_how_it_is_run(name):
    text = (ROOT / 'scripts' / 'examples' / f'{name}.py').read_text()
    assert len(text.splitlines()) < 80
    assert f'    python scripts/examples/{name}.py' in text
    assert f'def test_{name}(' in Path(__file__).read_text()


def test_fine_tune(example, cbam_here, tmp_path, monkeypatch):
    """The new classes are learned, and the command that it prints says what it said."""
    printed = example('fine_tune', '--epochs', 1)
    (top1,) = found(r'top-1 (\S+) on the validation images, after 1 epochs', printed)
    assert float(top1) > 0.9
    said = found(r'(\S+): (even|odd) 0\.\d+, (?:even|odd) ', printed)
    command = shlex.split(printed.splitlines()[-1])
    assert command[:2] == ['cbam', 'predict']
    monkeypatch.chdir(tmp_path)
    (line,) = (line for line in cbam_here(*command[1:]).stdout.splitlines() if line.startswith(f'{said[0]}: '))
    assert line.split()[1] == said[1]


def test_fine_tune_beside_other_results(example, tmp_path):
    """As on a second run: what is there, of other classes, stays as it is."""
    (tmp_path / 'runs' / 'fine_tuned' / 'data').mkdir(parents=True)
    (tmp_path / 'runs' / 'fine_tuned' / 'data' / 'classes.txt').write_text('even\nodd\n')
    write_images(tmp_path / 'photos', ['cat', 'dog'])
    printed = example('fine_tune', 'photos', '--epochs', 1)
    assert shlex.split(printed.splitlines()[-1])[-1] == 'runs/fine_tuned-2/run'
    assert (tmp_path / 'runs' / 'fine_tuned-2' / 'data' / 'classes.txt').read_text() == 'cat\ndog\n'
    assert [path.name for path in (tmp_path / 'runs' / 'fine_tuned').rglob('*')] == ['data', 'classes.txt']


def write_images(root, classes, count=10):
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.full((16, 16, 3), 255 * label, np.uint8)
            assert cv2.imwrite(str(root / name / f'{number}.png'), pixels)


def test_gluoncv_backbone(example):
    printed = example('gluoncv_backbone', '--steps', 20)
    assert 'cbamnet_tiny: channels (128,), strides (2,)' in printed
    first = sum(map(float, found(r'step 1: loss (\S+) \+ (\S+)', printed)))
    last = sum(map(float, found(r'step 20: loss (\S+) \+ (\S+)', printed)))
    assert last < first / 2
    count, overlap = found(r'(\d+) of 100 test digits are found and classified correctly \(mean IoU (\S+)\)', printed)
    assert int(count) > 40
    assert float(overlap) > 0.4


def test_explain(example, tmp_path):
    """A picture of the image, without colour, and of the gates and heat maps over it."""
    printed = example('explain')
    assert re.findall(r'^(\S+): strongest channels', printed, re.MULTILINE) == [
        'stages.0.attention',
        'stages.1.attention',
    ]
    assert found(r'7: probability (\S+),', printed) == ('0.9999',)
    assert printed.endswith('explained.png: 5 panels\n')
    picture = cv2.imread(str(tmp_path / 'explained.png'))
    height, width = picture.shape[:2]
    assert width > 4 * height
    colours = picture.max(axis=2) - picture.min(axis=2).astype(int)
    assert colours[:, : width // 7].mean() < 1  # the image itself, which is grey
    assert min(colours[:, width * part // 5 : width * (part + 1) // 5].mean() for part in range(1, 5)) > 10


def test_export_and_serve(example, tmp_path):
    pytest.importorskip('onnxruntime')
    printed = example('export_and_serve')
    (difference,) = found(r'model.onnx differs from MXNet by (\S+) on seven.png', printed)
    assert float(difference) < 1e-4
    status, answer = found(r'^(\d+) (\{.*\})$', printed.splitlines()[-1])
    assert status == '200'
    best = json.loads(answer)['top']
    assert len(best) == 3
    assert best[0]['label'] == '7'
    assert best[0]['probability'] == pytest.approx(0.99995, abs=1e-4)
    assert (tmp_path / 'model.onnx').is_file()

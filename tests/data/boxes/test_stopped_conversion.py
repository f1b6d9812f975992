"""Conversions that are stopped by signals, in processes of their own, leave nothing behind."""

import json
import os
import signal
import subprocess
import time

import cv2
import numpy as np
import pytest
from kills import CBAM

PICTURES = 3000
PATIENCE = 120  # seconds


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """A set in COCO's format that takes a while to convert."""
    folder = tmp_path_factory.mktemp('coco')
    picture = cv2.imencode('.png', np.zeros((16, 16, 3), np.uint8))[1].tobytes()
    names = [f'{number:04d}.png' for number in range(PICTURES)]
    for name in names:
        (folder / name).write_bytes(picture)
    images = [{'id': number, 'file_name': name, 'height': 16, 'width': 16} for number, name in enumerate(names)]
    boxes = [{'id': n + 1, 'image_id': n, 'category_id': 1, 'bbox': [1, 2, 8, 8]} for n in range(PICTURES)]
    value = {'images': images, 'annotations': boxes, 'categories': [{'id': 1, 'name': 'a'}]}
    (folder / 'train.json').write_text(json.dumps(value))
    return folder / 'train.json'


@pytest.mark.parametrize(
    ('target', 'number', 'code'),
    [('voc', signal.SIGTERM, 143), ('voc', signal.SIGINT, 130), ('rec', signal.SIGTERM, 143)],
)
def test_nothing_is_left(source, tmp_path, target, number, code):
    output = tmp_path / 'there' / 'out'
    command = [CBAM, 'data', 'convert', str(source), str(output), '--to', target]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's jobs in the background ignore it
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    deadline = time.time() + PATIENCE
    while not any(name.startswith('.') for _, folders, files in os.walk(tmp_path) for name in (*folders, *files)):
        assert process.poll() is None, 'it ended before it was stopped'
        assert time.time() < deadline, 'nothing happens'
        time.sleep(0.001)
    process.send_signal(number)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == code, said
    assert said.splitlines()[-1] == ('cbam: terminated' if number == signal.SIGTERM else 'cbam: interrupted')
    assert [path for path in tmp_path.rglob('*') if not path.is_dir()] == []
    assert [path.name for path in tmp_path.rglob('.*')] == []

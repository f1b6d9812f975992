"""Statistics compared with numpy over all pixels."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.records.checking import check_files
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.data.records.statistics import class_counts, statistics


@pytest.fixture
def mixed(tmp_path):
    """50 images: color PNGs, a gray and a CMYK JPEG, and one that is damaged; with their pixels, RGB."""
    rng = np.random.RandomState(0)
    images = []
    for number in range(47):
        pixels = rng.randint(0, 256, (rng.randint(5, 30), rng.randint(5, 30), 3)).astype(np.uint8)
        pixels[..., 0] //= 1 + number % 3
        images.append(cv2.imencode('.png', pixels[..., ::-1])[1].tobytes())
    for mode in ('L', 'CMYK'):
        file = io.BytesIO()
        Image.new(mode, (12, 9), 77).save(file, 'JPEG')
        images.append(file.getvalue())
    with RecordWriter(tmp_path / 'mixed.rec') as writer:
        for number, image in enumerate([*images, b'\xff\xd8\xff no more of it']):
            writer.write(float(number % 7) if number else 9.0, image)
    pixels = [cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)[..., ::-1] for image in images]
    return tmp_path / 'mixed.rec', images, pixels


def three(values):
    return {'min': min(values), 'median': np.median(values), 'max': max(values)}


@pytest.mark.parametrize('workers', [1, 2])
def test_equals_numpy(mixed, workers):
    path, images, pixels = mixed
    seen = []
    value = statistics(path, workers=workers, progress=lambda *state: seen.append(state))
    flat = np.concatenate([image.reshape(-1, 3) for image in pixels]) / 255
    assert np.abs(np.array(value['mean']) - flat.mean(axis=0)).max() < 1e-12
    assert np.abs(np.array(value['std']) - flat.std(axis=0)).max() < 1e-12
    assert value['width'] == three([image.shape[1] for image in pixels])
    assert value['height'] == three([image.shape[0] for image in pixels])
    assert value['aspect'] == three([image.shape[1] / image.shape[0] for image in pixels])
    assert value['bytes'] == three([len(image) for image in images])
    assert (value['records'], value['images'], value['bad']) == (50, 50, 1)
    assert value['formats'] == {'PNG': 47, 'JPEG': 2}
    assert value['modes'] == {'RGB': 47, 'L': 1, 'CMYK': 1}
    assert (value['grey'], value['cmyk']) == (1, 1)
    assert value['classes'] == {
        'count': 10, 'images': [7, 7, 7, 7, 7, 7, 7, 0, 0, 1], 'min': 0, 'median': 7, 'max': 7, 'empty': [7, 8],
    }  # fmt: skip
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def test_sample(mixed):
    path, _, _ = mixed
    value = statistics(path, sample=20, seed=1)
    assert (value['records'], value['images']) == (50, 20)
    assert value == statistics(path, sample=20, seed=1, workers=2)
    assert value['mean'] != statistics(path, sample=20, seed=2)['mean']
    assert value['classes'] == statistics(path)['classes']
    whole, everything = statistics(path), statistics(path, sample=1000)
    assert {**whole, 'mean': 0, 'std': 0} == {**everything, 'mean': 0, 'std': 0}
    assert np.allclose(whole['mean'] + whole['std'], everything['mean'] + everything['std'], rtol=0, atol=1e-12)


def test_labels_that_are_not_classes():
    for labels in ([0.5, 1], [-1, 2], [float('nan'), 1], [1e9, 0]):
        assert class_counts(np.float32(labels)) is None


def test_errors(mixed, tmp_path):
    path, _, _ = mixed
    with pytest.raises(UsageError, match='no record file'):
        statistics(tmp_path / 'none.rec')
    path.write_bytes(path.read_bytes()[:-4])
    for sample in (None, 5):
        with pytest.raises(DataError, match='record 49 at offset .*truncated'):
            statistics(path, sample)
    path.write_bytes(b'')
    for sample in (None, 5):
        with pytest.raises(DataError, match='the file is empty'):
            statistics(path, sample)


@pytest.mark.parametrize('name', ['set.tar', 'instances.json', 'train', 'photo.JPG'])
def test_files_of_other_kinds_are_no_damaged_records(name, tmp_path):
    file = tmp_path / name
    file.write_bytes(b'../annotations' + bytes(600))
    message = rf"{name} is no record file: make one of a data set with 'cbam data pack'"
    for use in (statistics, RecordFile, lambda path: check_files([path])):
        with pytest.raises(UsageError, match=message):
            use(str(file))

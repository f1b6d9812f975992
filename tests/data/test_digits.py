"""The digits of the data set are written completely, with the documented split."""

import cv2
import numpy as np
from sklearn.datasets import load_digits

from gluon_cbam.data.datasets.digits import write_digits
from gluon_cbam.data.records.recordio import RecordFile


def read(path):
    records = RecordFile(path)
    images = [
        cv2.imdecode(np.frombuffer(records[n].image, np.uint8), cv2.IMREAD_GRAYSCALE) for n in range(len(records))
    ]
    return np.array(images), records.labels.astype(int)


def test_every_scan_is_written_once(digits):
    train, train_labels = read(digits / 'train.rec')
    val, val_labels = read(digits / 'val.rec')
    assert (len(train), len(val)) == (1437, 360)
    assert np.bincount(val_labels).min() >= 35
    assert np.bincount(val_labels).max() <= 37
    source = load_digits()
    written = {
        (image.tobytes(), label) for image, label in zip(np.concatenate([train, val]), [*train_labels, *val_labels])
    }
    expected = {
        (np.round(image * 255 / 16).astype(np.uint8).tobytes(), label)
        for image, label in zip(source.images, source.target)
    }
    assert written == expected
    assert (digits / 'classes.txt').read_text().split() == [str(digit) for digit in range(10)]


def test_reproducible(digits, tmp_path):
    write_digits(tmp_path)
    for name in ('train.rec', 'train.idx', 'val.rec', 'val.idx'):
        assert (tmp_path / name).read_bytes() == (digits / name).read_bytes()


def test_clutter_has_one_complete_digit_of_its_split(tmp_path):
    assert write_digits(tmp_path / 'a', clutter=60, seed=1) == {'train.rec': 60, 'val.rec': 15}
    write_digits(tmp_path / 'b', clutter=60, seed=1)
    write_digits(tmp_path / 'c', clutter=60, seed=2)
    first, again, other = ((tmp_path / name / 'train.rec').read_bytes() for name in 'abc')
    assert first == again != other
    source = load_digits()
    order = np.argsort(source.target, kind='stable')
    held_out = np.isin(np.arange(len(order)), order[::5])
    for name, chosen in (('train.rec', ~held_out), ('val.rec', held_out)):
        images, labels = read(tmp_path / 'a' / name)
        assert images.shape[1:] == (32, 32)
        image, label = images[3], labels[3]
        scans = np.round(source.images[chosen & (source.target == label)] * 255 / 16).astype(np.uint8)
        assert any(contains(image, scan) for scan in scans), 'a whole digit of the label, from this split'


def contains(image, scan):
    """Whether an image is at least as bright as a scan, at any place and in any size."""
    for side in range(13, 20):
        patch = cv2.resize(scan, (side, side), interpolation=cv2.INTER_LINEAR)
        windows = np.lib.stride_tricks.sliding_window_view(image, (side, side))
        if (windows >= patch).all(axis=(2, 3)).any():
            return True
    return False

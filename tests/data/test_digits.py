"""The digits are the data set's, all of them, split as promised."""

import cv2
import numpy as np
from sklearn.datasets import load_digits

from gluon_cbam.data.digits import write_digits
from gluon_cbam.data.recordio import RecordFile


def read(path):
    records = RecordFile(path)
    images = [
        cv2.imdecode(np.frombuffer(records[n].image, np.uint8), cv2.IMREAD_GRAYSCALE) for n in range(len(records))
    ]
    return np.array(images), records.labels.astype(int)


def test_every_scan_once(digits):
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


def test_the_same_every_time(digits, tmp_path):
    write_digits(tmp_path)
    for name in ('train.rec', 'train.idx', 'val.rec', 'val.idx'):
        assert (tmp_path / name).read_bytes() == (digits / name).read_bytes()

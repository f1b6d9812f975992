"""Identities that a small network tells apart, patterns of colors with noise, and a run with them."""

import cv2
import numpy as np

from gluon_cbam.data.faces.archived_sets import write_archived
from gluon_cbam.data.records.recordio import RecordWriter

SIZE = 16


def picture(identity, random):
    """A PNG of an identity: a coarse pattern of its own, moved a little, and noise."""
    pattern = np.random.RandomState(identity).randint(0, 256, (4, 4, 3)).astype(np.float32)
    large = cv2.resize(pattern, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)
    moved = np.roll(large, random.randint(-1, 2, 2), axis=(0, 1)) + random.randn(SIZE, SIZE, 3) * 20
    return cv2.imencode('.png', np.clip(moved, 0, 255).astype(np.uint8))[1].tobytes()


def write_identities(folder, identities=6, pictures=10, pairs=40):
    """``train.rec`` with ``property``, and ``val/lfw.npz`` and ``val/agedb_30.npz`` of other identities."""
    random = np.random.RandomState(0)
    with RecordWriter(folder / 'train.rec') as writer:
        for number in range(identities * pictures):
            writer.write(number % identities, picture(number % identities, random))
    (folder / 'property').write_text(f'{identities},{SIZE},{SIZE}\n')
    (folder / 'val').mkdir()
    for name in ('lfw', 'agedb_30'):
        write_pairs(folder / 'val' / f'{name}.npz', random, pairs)
    return folder


def write_pairs(path, random, pairs):
    """A verification set of identities from 100 on, half of its pairs of one identity."""
    pictures, same = [], np.arange(pairs) % 2 == 0
    for one in same:
        first, second = random.choice(np.arange(100, 130), 2, replace=False)
        pictures += [picture(first, random), picture(first if one else second, random)]
    write_archived(path, pictures, np.arange(2 * pairs).reshape(-1, 2), same)


def face_settings(data, output, **changes):
    """Settings of a run of two epochs of 5 steps that takes a second."""
    return {
        'task': 'faces', 'network': 'cbamnet_tiny', 'option': {'embedding': 16, 'image_size': 16}, 'image_size': 16,
        'data_train': str(data / 'train.rec'), 'data_val': str(data / 'val'), 'output': str(output), 'epochs': 2,
        'batch_size': 12, 'lr': 0.05, 'scale': 16.0, 'workers': 1, 'augment': 'face', 'wd': 5e-4, **changes,
    }  # fmt: skip

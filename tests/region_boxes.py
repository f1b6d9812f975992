"""Random boxes and their overlaps, for tests of region proposals and RoIs."""

import numpy as np


def iou(first, second):
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(each[:, 2:] - each[:, :2], axis=1) for each in (first, second)]
    return shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)


def random_boxes(random, count, side=100):
    low = random.uniform(0, side * 0.7, (count, 2))
    return np.concatenate([low, low + random.uniform(1, side * 0.5, (count, 2))], axis=1)

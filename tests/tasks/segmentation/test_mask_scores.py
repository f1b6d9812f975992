"""The scores of segmentation beside plain loops and GluonCV's metric, and masks at the size of their picture."""

import cv2
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.common.errors import UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.tasks.segmentation.outputs import class_mask
from gluon_cbam.tasks.segmentation.scores import MaskScores, confusion

NAMES = ('a', 'b', 'c', 'd')


def pictures(count=5, classes=4, seed=0):
    """(truth, found) with ignored pixels."""
    random = np.random.RandomState(seed)
    for _ in range(count):
        truth = random.randint(0, classes, random.randint(5, 30, 2)).astype(np.uint8)
        found = np.where(random.rand(*truth.shape) < 0.6, truth, random.randint(0, classes, truth.shape))
        truth[random.rand(*truth.shape) < 0.1] = 255
        yield truth, found


def total(pairs, classes=4):
    return MaskScores(sum(confusion(truth, found, classes) for truth, found in pairs), NAMES[:classes])


def test_scores_by_sets_of_pixels():
    pairs = list(pictures())
    scores = total(pairs)
    truth, found = (np.concatenate([pair[place].ravel() for pair in pairs]) for place in (0, 1))
    truth, found = truth[truth != 255], found[truth != 255]
    iou = [((truth == k) & (found == k)).sum() / ((truth == k) | (found == k)).sum() for k in range(4)]
    accuracy = [(found[truth == k] == k).mean() for k in range(4)]
    assert scores.iou == pytest.approx(iou, abs=1e-12) and scores.accuracy == pytest.approx(accuracy, abs=1e-12)
    expected = {'miou': np.mean(iou), 'pixel_accuracy': (truth == found).mean(), 'mean_accuracy': np.mean(accuracy)}
    assert scores.figures == pytest.approx(expected, abs=1e-12)


def test_gluoncvs_metric():
    """Its ignored pixels are -1, and its scores are those of ours where every class occurs."""
    segmentation = pytest.importorskip('gluoncv.utils.metrics.segmentation')
    metric, pairs = segmentation.SegmentationMetric(4), list(pictures(seed=3))
    for truth, found in pairs:
        logits = np.eye(4, dtype=np.float32)[found].transpose(2, 0, 1)[None]
        labels = np.where(truth == 255, -1, truth.astype(np.int64))[None]
        metric.update(mx.nd.array(labels, dtype='int64'), mx.nd.array(logits))
    accuracy, miou = metric.get()
    figures = total(pairs).figures
    assert (figures['pixel_accuracy'], figures['miou']) == pytest.approx((accuracy, miou), abs=1e-9)


def test_classes_that_do_not_occur():
    truth, found = np.array([[0, 0, 1, 255]], np.uint8), np.array([[0, 1, 1, 3]])
    scores = total([(truth, found)])
    assert scores.iou[:2].tolist() == [0.5, 0.5] and np.isnan(scores.iou[2:]).all()
    assert scores.figures == {'miou': 0.5, 'pixel_accuracy': pytest.approx(2 / 3), 'mean_accuracy': 0.75}
    assert scores.of_classes()['d'] == {'iou': None, 'accuracy': None, 'pixels': 0}
    missed = total([(np.array([[0, 2]], np.uint8), np.array([[0, 0]]))])
    assert missed.iou[2] == 0, 'a class that is never found counts'


@pytest.mark.parametrize('resize', ['stretch', 'letterbox'])
@pytest.mark.parametrize('shape', [(20, 50), (70, 33), (32, 32)])
def test_masks_have_the_size_of_the_picture(resize, shape):
    """A network that copies the colors of its input finds each pixel, but for borders, which are resized."""
    height, width = shape
    truth = np.zeros(shape, np.uint8)
    truth[height // 4 : height // 2, width // 3 :] = 1
    truth[height // 2 :, : width // 2] = 2
    prepare = Preprocessing(64, resize=resize)
    seen = prepare.crop(np.eye(3, dtype=np.uint8)[truth] * 255)
    found = class_mask(seen.transpose(2, 0, 1).astype(np.float64), prepare, height, width)
    assert found.shape == shape and found.dtype == np.uint8
    inside = cv2.erode((cv2.Laplacian(truth, cv2.CV_64F) == 0).astype(np.uint8), np.ones((3, 3)))
    assert (found == truth)[inside > 0].all() and (found == truth).mean() > 0.9


def test_the_whole_picture_must_be_seen():
    with pytest.raises(UsageError, match='--resize letterbox or stretch, not crop'):
        class_mask(np.zeros((2, 32, 32)), Preprocessing(32, resize='crop'), 20, 60)

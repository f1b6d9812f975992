"""Test-time augmentation: the views of an image, and the mean of the probabilities over them."""

import mxnet as mx
import numpy as np
import pytest
from scipy.special import softmax

from gluon_cbam.common.errors import RunError, UsageError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.views import View, check_views, views_of
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.data.resizing import resize_short_side
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.classification.view_average import ViewAverage
from gluon_cbam.tasks.evaluation import evaluate, on_contexts


@pytest.mark.parametrize('shape', [(40, 40), (37, 61), (90, 33)])
def test_views_are_those_of_torchvision(shape):
    """FiveCrop of the resized image: top left, top right, bottom left, bottom right, center; TenCrop flips them."""
    preprocessing = Preprocessing(16, 0.8)
    pixels = np.random.RandomState(1).randint(0, 256, (*shape, 3)).astype(np.uint8)
    resized = resize_short_side(pixels, 20)
    height, width = resized.shape[:2]
    top, left = (height - 16) // 2, (width - 16) // 2
    corners = [(top, left), (0, 0), (0, width - 16), (height - 16, 0), (height - 16, width - 16)]
    expected = [resized[y : y + 16, x : x + 16] for y, x in corners]
    found = [view.of(preprocessing, pixels) for view in views_of(['ten'])]
    assert len(found) == 10
    for view, crop, flipped in zip(expected, found[:5], found[5:]):
        np.testing.assert_array_equal(crop, view)
        np.testing.assert_array_equal(flipped, view[:, ::-1])


def test_names_of_views():
    assert views_of([]) == (View(),)
    assert views_of(['flip']) == (View(), View('center', True))
    assert len(views_of(['five'])) == 5
    assert views_of(['five', 'flip']) == views_of(['ten']) == views_of(['ten', 'ten', 'flip'])
    with pytest.raises(UsageError, match="'fife': did you mean five"):
        views_of(['fife'])


def test_corners_need_something_to_crop():
    for preprocessing, message in (
        (Preprocessing(8, 1.0), 'with --crop-ratio 1 both are 8 pixels'),
        (Preprocessing(8, 0.97), 'with --crop-ratio 0.97 both are 8 pixels'),
        (Preprocessing(32, 0.875, resize='stretch'), '--resize stretch shows all of it'),
        (Preprocessing(32, 0.875, resize='letterbox'), '--resize letterbox shows all of it'),
    ):
        check_views(views_of(['flip']), preprocessing)
        for kind in ('five', 'ten'):
            with pytest.raises(UsageError, match=message):
                check_views(views_of([kind]), preprocessing)
    check_views(views_of(['ten']), Preprocessing(8, 0.875))


@pytest.fixture(scope='module')
def seen_by_hand(digits, digits_network, tmp_path_factory):
    """Preprocessing, 47 records, and the mean probabilities of their ten views from a plain loop."""
    preprocessing = Preprocessing(8, 0.7, digits_network.preprocessing.mean, digits_network.preprocessing.std)
    source, path = RecordFile(digits / 'val.rec'), tmp_path_factory.mktemp('some') / 'val.rec'
    with RecordWriter(path) as writer:
        for number in range(47):
            writer.write(float(source.labels[number]), source[number].image)
    records, means = RecordFile(path), []
    for number in range(len(records)):
        pixels = decode_record(records, number)
        batch = np.stack([preprocessing.normalize(view.of(preprocessing, pixels)) for view in views_of(['ten'])])
        means.append(softmax(digits_network.net(mx.nd.array(batch)).asnumpy().astype(np.float64), axis=1).mean(axis=0))
    return preprocessing, records, np.array(means)


@pytest.mark.parametrize('batch_size', [3, 10, 24])
def test_the_mean_is_of_the_probabilities(digits_network, seen_by_hand, batch_size):
    preprocessing, records, means = seen_by_hand
    task = get_task('classification').with_views(['flip', 'five'], preprocessing).with_kept(3)
    found = evaluate(task, digits_network.net, records, preprocessing, [mx.cpu()], batch_size, 2)
    labels = records.labels.astype(int)
    assert found.records == 47 and found.as_dict()['views'] == 10
    assert found.top1 == (means.argmax(axis=1) == labels).mean()
    assert found.loss == pytest.approx(-np.log(means[np.arange(47), labels]).mean(), abs=1e-5)
    np.testing.assert_allclose(found.outcomes.top_probabilities, -np.sort(-means, axis=1)[:, :3], atol=1e-5)


def test_several_devices_take_batches_of_one_size(digits, seen_by_hand):
    from gluon_cbam import get_model

    preprocessing, records, _ = seen_by_hand
    mx.random.seed(3)
    net, devices = get_model('cbamnet_tiny', classes=10), [mx.cpu(number) for number in range(3)]
    net.initialize(ctx=devices)
    task = get_task('classification').with_views(['flip'], preprocessing)
    one, three = (
        evaluate(task, net, records, preprocessing, ctx, size, 2) for ctx, size in ((devices[:1], 7), (devices, 3))
    )
    np.testing.assert_array_equal(one.outcomes.predicted, three.outcomes.predicted)
    assert one.loss == pytest.approx(three.loss, rel=1e-6)


def test_probabilities_that_underflow_and_outputs_that_are_not_finite():
    logits = np.array([[0, -2000.0, 5], [-3000, 0, 5]])

    def start(images):
        return lambda: [logits[: len(images)]]

    (found,) = ViewAverage(start, 2, 2)(np.zeros((1, 2, 3)))()
    np.testing.assert_allclose(
        found, [[np.log(np.exp(-5) / (1 + np.exp(-5)) / 2)] * 2 + [np.log(1 / (1 + np.exp(-5)))]]
    )
    logits[1, 0] = -np.inf
    (found,) = ViewAverage(start, 2, 2)(np.zeros((1, 2, 3)))()
    assert not np.isfinite(found).any()


def test_one_view_with_an_output_that_is_not_finite_ends_the_evaluation(digits, seen_by_hand):
    preprocessing, records, _ = seen_by_hand
    task = get_task('classification').with_views(['flip'], preprocessing)

    class Bad(mx.gluon.HybridBlock):
        def hybrid_forward(self, F, x):
            outputs = np.zeros((x.shape[0], 10))
            outputs[1::2, 3] = -np.inf
            return mx.nd.array(outputs)

    with pytest.raises(RunError, match='record 0 of .*val.rec is not finite'):
        task.evaluate(on_contexts(Bad(), [mx.cpu()]), records, preprocessing, 8, 2)


def test_other_tasks_have_one_view():
    with pytest.raises(UsageError, match='--tta flip: the task detection has one view'):
        get_task('detection').with_views(['flip'], Preprocessing(8))
    assert get_task('detection').with_views([], Preprocessing(8)) is not None

"""Evaluation counts every record once and correctly, on any number of devices."""

import threading

import mxnet as mx
import numpy as np
import pytest
from thread_groups import in_group

from gluon_cbam import get_model
from gluon_cbam.common.errors import RunError
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.tasks.classification.evaluation import evaluate, score

PREPROCESSING = Preprocessing(8, 1.0)


@pytest.fixture(scope='module')
def scored_by_hand(digits):
    """A network, and its scores from a plain loop over single images."""
    mx.random.seed(2)
    net = get_model('cbamnet_tiny', classes=10)
    net.initialize(ctx=[mx.cpu(0), mx.cpu(1), mx.cpu(2)])
    records = RecordFile(digits / 'val.rec')
    logits = []
    for number in range(len(records)):
        image = PREPROCESSING(decode(records[number].image, 'x'))
        logits.append(net(mx.nd.array(image[None])).asnumpy()[0].astype('float64'))
    logits, labels = np.array(logits), records.labels.astype(int)
    order = np.argsort(-logits, axis=1)
    top1 = np.mean(order[:, 0] == labels)
    top5 = np.mean((order[:, :5] == labels[:, None]).any(1))
    loss = np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels])
    return net, records, (top1, top5, loss)


@pytest.mark.parametrize(('batch_size', 'devices'), [(1, 1), (7, 1), (360, 1), (500, 1), (7, 2), (50, 3), (120, 3)])
@pytest.mark.parametrize('hybridized', [False, True])
def test_exact(scored_by_hand, batch_size, devices, hybridized):
    net, records, (top1, top5, loss) = scored_by_hand
    net.hybridize(hybridized, static_alloc=hybridized, static_shape=hybridized)
    for _ in range(2):
        scored = evaluate(net, records, PREPROCESSING, [mx.cpu(i) for i in range(devices)], batch_size, 2)
        assert scored.records == 360
        assert (scored.top1, scored.top5) == (top1, top5)
        assert abs(scored.loss - loss) < 1e-5


class Constant(mx.gluon.HybridBlock):
    """Gives every image the same logits."""

    def __init__(self, logits):
        super().__init__()
        self._logits = logits

    def hybrid_forward(self, F, x):
        return mx.nd.array([self._logits] * x.shape[0])


def test_equal_logits_are_no_hit(digits):
    """Equal logits: only the first class counts as predicted, as with argmax."""
    records = RecordFile(digits / 'val.rec')
    scored = evaluate(Constant([0.0] * 10), records, PREPROCESSING, [mx.cpu()], 64, 2)
    assert scored.top1 == (records.labels == 0).mean()
    assert scored.top5 == (records.labels < 5).mean()
    assert scored.loss == pytest.approx(np.log(10))


def test_outputs_that_are_not_finite_raise(digits):
    for bad in (np.nan, np.inf):
        with pytest.raises(RunError, match='record 0 of .*val.rec is not finite'):
            evaluate(Constant([bad] + [0.0] * 9), RecordFile(digits / 'val.rec'), PREPROCESSING, [mx.cpu()], 64, 2)


@pytest.mark.parametrize('processes', [2, 3, 7])
def test_several_processes_have_the_figures_of_one(scored_by_hand, processes):
    """Bit for bit, since the outcomes are in the order of the records."""
    net, records, _ = scored_by_hand
    net.hybridize(False)
    one = evaluate(net, records, PREPROCESSING, [mx.cpu(0)], 50, 1)
    lock = threading.Lock()  # MXNet records the network of one thread at a time

    def run(rank, group):
        def start(images):
            with lock:
                outputs = net(mx.nd.array(images)).asnumpy()
            return lambda: [outputs]

        return score(start, records, PREPROCESSING, 50, 1, process_group=group, keep=2)

    for found in in_group(processes, run):
        assert found.figures == pytest.approx(one.figures, rel=1e-6)
        assert (found.top1, found.macro_f1) == (one.top1, one.macro_f1)
        np.testing.assert_array_equal(found.outcomes.predicted, one.outcomes.predicted)
        np.testing.assert_array_equal(found.outcomes.top[:, 0], one.outcomes.predicted)


def test_more_processes_than_records(digits, tmp_path):
    source, path = RecordFile(digits / 'val.rec'), tmp_path / 'two.rec'
    with RecordWriter(path) as writer:
        for number in range(2):
            writer.write(float(source.labels[number]), source[number].image)
    records = RecordFile(path)

    def run(rank, group):
        def start(images):
            return lambda: [np.eye(10)[[0] * len(images)]]

        return score(start, records, PREPROCESSING, 50, 1, process_group=group)

    found = in_group(3, run)
    assert {each.records for each in found} == {2}
    assert len({tuple(each.figures.values()) for each in found}) == 1

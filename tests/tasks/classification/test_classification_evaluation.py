"""Evaluation counts every record once and correctly, on any number of devices."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import get_model
from gluon_cbam.common.errors import RunError
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.tasks.classification.evaluation import evaluate

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

"""The loss of segmentation: over the pixels of the whole step, however it is divided."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.data.loading.mask_training import MaskBatch
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.tasks.segmentation.loss import PixelLoss
from gluon_cbam.tasks.segmentation.objective import SegmentationObjective

SIZE = 8


class Pixels(mx.gluon.nn.HybridBlock):
    """Two heads that are linear in the pixels, without BatchNorm, so that devices do not differ."""

    def __init__(self):
        super().__init__()
        self.main = mx.gluon.nn.Conv2D(4, 1, in_channels=3, weight_initializer=mx.init.Normal(0.5))
        self.aux = mx.gluon.nn.Conv2D(4, 1, in_channels=3, weight_initializer=mx.init.Normal(0.5))

    def hybrid_forward(self, F, x):
        return [self.main(x), self.aux(x)]


@pytest.fixture
def net():
    mx.random.seed(3)
    block = Pixels()
    block.initialize(ctx=[mx.cpu(0), mx.cpu(1)])
    return block


@pytest.fixture
def batch():
    """Four pictures with different numbers of ignored pixels; of the last all are."""
    random = np.random.RandomState(0)
    masks = random.randint(0, 4, (4, SIZE, SIZE)).astype(np.uint8)
    masks[0, :5], masks[2, 1:3], masks[3] = 255, 255, 255
    pixels = random.randint(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    return MaskBatch(mx.nd.array(pixels, dtype='uint8'), mx.nd.array(masks, dtype='uint8'))


def parts_of(batch, devices):
    ctx = [mx.cpu(number) for number in range(devices)]
    return [MaskBatch(*part) for part in zip(*(mx.gluon.utils.split_and_load(array, ctx) for array in batch))]


def trained(net, step, aux_weight=0.5):
    """The gradients and the sums of the statistics of a step of several batches, each divided over devices."""
    objective, sums = SegmentationObjective({'aux_weight': aux_weight}, Preprocessing(SIZE)), np.zeros(3)
    for value in net.collect_params().values():
        value.grad_req = 'add'
        value.zero_grad()
    for inputs in objective.prepare_step(step, 0):
        with mx.autograd.record():
            losses, outputs = zip(*objective.losses(net, inputs))
        mx.autograd.backward(list(losses))
        for part in zip(inputs, losses, outputs):
            sums += [each.asscalar() for each in objective.statistics(*part)]
    return [sum(grad.asnumpy() for grad in value.list_grad()) for value in net.collect_params().values()], sums


def by_hand(net, batch):
    """The two terms over all counted pixels, in numpy."""
    pixels, masks = batch.images.asnumpy() / 255.0, batch.masks.asnumpy()
    pixels = ((pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).transpose(0, 3, 1, 2)
    terms, counted = [], masks != 255
    for head in (net.main, net.aux):
        weight, bias = head.weight.data(mx.cpu(0)).asnumpy()[:, :, 0, 0], head.bias.data(mx.cpu(0)).asnumpy()
        logits = np.einsum('kc,nchw->nkhw', weight, pixels) + bias[:, None, None]
        log = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        chosen = np.take_along_axis(log, np.where(counted, masks, 0)[:, None].astype(int), axis=1)[:, 0]
        terms.append(-chosen[counted].sum() / counted.sum())
    return terms


def test_the_mean_is_the_loss_over_the_counted_pixels(net, batch):
    _, sums = trained(net, [parts_of(batch, 1)])
    main, aux = by_hand(net, batch)
    assert sums / 4 == pytest.approx([main + 0.5 * aux, main, 0.5 * aux], rel=1e-5)


def test_devices_and_accumulated_batches_do_not_matter(net, batch):
    expected, sums = trained(net, [parts_of(batch, 1)])
    halves = [MaskBatch(*(array[begin : begin + 2] for array in batch)) for begin in (0, 2)]
    for step in ([parts_of(batch, 2)], [parts_of(half, 1) for half in halves], [parts_of(half, 2) for half in halves]):
        gradients, others = trained(net, step)
        assert others == pytest.approx(sums, rel=1e-5)
        for found, wanted in zip(gradients, expected):
            assert found == pytest.approx(wanted, rel=1e-4, abs=1e-6)


def test_processes_share_the_count(net, batch):
    """Two processes with half of the batch each; the sum over both is simulated."""

    class Group:
        rank, size = 0, 2

        def add(self, name, array):
            return array + other

    half = MaskBatch(*(array[:2] for array in batch))
    other = float((batch.masks[2:].asnumpy() != 255).sum())
    objective = SegmentationObjective({'aux_weight': 0.5}, Preprocessing(SIZE))
    objective.join(Group())
    (inputs,) = objective.prepare(parts_of(half, 1), 0, 0)
    assert inputs.weight.asscalar() == pytest.approx(4 / (batch.masks.asnumpy() != 255).sum())


def test_ignored_pixels_have_no_gradient_and_no_nan():
    logits = mx.nd.array(np.random.RandomState(0).normal(0, 1, (1, 3, 2, 2)))
    logits[0, :, 0, 0] = np.inf
    logits.attach_grad()
    masks = mx.nd.array([[[255, 1], [2, 255]]])
    with mx.autograd.record():
        loss = PixelLoss()(logits, masks)
    loss.backward()
    gradients = logits.grad.asnumpy()[0]
    assert np.isfinite(loss.asscalar())
    assert not gradients[:, 1, 1].any() and gradients[:, 0, 1].any()
    nothing = PixelLoss()(logits, mx.nd.full((1, 2, 2), 255))
    assert nothing.asscalar() == 0

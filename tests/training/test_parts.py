"""Loss, schedule and optimizer state, each against an independent computation."""

import math

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import get_model
from gluon_cbam.common.errors import DataError
from gluon_cbam.tasks.classification.loss import SmoothedCrossEntropy
from gluon_cbam.training import TrainConfig
from gluon_cbam.training.optim.lr_schedule import schedule
from gluon_cbam.training.optim.state import optimizer_arrays, restore_optimizer
from gluon_cbam.training.parameters.batch_norm import take_statistics


def config(**settings):
    return TrainConfig(network='cbamnet_tiny', data_train='a.rec', **settings)


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_loss(smoothing):
    logits = np.random.RandomState(0).randn(5, 7)
    labels = np.array([0, 6, 3, 3, 1])
    log_probability = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    target = np.eye(7)[labels] * (1 - smoothing) + smoothing / 7
    loss = SmoothedCrossEntropy(smoothing)(mx.nd.array(logits), mx.nd.array(labels))
    assert loss.shape == (5,)
    assert np.abs(loss.asnumpy() + (target * log_probability).sum(1)).max() < 1e-5


def test_step_schedule():
    rate = schedule(config(lr=0.4, epochs=10, lr_step_epochs=[3, 6]), steps_per_epoch=5)
    assert [rate(step) for step in (0, 14, 15, 29, 30, 49)] == pytest.approx([0.4, 0.4, 0.04, 0.04, 0.004, 0.004])


def test_cosine_schedule_with_warmup():
    rate = schedule(config(lr=0.4, epochs=10, lr_mode='cosine', warmup_epochs=2), steps_per_epoch=5)
    assert [rate(step) for step in (0, 9)] == pytest.approx([0, 0.4])
    warm = [rate(step) for step in range(10)]
    assert np.allclose(np.diff(warm), 0.4 / 9)
    for step in (10, 25, 49):
        assert rate(step) == pytest.approx(0.2 * (1 + math.cos(math.pi * (step - 10) / 39)))


def test_warmup_does_not_move_the_milestones():
    rate = schedule(config(lr=1.0, epochs=10, lr_step_epochs=[3], warmup_epochs=1), steps_per_epoch=5)
    assert (rate(14), rate(15)) == pytest.approx((1.0, 0.1))


def gluoncvs_schedule(settings, steps_per_epoch):
    """The same schedule by GluonCV's schedulers."""
    utils = pytest.importorskip('gluoncv.utils')
    warmup = int(round(settings.warmup_epochs * steps_per_epoch))
    main = utils.LRScheduler(
        settings.lr_mode, base_lr=settings.lr, target_lr=0,
        niters=max(2, settings.epochs * steps_per_epoch - warmup),  # GluonCV divides by niters - 1
        step_iter=[int(round(epoch * steps_per_epoch)) - warmup for epoch in settings.lr_step_epochs],
        step_factor=settings.lr_decay,
    )  # fmt: skip
    if warmup < 2:
        return main
    return utils.LRSequential([utils.LRScheduler('linear', base_lr=0, target_lr=settings.lr, niters=warmup), main])


@pytest.mark.parametrize('mode', ['step', 'cosine'])
def test_every_rate_is_gluoncvs_to_the_last_bit(mode):
    random = np.random.RandomState(0)
    for _ in range(60):
        epochs, steps = int(random.randint(1, 12)), int(random.randint(1, 9))
        settings = config(
            lr=float(random.uniform(0.01, 3)), lr_mode=mode, epochs=epochs, lr_decay=float(random.uniform(0.05, 1)),
            lr_step_epochs=sorted(float(epoch) for epoch in random.uniform(0, epochs, 3)),
            warmup_epochs=float(random.choice([0, 0.1, 1, random.uniform(0, 3)])),
        )  # fmt: skip
        ours, theirs = schedule(settings, steps), gluoncvs_schedule(settings, steps)
        numbers = range(epochs * steps + 5)
        assert [ours(number) for number in numbers] == [theirs(number) for number in numbers], settings


def step_of(net, trainer, number):
    x = mx.nd.array(np.random.RandomState(number).randn(4, 3, 8, 8))
    with mx.autograd.record():
        loss = (net(x) ** 2).sum()
    loss.backward()
    trainer.step(4)


def network_and_trainer(optimizer):
    mx.random.seed(0)
    net = get_model('cbamnet_tiny', classes=3)
    net.initialize()
    arguments = {'learning_rate': 1e-3, **({'momentum': 0.9} if optimizer != 'adam' else {})}
    return net, mx.gluon.Trainer(net.collect_params(), optimizer, arguments, update_on_kvstore=False)


@pytest.mark.parametrize('optimizer', ['sgd', 'nag', 'adam'])
def test_optimizer_state_continues_bit_for_bit(optimizer, tmp_path):
    through, its_trainer = network_and_trainer(optimizer)
    for number in range(6):
        step_of(through, its_trainer, number)
    first, trainer = network_and_trainer(optimizer)
    for number in range(3):
        step_of(first, trainer, number)
    mx.nd.save(str(tmp_path / 'states'), optimizer_arrays(first, trainer))
    first.save_parameters(str(tmp_path / 'params'))
    second, trainer = network_and_trainer(optimizer)
    second.load_parameters(str(tmp_path / 'params'))
    restore_optimizer(second, trainer, mx.nd.load(str(tmp_path / 'states')))
    for number in range(3, 6):
        step_of(second, trainer, number)
    for name, parameter in second._collect_params_with_prefix().items():
        expected = through._collect_params_with_prefix()[name].data().asnumpy()
        assert np.array_equal(parameter.data().asnumpy(), expected), name


def test_another_optimizers_state_is_refused():
    net, trainer = network_and_trainer('sgd')
    step_of(net, trainer, 0)
    arrays = optimizer_arrays(net, trainer)
    with pytest.raises(DataError, match='optimizer state'):
        restore_optimizer(*network_and_trainer('adam'), arrays)


def test_the_statistics_of_a_batch_are_taken():
    """Those of its second layer follow from a first layer that is normalized by the batch, too."""
    net = mx.gluon.nn.HybridSequential()
    for _ in range(2):
        net.add(mx.gluon.nn.Conv2D(3, 1, in_channels=3), mx.gluon.nn.BatchNorm(in_channels=3, momentum=0.99))
    ctx = [mx.cpu(0), mx.cpu(1)]
    net.initialize(mx.init.Normal(1), ctx=ctx)
    net.hybridize(static_alloc=True, static_shape=True)
    batches = [mx.nd.random.normal(number, 2, shape=(6, 3, 5, 5), ctx=ctx[number]) for number in range(2)]
    for batch in batches:
        net(batch)

    def run():
        for batch in batches:
            with mx.autograd.record():
                output = net(batch)
            output.backward()

    take_statistics(net, run)
    for batch, context in zip(batches, ctx):
        values = batch
        for conv, norm in zip(net[::2], net[1::2]):
            values = conv(values)
            mine = values.asnumpy().transpose(1, 0, 2, 3).reshape(3, -1)
            assert np.allclose(norm.running_mean.data(context).asnumpy(), mine.mean(axis=1), atol=1e-4)
            assert np.allclose(norm.running_var.data(context).asnumpy(), mine.var(axis=1), rtol=0.01)
            assert norm._kwargs['momentum'] == 0.99
            values = norm(values)
        assert np.allclose(net(batch).asnumpy(), values.asnumpy(), atol=1e-5)

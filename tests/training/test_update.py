"""Updates of the weights against the papers' formulas in numpy, and against other computations of the same update."""

import os
import signal

import mxnet as mx
import numpy as np
import pytest
from steps import Training, batch, difference, halves

from gluon_cbam import weights
from gluon_cbam.common.errors import Interrupted, UsageError
from gluon_cbam.training import TrainConfig, make_config, train

RATES = [0.1, 0.2, 0.05, 0.05, 0.01]
WD = 0.02
UNSCALED = ('bias', 'gamma', 'beta')


def sgd(w, g, state, rate, t, name):
    state['m'] = 0.9 * state.get('m', 0) + rate * (g + WD * w)
    return w - state['m']


def nag(w, g, state, rate, t, name):
    decayed = g + WD * w
    state['m'] = 0.9 * state.get('m', 0) + rate * decayed
    return w - 0.9 * state['m'] - rate * decayed


def lars(w, g, state, rate, t, name):
    weight, gradient = np.linalg.norm(w), np.linalg.norm(g)
    if weight > 0 and gradient > 0 and not name.endswith(UNSCALED):
        rate = rate * 0.001 * weight / (gradient + WD * weight)
    return sgd(w, g, state, rate, t, name)


def moments(g, state, t):
    state['m'] = 0.8 * state.get('m', 0) + 0.2 * g
    state['v'] = 0.95 * state.get('v', 0) + 0.05 * g**2
    return state['m'] / (1 - 0.8**t), state['v'] / (1 - 0.95**t)


def adaptive(w, g, state, t):
    mean, square = moments(g, state, t)
    return mean / (np.sqrt(square) + 1e-3) + WD * w


def adam(w, g, state, rate, t, name):
    mean, square = moments(g + WD * w, state, t)
    return w - rate * mean / (np.sqrt(square) + 1e-3 / np.sqrt(1 - 0.95**t))  # epsilon as in MXNet


def adamw(w, g, state, rate, t, name):
    return w - rate * adaptive(w, g, state, t)


def lamb(w, g, state, rate, t, name):
    update = adaptive(w, g, state, t)
    weight, length = np.linalg.norm(w), np.linalg.norm(update)
    return w - rate * (weight / length if weight > 0 and length > 0 else 1) * update


OPTIMIZERS = {'sgd': sgd, 'nag': nag, 'lars': lars, 'adam': adam, 'adamw': adamw, 'lamb': lamb}
FACTORS = {'fc.weight': 3, 'fc.bias': 0.5}
SETTINGS = {'lr_mult': {'fc': 3, 'fc.bias': 0.5}, 'wd': WD, 'beta1': 0.8, 'beta2': 0.95, 'epsilon': 1e-3}


@pytest.mark.parametrize('contexts', [1, 2])
@pytest.mark.parametrize('name', OPTIMIZERS)
def test_optimizers_follow_their_papers(name, contexts):
    training = Training(contexts, norm=True, optimizer=name, **SETTINGS)
    training.optimization._rate = RATES.__getitem__
    expected = {key: value.astype(float) for key, value in training.values().items()}
    states = {key: {} for key in expected}
    for number, rate in enumerate(RATES):
        training._step([batch(number)], number)
        gradients = dict.fromkeys(training.gradients(), 0)
        for key in gradients:
            parameter = training.net._collect_params_with_prefix()[key]
            gradients[key] = sum(part.asnumpy().astype(float) for part in parameter.list_grad()) / 8
        training.optimization.update(number)
        for key, gradient in gradients.items():
            mine = rate * FACTORS.get(key, 1)
            expected[key] = OPTIMIZERS[name](expected[key], gradient, states[key], mine, number + 1, key)
    for device in range(contexts):
        values = training.values(device)
        for key in gradients:
            assert np.abs(values[key] - expected[key]).max() < 2e-5, key


@pytest.mark.parametrize('contexts', [1, 2])
@pytest.mark.parametrize('name', OPTIMIZERS)
def test_every_optimizer_continues_bit_for_bit(name, contexts, tmp_path):
    settings = {'contexts': contexts, 'norm': True, 'optimizer': name, 'ema': 0.9, 'clip_norm': 0.5}
    through = Training(**settings)
    for number in range(6):
        through.step(batch(number))
        if number == 2:
            for part, state in through.optimization.parts().items():
                mx.nd.save(str(tmp_path / part), state.arrays())
            kept = through.values()
    second = Training(**settings)
    for key, parameter in second.net._collect_params_with_prefix().items():
        parameter.set_data(mx.nd.array(kept[key]))
    for part, state in second.optimization.parts().items():
        state.restore(weights.read_arrays(tmp_path / part), 3)
    second.done = 3
    for number in range(3, 6):
        second.step(batch(number))
    for get in (Training.values, averages):
        one, other = (exact(get(training), contexts) for training in (through, second))
        assert difference(one, other) == 0


def exact(values, contexts):
    """Without running statistics on several contexts, of which a checkpoint has the mean alone."""
    return {key: value for key, value in values.items() if contexts == 1 or 'running' not in key}


def averages(training):
    return {key: value.asnumpy() for key, value in training.average.arrays().items()}


def test_mxnets_own_lars_diverges_over_devices():
    """Why momentum_correction is off: after a change of the rate, MXNet corrects the first device only."""
    optimizer = mx.optimizer.LARS(momentum=0.9, learning_rate=0.1)
    updaters = [mx.optimizer.get_updater(optimizer) for _ in range(2)]
    copies = [mx.nd.array([1.0, 2.0], ctx=mx.cpu(index)) for index in range(2)]
    for rate in (0.1, 0.2):
        optimizer.set_learning_rate(rate)
        for index, (updater, value) in enumerate(zip(updaters, copies)):
            updater([0], [mx.nd.array([3.0, -1.0], ctx=mx.cpu(index))], [value])
    assert np.abs(copies[0].asnumpy() - copies[1].asnumpy()).max() > 1e-5


def test_mxnets_own_nag_decays_what_it_has_written():
    """Why the decay is added before: MXNet's operator takes it for the momentum from the updated weight."""
    weight, momentum = mx.nd.array([1.5]), mx.nd.zeros((1,))
    mx.nd.nag_mom_update(weight, mx.nd.array([0.7]), momentum, out=weight, lr=0.2, wd=0.1, momentum=0.9)
    assert abs(-momentum.asscalar() - 0.2 * (0.7 + 0.1 * 1.5)) > 1e-3


@pytest.mark.parametrize('contexts', [1, 2])
@pytest.mark.parametrize('more', [{}, {'clip_norm': 0.3}, {'penalty': 0.1}, {'ema': 0.5}])
def test_batches_that_are_added_are_one_large_batch(contexts, more):
    at_once, added = Training(contexts, 16, **more), Training(contexts, 16, accumulate=2, **more)
    for number in range(3):
        whole = batch(number, 16)
        at_once.step(whole)
        added.step(*halves(whole))
    assert difference(at_once.values(), added.values()) < 1e-6
    for one, other in zip(at_once.result.sums, added.result.sums):
        assert sum(x.asscalar() for x in one) == pytest.approx(sum(x.asscalar() for x in other), rel=1e-5)
    if 'ema' in more:
        assert difference(averages(at_once), averages(added)) < 1e-6


@pytest.mark.parametrize('clip', [0.05, 1e6])
def test_the_norm_over_all_parameters_and_devices_is_clipped(clip):
    values = []
    for contexts in (1, 2, 4):
        training = Training(contexts, optimizer='sgd', momentum=0.0, wd=0.0, rate=1.0, clip_norm=clip)
        before = training.values()
        training.step(batch(0))
        values.append(training.values())
        moved = np.sqrt(sum(((values[-1][key] - before[key]) ** 2).sum() for key in before))
        if clip < 1:
            assert moved == pytest.approx(clip, rel=1e-4)
        else:
            assert moved > 0.1
        for device in range(1, contexts):
            assert difference(training.values(), training.values(device)) == 0
    assert difference(values[0], values[1]) < 1e-6
    assert difference(values[0], values[2]) < 1e-6


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_the_decay_reaches_its_group_alone(name):
    """With a gradient of zero, only parameters with weight decay change."""
    training = Training(
        norm=True, optimizer=name, wd=0.1, no_decay=True, wd_mult={'conv': 0.5, 'fc.weight': 0}, rate=0.1
    )
    for parameter in training.net.collect_params().values():
        parameter.set_data(mx.nd.full(parameter.shape, 3.0))
        if parameter.grad_req != 'null':
            parameter.list_data()[0]._fresh_grad = True  # as a backward pass leaves it
            parameter.grad()[:] = 0
    before = training.values()
    training.optimization.update(0)
    moved = [key for key, value in training.values().items() if np.abs(value - before[key]).max() > 0]
    assert set(moved) == {'conv.weight', 'conv.bias'}
    if name == 'sgd':
        assert training.values()['conv.weight'] == pytest.approx(before['conv.weight'] * (1 - 0.1 * 0.1 * 0.5))


EVERYTHING = {
    'optimizer': 'adamw', 'lr': 0.003, 'accumulate': 2, 'batch_size': 8, 'clip_norm': 1.0, 'ema': 0.9, 'mixup': 0.4,
    'cutmix': 1.0, 'label_smoothing': 0.1, 'no_decay': True, 'freeze': ['stages.0.conv'], 'wd_mult': {'fc': 0.5},
    'lr_mult': {'fc': 2, '*.bias': 0.5}, 'rotation': 10, 'color_jitter': [0.4, 0.4, 0.4, 0.1],
    'aa': 'rand-m9-mstd0.5-inc1', 'cutout': 3, 'reprob': 0.5,
    'aug_repeats': 3,
}  # fmt: skip


def test_a_run_with_everything_continues_inside_an_epoch(few, tmp_path):
    digits = few(*range(10))
    settings = {
        'network': 'cbamnet_tiny', 'data_train': str(digits / 'train.rec'), 'data_val': str(digits / 'val.rec'),
        'classes': 10, 'image_size': 8, 'epochs': 2, **EVERYTHING,
    }  # fmt: skip
    summary = train(make_config(**settings, output=str(tmp_path / 'through')))
    assert summary['steps'] == 2 * (240 // 8 // 2)

    def interrupted(steps, total, text):
        assert total == 15
        for number, step in enumerate(steps):
            if text.startswith('epoch 2') and number == 4:
                os.kill(os.getpid(), signal.SIGTERM)
            yield step

    with pytest.raises(Interrupted, match='SIGTERM at step 19'):
        train(make_config(**settings, output=str(tmp_path / 'twice')), progress=interrupted)
    resumed = []
    again = train(
        make_config(**settings, output=str(tmp_path / 'twice'), resume='auto'),
        progress=lambda steps, total, text: resumed.append(total) or steps,
    )
    assert resumed == [11]
    assert again['final'] == summary['final']
    for kind in ('params', 'states'):
        paths = [
            sorted((tmp_path / name / 'checkpoints').glob(f'newest-*.{kind}'))[-1] for name in ('through', 'twice')
        ]
        one, other = ({name: value.asnumpy() for name, value in mx.nd.load(str(path)).items()} for path in paths)
        assert difference(one, other) == 0
    assert difference(*(
        {name: value.asnumpy() for name, value in mx.nd.load(str(tmp_path / name / 'checkpoints/best.params')).items()}
        for name in ('through', 'twice')
    )) == 0  # fmt: skip


def test_more_batches_than_an_epoch_has_are_refused(few, tmp_path):
    config = TrainConfig(
        network='cbamnet_tiny', data_train=str(few(*range(10)) / 'train.rec'), classes=10, image_size=8, accumulate=8,
        output=str(tmp_path / 'run'),
    )  # fmt: skip
    with pytest.raises(UsageError, match='--accumulate 8 is more than the 7 batches of an epoch'):
        train(config)
    assert not (tmp_path / 'run').exists()

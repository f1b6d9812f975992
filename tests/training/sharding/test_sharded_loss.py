"""Losses and gradients over shards against those of numpy, and of one device, for every head of faces."""

import numpy as np
import pytest
from sharded_heads import EMBEDDINGS, EXAMPLES, LABELS, WIDTH, Head
from thread_group import together

from gluon_cbam.common.errors import UsageError
from gluon_cbam.tasks.faces.heads.table import HEADS


def normalized(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def cosface(embeddings, weight, labels, scale=64, margin=0.35):
    """The losses in numpy, by the formula of the paper."""
    logits = scale * (normalized(embeddings) @ normalized(weight).T - margin * np.eye(len(weight))[labels])
    return np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels]


STEPS = 3  # moving statistics of later steps depend on the earlier ones


@pytest.mark.parametrize('devices', [1, 3])
def test_losses_and_gradients_are_those_of_the_formula(devices):
    """Gradients by differences of the independent formula, in float64."""
    head = Head('cosface', devices)
    values, weight = head.step(), head.whole('weight')
    assert np.allclose(values['losses'], cosface(EMBEDDINGS, weight, LABELS), rtol=1e-12)
    delta = 1e-6
    for place in range(3):
        for which, row, found in ((0, 1, 'gradients'), (1, LABELS[1], 'weight.gradient')):
            sums = []
            for sign in (1, -1):
                changed = [EMBEDDINGS.copy(), weight.copy()]
                changed[which][row, place] += sign * delta
                sums.append(cosface(*changed, LABELS).sum())
            difference = (sums[0] - sums[1]) / (2 * delta)
            assert difference == pytest.approx(values[found][row, place], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize('name', HEADS)
def test_several_devices_give_what_one_gives(name):
    """To 1e-12 of the largest value in float64 and 1e-5 in float32, after several steps for moving statistics."""
    for dtype, tolerance in (('float64', 1e-12), ('float32', 1e-5)):
        one, several = Head(name, 1, dtype), {devices: Head(name, devices, dtype) for devices in (2, 3, 4)}
        expected = [one.step(number) for number in range(STEPS)][-1]
        assert np.abs(expected['gradients']).max() > 0
        for devices, head in several.items():
            found = [head.step(number) for number in range(STEPS)][-1]
            for key, value in expected.items():
                scale = np.abs(value).max() or 1
                assert np.abs(found[key] - value).max() <= tolerance * scale, (devices, dtype, key)


@pytest.mark.parametrize('name', ['arcface', 'curricularface', 'subcenter_arcface', 'softmax'])
def test_several_processes_give_what_one_gives(name):
    """Two processes with two devices each, against one with four; between processes everything is float32."""
    expected = Head(name, 4, 'float32')
    values = [expected.step(number) for number in range(STEPS)][-1]

    def work(worker):
        head = Head(name, 2, 'float32', group=worker)
        return [head.step(number) for number in range(STEPS)][-1]

    first, second = together(2, work)
    for key, value in values.items():
        same_everywhere = key in ('t', 'mean', 'std')
        found = first[key] if same_everywhere else np.concatenate([first[key], second[key]])
        assert np.abs(found - value).max() <= 1e-5 * np.abs(value).max(), key


def test_moving_statistics_are_the_same_on_all_devices():
    for name, keys in (('curricularface', ['t']), ('adaface', ['mean', 'std'])):
        head = Head(name, 3)
        head.step()
        assert sorted(head.loss._state[0]) == keys
        for state in head.loss._state[1:]:
            assert all(np.array_equal(state[key].asnumpy(), head.loss._state[0][key].asnumpy()) for key in keys)


def test_a_scale_is_that_of_gradients_only():
    one, scaled = Head('arcface', 2).step(), Head('arcface', 2).step(scale=8.0)
    assert np.array_equal(one['losses'], scaled['losses'])
    for key in ('gradients', 'weight.gradient'):
        assert np.array_equal(8 * one[key], scaled[key])


def test_a_softmax_of_large_logits_is_finite():
    """exp of them is beyond float32: the largest logit over all shards is subtracted."""
    head = Head('softmax', 3, 'float32')
    for shard in head.weight.shards:
        shard.values['weight'][:] *= 1e4
    values = head.step()
    assert values['losses'].max() > 100
    assert all(np.isfinite(value).all() for value in values.values())


def test_samples_of_classes():
    """Against one softmax over the sampled rows, whichever they are; a batch of few classes leaves room for others."""
    classes = 300
    head = Head('cosface', 3, rate=0.3, labels=np.repeat([7, 99, 100, 250], 3), classes=classes)
    values = head.step(7)
    weight, chosen = head.whole('weight'), np.concatenate(head.rows())
    assert len(set(chosen)) == len(chosen) == 90
    assert {7, 99, 100, 250} <= set(chosen), 'all classes of the batch are in'
    assert np.allclose(
        values['losses'], cosface(EMBEDDINGS, weight[chosen], np.searchsorted(chosen, head.labels)), rtol=1e-12
    )
    assert values['weight.gradient'].shape == (90, WIDTH)


def test_samples_follow_from_seed_step_and_shard():
    def rows(step):
        head = Head('cosface', 3, rate=0.3, labels=np.zeros(EXAMPLES), classes=300)
        head.step(step)
        return [(shard - shard[0]).tolist() for shard in head.rows()]

    first = rows(1)
    assert rows(1) == first
    assert rows(2) != first
    assert first[1] != first[2]


def test_first_values_do_not_depend_on_the_devices():
    weights = [Head('subcenter_arcface', devices, classes=1000).whole('weight') for devices in (1, 2, 3, 4)]
    assert weights[0].shape == (3000, WIDTH)
    assert all(np.array_equal(weight, weights[0]) for weight in weights[1:])
    assert weights[0].std() == pytest.approx(0.01, rel=0.03)
    assert abs(np.corrcoef(weights[0][:1024, 0], weights[0][1024:2048, 0])[0, 1]) < 0.15, 'blocks differ'


def test_more_devices_than_classes():
    with pytest.raises(UsageError, match='2 classes cannot be sharded over 3 devices'):
        Head('cosface', 3, classes=2)

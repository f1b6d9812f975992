"""Margin heads against values made independently, finite differences, and numpy formulas written from the papers."""

import math
import threading

import mxnet as mx
import numpy as np
import pytest
from golden import FOLDER

from gluon_cbam.common.errors import UsageError
from gluon_cbam.tasks.faces.heads.class_head import ClassHead, MovingStatistics
from gluon_cbam.tasks.faces.heads.class_weight import norms, products
from gluon_cbam.tasks.faces.heads.table import HEADS, make_margin

GOLDEN = {
    'softmax': ('softmax', {}),
    'normalized': ('nsoftmax', {}),
    'cosface': ('cosface', {}),
    'arcface': ('arcface', {}),
    'arcface_easy': ('arcface', {'form': 'easy'}),
    'arcface_s30': ('arcface', {'scale': 30, 'margins': [0.3]}),
    'combined': ('combined', {'margins': [0.9, 0.4, 0.15]}),
    'sphere_like': ('multiplicative', {}),
}
FORMS = [(name, {}) for name in HEADS] + [
    ('arcface', {'form': 'cosine'}),
    ('arcface', {'form': 'easy'}),
    ('combined', {'margins': [0.9, 0.4, 0.15]}),
    ('magface', {'form': 'linear'}),
    ('magface', {'form': 'cosine'}),
    ('sphereface', {'margins': [3], 'scale': 30}),
]


@pytest.fixture(scope='module')
def golden():
    with np.load(FOLDER / 'faces_heads.npz') as file:
        return {name: file[name] for name in file.files}


def array(values, dtype='float64'):
    return mx.nd.array(values, dtype=dtype)


def run_head(margin, x, weight, labels, subcenters=1, steps=1):
    """Loss, logits and gradients of the mean loss, after some steps with the same batch."""
    head = ClassHead(margin, len(weight) // subcenters, x.shape[1], subcenters)
    head.cast(margin.dtype)
    head.initialize()
    head.classes.weight.set_data(array(weight, margin.dtype))
    x = array(x, margin.dtype)
    x.attach_grad()
    for _ in range(steps):
        with mx.autograd.record():
            ((loss, logits, inputs),) = head.losses([x], [array(labels, margin.dtype)])
            loss.mean().backward()
    arrays = loss, logits, x.grad, head.classes.weight.grad()
    return [each.asnumpy() for each in arrays], head


def near(found, expected, tolerance):
    return np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize('name', GOLDEN)
def test_values_and_gradients_are_the_reference_ones(golden, name):
    head, options = GOLDEN[name]
    margin = make_margin(head, dtype='float64', **options)
    (loss, logits, dx, dw), _ = run_head(margin, golden['x'], golden['w'], golden['y'])
    assert near(logits, golden[f'{name}:logits'], 1e-12)
    assert near(loss.mean(), golden[f'{name}:loss'], 1e-12)
    assert near(dx, golden[f'{name}:dx'], 2e-7)  # what the references agree to
    assert near(dw, golden[f'{name}:dw'], 2e-7)


@pytest.mark.parametrize('name', GOLDEN)
def test_float32_is_near_the_reference_values(golden, name):
    head, options = GOLDEN[name]
    margin = make_margin(head, **options)
    (loss, logits, dx, dw), _ = run_head(margin, golden['x'], golden['w'], golden['y'])
    assert near(logits, golden[f'{name}:logits'], 1e-4)
    # the cosine of the first target is -0.99999652: float32 has 1 - cos there to 1 % only
    for found, key in ((loss.mean(), 'loss'), (dx, 'dx'), (dw, 'dw')):
        assert near(found, golden[f'{name}:{key}'], 2e-2), key


# points whose targets lie behind, at the change of a form, beside the class weight and at a right angle
EXTREMES = (-0.99999, -0.93, -0.88, -0.82, -0.3, 1e-3, 0.4, 0.9, 0.9995, 0.999999)


def batch_of_extremes(seed=0, classes=9, size=6, subcenters=1):
    """Embeddings with the targets' cosines of EXTREMES and several norms, class weights, labels."""
    random = np.random.RandomState(seed)
    weight = random.randn(classes * subcenters, size)
    labels = np.arange(len(EXTREMES)) % classes
    own = weight[labels * subcenters] / np.linalg.norm(weight[labels * subcenters], axis=1, keepdims=True)
    other = random.randn(len(labels), size)
    other -= (other * own).sum(axis=1, keepdims=True) * own
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    cosines = np.array(EXTREMES)[:, None]
    length = np.linspace(2, 60, len(labels))[:, None]  # magface clips below 10
    return length * (cosines * own + np.sqrt(1 - cosines**2) * other), weight, labels


@pytest.mark.parametrize(('name', 'options'), FORMS)
def test_gradients_equal_finite_differences(name, options):
    margin = make_margin(name, dtype='float64', **options)
    subcenters = HEADS[name].subcenters
    x, weight, labels = batch_of_extremes(classes=5, size=4, subcenters=subcenters)
    values = {'t': 0.3, 'mean': 25.0, 'std': 12.0, 'steps': 7.0}
    state = {each: array([values[each]]) for each in margin.initial_state()}
    frozen = norms(mx.nd, array(x)) if name == 'adaface' else None  # its norms have no gradient

    def mean_loss(x, weight):
        norm = norms(mx.nd, x)
        cosines = products(mx.nd, x, norm, weight, len(weight), margin.normalized, subcenters)
        target = mx.nd.pick(cosines, array(labels), keepdims=True)
        used = norm if frozen is None else frozen
        logits = margin.logits(mx.nd, cosines, array(labels), len(weight) // subcenters, target, used, state)
        loss = -mx.nd.pick(mx.nd.log_softmax(logits), array(labels))
        penalty = margin.penalty(mx.nd, norm)
        return (loss if penalty is None else loss + penalty[:, 0]).mean()

    inputs = [array(x), array(weight)]
    for each in inputs:
        each.attach_grad()
    with mx.autograd.record():
        mean_loss(*inputs).backward()
    for number, values in enumerate((x, weight)):
        expected = np.zeros_like(values)
        for index in np.ndindex(*values.shape):
            step = 1e-7 * np.linalg.norm(values[index[0]])
            ends = []
            for sign in (1, -1):
                moved = [x.copy(), weight.copy()]
                moved[number][index] += sign * step
                ends.append(mean_loss(*map(array, moved)).asscalar())
            expected[index] = (ends[0] - ends[1]) / (2 * step)
        assert near(inputs[number].grad.asnumpy(), expected, 1e-6), ('x', 'weight')[number]


@pytest.mark.parametrize('dtype', ['float16', 'float32', 'float64'])
@pytest.mark.parametrize(('name', 'options'), FORMS)
def test_gradients_are_finite_where_the_cosine_is_1(name, options, dtype):
    margin = make_margin(name, dtype=dtype, **options)
    ends = [-1.0, 1.0, np.nextafter(np.dtype(dtype).type(1), 0), -1.0005, 1.0005, 0.0]  # products may round above 1
    cosines = array(np.array([[end, 0.1, 0.9] for end in ends]), dtype)
    norm = array(np.array([[1e-3], [5], [10], [20], [50], [110]]), dtype)
    values = {'t': 0.3, 'mean': 25.0, 'std': 12.0, 'steps': 7.0}
    state = {each: array([values[each]], dtype) for each in margin.initial_state()}
    columns = mx.nd.zeros(len(ends), dtype=dtype)
    for each in (cosines, norm):
        each.attach_grad()
    with mx.autograd.record():
        target = mx.nd.pick(cosines, columns, keepdims=True)
        logits = margin.logits(mx.nd, cosines, columns, 3, target, norm, state)
        loss = -mx.nd.pick(mx.nd.log_softmax(logits), columns)
        loss.sum().backward()
    for each in (logits, loss, cosines.grad, norm.grad):
        assert np.isfinite(each.asnumpy()).all()


@pytest.mark.parametrize('name', HEADS)
def test_an_embedding_of_zeros_has_finite_gradients(name):
    x, weight, labels = batch_of_extremes(subcenters=HEADS[name].subcenters)
    x[3] = 0
    arrays, _ = run_head(make_margin(name), x, weight, labels, HEADS[name].subcenters)
    assert all(np.isfinite(each).all() for each in arrays)


@pytest.mark.parametrize(('name', 'options'), FORMS)
@pytest.mark.parametrize('cuts', [(4,), (1, 2), (3, 5, 8)])
def test_logits_of_shards_side_by_side_are_those_of_all_classes(name, options, cuts):
    """With what the interface passes between shards, and nothing else."""
    margin = make_margin(name, dtype='float64', **options)
    x, weight, labels = batch_of_extremes()
    norm = norms(mx.nd, array(x))
    whole = products(mx.nd, array(x), norm, array(weight), 9, margin.normalized)
    target = mx.nd.pick(whole, array(labels), keepdims=True)
    state = {each: array([0.4]) for each in margin.initial_state()}
    expected = margin.logits(mx.nd, whole, array(labels), 9, target, norm, state).asnumpy()
    parts = []
    for start, stop in zip((0, *cuts), (*cuts, 9)):
        columns = np.where((labels >= start) & (labels < stop), labels - start, -1)
        part = products(mx.nd, array(x), norm, array(weight[start:stop]), stop - start, margin.normalized)
        parts.append(margin.logits(mx.nd, part, array(columns), stop - start, target, norm, state).asnumpy())
    assert near(np.concatenate(parts, axis=1), expected, 1e-13)


# written from the papers, with angles


def cosines_of(x, weight):
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (x, weight)]
    return unit[0] @ unit[1].T


def replaced(others, labels, values, scale=64):
    logits = others.copy()
    logits[np.arange(len(labels)), labels] = values
    return scale * logits


def hard_arcface(theta, m):
    return np.where(theta + m <= math.pi, np.cos(theta + m), np.cos(theta) - m * math.sin(m))


def test_subcenter_arcface_takes_the_nearest_row_of_each_class():
    x, weight, labels = batch_of_extremes(subcenters=3)
    cosines = cosines_of(x, weight).reshape(len(x), 9, 3).max(axis=2)
    theta = np.arccos(cosines[np.arange(len(x)), labels])
    expected = replaced(cosines, labels, hard_arcface(theta, 0.5))
    (_, logits, _, dw), _ = run_head(make_margin('subcenter_arcface', dtype='float64'), x, weight, labels, 3)
    assert near(logits, expected, 1e-9)
    nearest = cosines_of(x, weight).reshape(len(x), 9, 3).argmax(axis=2)  # only these rows learn
    learned = np.zeros((9, 3), bool)
    for row in nearest:
        learned[np.arange(9), row] = True
    assert ((np.abs(dw).reshape(9, 3, -1).max(axis=2) > 0) <= learned).all()


def test_curricularface_weighs_hard_negatives_by_the_progress():
    x, weight, labels = batch_of_extremes()
    cosines = cosines_of(x, weight)
    own = cosines[np.arange(len(x)), labels]
    t = 0.0
    for _ in range(5):
        t = 0.99 * t + 0.01 * own.mean()
    hard = cosines > np.cos(np.arccos(own) + 0.5)[:, None]
    assert 0 < hard.mean() < 1
    expected = replaced(np.where(hard, cosines * (t + cosines), cosines), labels, hard_arcface(np.arccos(own), 0.5))
    (_, logits, _, _), head = run_head(make_margin('curricularface', dtype='float64'), x, weight, labels, steps=5)
    assert near(logits, expected, 1e-9)
    assert head.moving.t.data().asscalar() == pytest.approx(t, rel=1e-12)


def test_adaface_moves_the_margin_by_the_norm():
    x, weight, labels = batch_of_extremes()
    x *= 2.5  # beyond 100, where norms are clipped
    cosines = np.clip(cosines_of(x, weight), -0.999, 0.999)
    norm = np.clip(np.linalg.norm(x, axis=1), 0.001, 100)
    mean, std = 20.0, 100.0
    for _ in range(5):
        mean, std = 0.99 * mean + 0.01 * norm.mean(), 0.99 * std + 0.01 * norm.std(ddof=1)
    z = np.clip((norm - mean) / (std + 1e-3) * 0.333, -1, 1)
    theta = np.arccos(cosines[np.arange(len(x)), labels])
    values = np.cos(np.clip(theta - 0.4 * z, 1e-3, math.pi - 1e-3)) - (0.4 * z + 0.4)
    (_, logits, _, _), head = run_head(make_margin('adaface', dtype='float64'), x, weight, labels, steps=5)
    assert near(logits, replaced(cosines, labels, values), 1e-12)
    assert head.moving.mean.data().asscalar() == pytest.approx(mean, rel=1e-12)
    assert head.moving.std.data().asscalar() == pytest.approx(std, rel=1e-12)


def test_magface_widens_the_margin_with_the_norm_and_pulls_norms():
    x, weight, labels = batch_of_extremes()
    x *= 2.5
    cosines = cosines_of(x, weight)
    norm = np.clip(np.linalg.norm(x, axis=1), 10, 110)
    assert (norm == 10).any() and (norm == 110).any()
    margin = 0.45 + (0.8 - 0.45) * (norm - 10) / 100
    own = cosines[np.arange(len(x)), labels]
    expected = replaced(cosines, labels, np.where(own > 0, np.cos(np.arccos(own) + margin), own))
    (loss, logits, _, _), _ = run_head(make_margin('magface', dtype='float64'), x, weight, labels)
    assert near(logits, expected, 1e-9)
    cross_entropy = np.log(np.exp(expected - expected.max(axis=1, keepdims=True)).sum(axis=1))
    cross_entropy += expected.max(axis=1) - expected[np.arange(len(x)), labels]
    assert near(loss, cross_entropy + 35 * (norm / 110**2 + 1 / norm), 1e-9)


@pytest.mark.parametrize('m', [1, 2, 3, 4])
def test_sphereface_is_the_papers_psi_mixed_with_the_cosine(m):
    x, weight, labels = batch_of_extremes()
    cosines = cosines_of(x, weight)
    theta = np.arccos(cosines[np.arange(len(x)), labels])
    k = np.floor(theta * m / math.pi)
    psi = (-1) ** k * np.cos(m * theta) - 2 * k
    for steps, lambda_ in ((1, 1000 / 1.12), (3, 1000 / 1.36)):
        own = (lambda_ * np.cos(theta) + psi) / (1 + lambda_)
        expected = replaced(cosines, labels, own, np.linalg.norm(x, axis=1, keepdims=True))
        margin = make_margin('sphereface', margins=[m], dtype='float64')
        (_, logits, _, _), _ = run_head(margin, x, weight, labels, steps=steps)
        assert near(logits, expected, 1e-9)
    plain = margin.changed(base=0.0)
    (_, logits, _, _), _ = run_head(plain, x, weight, labels)
    assert near(logits, replaced(cosines, labels, psi, np.linalg.norm(x, axis=1, keepdims=True)), 1e-9)
    assert math.isclose(margin.changed(base=1.0).smallest, 5.0)


def test_the_statistics_of_several_devices_are_those_of_one(golden):
    """Each device has a part of the batch, and the moving statistics follow the whole."""
    contexts = [mx.cpu(0), mx.cpu(1)]
    for name in ('curricularface', 'adaface', 'sphereface'):
        heads = []
        for ctx in ([mx.cpu(0)], contexts):
            head = ClassHead(make_margin(name), 7, 16)
            head.initialize(ctx=ctx)
            head.classes.weight.set_data(mx.nd.array(golden['w']))
            for _ in range(3):
                parts = [mx.gluon.utils.split_and_load(mx.nd.array(golden[key]), ctx) for key in 'xy']
                with mx.autograd.record():
                    losses = [loss for loss, _, _ in head.losses(*parts)]
                mx.autograd.backward(losses)
            loss = np.concatenate([each.asnumpy() for each in losses])
            gradient = sum(head.classes.weight.grad(context).asnumpy() for context in ctx)
            states = [
                {key: parameter.data(context).asscalar() for key, parameter in head.moving.collect_params().items()}
                for context in ctx
            ]
            heads.append((loss, gradient, [list(state.values()) for state in states]))
        (loss, gradient, (state,)), (loss2, gradient2, states) = heads
        assert near(loss2, loss, 1e-6)
        assert near(gradient2, gradient, 1e-6)
        assert states[0] == states[1]
        assert np.allclose(states[0], state, rtol=1e-6)


class _Threads:
    """A process group of threads."""

    def __init__(self, rank, shared, barrier):
        self.rank, self.size, self._shared, self._barrier = rank, len(shared), shared, barrier

    def add(self, name, array):
        self._shared[self.rank] = array.asnumpy()
        self._barrier.wait()
        total = mx.nd.array(sum(self._shared))
        self._barrier.wait()
        return total


@pytest.mark.parametrize('name', ['curricularface', 'adaface'])
def test_the_statistics_of_several_processes_are_those_of_one(name):
    random = np.random.RandomState(0)
    targets, lengths = random.uniform(-1, 1, (12, 1)), random.uniform(1, 60, (12, 1))
    found, shared, barrier = {}, [None] * 3, threading.Barrier(3, timeout=300)

    def run(rank, rows, group):
        moving = MovingStatistics(make_margin(name))
        moving.initialize()
        moving.process_group = group
        for _ in range(2):
            (state,) = moving.advance([mx.nd.array(targets[rows])], [mx.nd.array(lengths[rows])])
        found[rank] = {key: value.asscalar() for key, value in state.items()}

    run('one', slice(0, 12), None)
    threads = [
        threading.Thread(target=run, args=(rank, slice(4 * rank, 4 * rank + 4), _Threads(rank, shared, barrier)))
        for rank in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1] == found[2] == pytest.approx(found['one'], rel=1e-6)


def test_the_bias_of_softmax_learns_twice_as_fast_and_does_not_decay():
    head = ClassHead(make_margin('softmax'), 7, 16)
    assert (head.classes.bias.lr_mult, head.classes.bias.wd_mult) == (2, 0)
    assert (head.classes.weight.lr_mult, head.classes.weight.wd_mult) == (1, 1)


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('arcfase', {}, "unknown head 'arcfase'.*arcface"),
        ('cosface', {'margins': [0.1, 0.2]}, '--margin 0.1,0.2: the head cosface takes 1: m3'),
        ('nsoftmax', {'margins': [0.1]}, 'has none'),
        ('cosface', {'form': 'easy'}, 'has no form'),
        ('sphereface', {'margins': [1.5]}, 'whole number'),
        ('sphereface', {'margins': [math.nan]}, '--margin nan: m is a finite number from 0'),
        ('sphereface', {'margins': [math.inf]}, '--margin inf: m is a finite number from 0'),
        ('arcface', {'margins': [5]}, '--margin 5: m is an angle of 0 to pi radians'),
        ('arcface', {'margins': [-1]}, '--margin -1: m is an angle of 0 to pi radians'),
        ('combined', {'margins': [1, 28.6, 0]}, '--margin 28.6: m2 is an angle of 0 to pi radians'),
        ('cosface', {'margins': [math.nan]}, '--margin nan: m3 is'),
        ('arcface', {'scale': 0}, '--scale 0 must be a finite number above 0'),
        ('arcface', {'scale': math.inf}, '--scale inf must be'),
    ],
)
def test_settings_that_a_head_has_not_are_refused(name, options, message):
    with pytest.raises(UsageError, match=message):
        make_margin(name, **options)

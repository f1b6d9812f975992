"""Updates of shards against those of numpy, of one device, and of rows that no step took."""

import mxnet as mx
import numpy as np
import pytest
from sharded_heads import EMBEDDINGS, EXAMPLES, LABELS, Head
from thread_group import together

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.training.checkpoint.tables import check_tables, restore_tables, table_path, take_part, write_tables

SGD = {'optimizer': 'sgd', 'momentum': 0.9, 'wd': 0.01}


def tables(head):
    return {**head.weight.tables(), **head.optimizer.tables()}


def rows(head):
    return {name: np.concatenate(list(table.pieces())) for name, table in tables(head).items()}


def difference(one, other):
    assert set(one) == set(other)
    return max(np.abs(one[name] - other[name]).max() for name in one)


def test_sgd_is_that_of_numpy():
    """v = m v + lr (g + wd w); w = w - v. MXNet keeps rates in float32."""
    head = Head('arcface', 3, **SGD)
    weight, momentum = head.whole('weight'), 0
    for number in range(3):
        gradient = head.train(1, number, 0.2).gradient('weight') / EXAMPLES
        momentum = 0.9 * momentum - 0.2 * (gradient + 0.01 * weight)
        weight = weight + momentum
        assert np.allclose(head.whole('weight'), weight, rtol=1e-6, atol=1e-9)
    assert np.allclose(rows(head)['weight.0'], momentum, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize('optimizer', ['sgd', 'nag', 'adamw'])
def test_updates_do_not_depend_on_the_devices(optimizer):
    """The bias of the softmax head has other multipliers, and no weight decay."""
    one, three = (Head('softmax', devices, 'float32', optimizer=optimizer, wd=0.1).train(4) for devices in (1, 3))
    assert difference(rows(one), rows(three)) < 1e-5
    assert len(rows(one)) == (6 if optimizer == 'adamw' else 4)


def test_multipliers_of_a_bias():
    head = Head('softmax', 2, **{**SGD, 'momentum': 0.0, 'wd': 0.5})
    for shard in head.weight.shards:
        shard.values['bias'][:] = 3
    gradient = head.train(1, rate=0.1).gradient('bias') / EXAMPLES
    assert np.allclose(head.whole('bias'), 3 - 2 * 0.1 * gradient, rtol=1e-6), 'twice the rate, no decay'


def test_rows_outside_a_sample_keep_weight_and_momentum():
    """As in partial_fc.py of insightface's arcface_torch; those of the sample are updated as all are without it."""
    classes = 300
    labels = np.repeat(LABELS[:4], 3)
    head = Head('arcface', 2, rate=0.2, labels=labels, classes=classes, **SGD).train(2)
    before = rows(head)
    head.train(1, first=2)
    after = rows(head)
    sampled = np.concatenate(head.rows())
    others = np.setdiff1d(np.arange(classes), sampled)
    assert len(sampled) == 60
    for name in ('weight', 'weight.0'):
        assert np.array_equal(before[name][others], after[name][others])
    gradient = head.gradient('weight') / EXAMPLES
    momentum = 0.9 * before['weight.0'][sampled] - 0.1 * (gradient + 0.01 * before['weight'][sampled])
    assert np.allclose(after['weight.0'][sampled], momentum, rtol=1e-6, atol=1e-9)
    assert np.allclose(after['weight'][sampled], before['weight'][sampled] + momentum, rtol=1e-6, atol=1e-9)


def test_accumulated_gradients():
    """Two batches of a step are added; the next step begins with zeros."""
    head = Head('arcface', 2, accumulate=2)
    single = Head('arcface', 2)
    expected = 0
    for number in range(2):
        labels = np.roll(LABELS, number)
        single.loss(single.split(EMBEDDINGS), single.split(labels), number, 0)
        expected = expected + single.gradient('weight')
    for _ in range(2):
        head.weight.begin_step()
        for number in range(2):
            head.loss(head.split(EMBEDDINGS), head.split(np.roll(LABELS, number)), number, 0)
        assert np.allclose(head.gradient('weight'), expected, rtol=1e-9)


def test_the_norm_is_that_of_all_shards():
    heads = [Head('arcface', devices) for devices in (1, 3)]
    for head in heads:
        head.step()
        norm = np.square(head.gradient('weight')).sum()
        assert float(head.optimizer.square_norm().asscalar()) == pytest.approx(norm, rel=1e-9)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'optimizer': 'lars'}, '--optimizer lars'),
        ({'accumulate': 2, 'rate': 0.01, 'classes': 300}, '--accumulate 2'),
    ],
)
def test_what_shards_cannot_do(settings, message):
    with pytest.raises(UsageError, match=message):
        Head('arcface', 2, **settings)


@pytest.mark.parametrize(('before', 'after'), [(2, 3), (3, 1), (1, 4), (2, 2)])
def test_states_are_restored_on_other_devices(tmp_path, before, after):
    params = tmp_path / 'newest.params'
    head = Head('subcenter_arcface', before, 'float32', **SGD).train(3)
    hashes = write_tables(params, tables(head))
    check_tables(params, hashes)
    other = Head('subcenter_arcface', after, 'float32', **SGD)
    restore_tables(params, tables(other))
    other.optimizer.restore(head.optimizer.arrays(), 3)
    assert difference(rows(head), rows(other)) == 0
    head.train(2, first=3)
    other.train(2, first=3)
    assert difference(rows(head), rows(other)) <= (0 if before == after else 1e-5)
    whole = np.load(table_path(params, 'weight'), allow_pickle=False)
    assert whole.shape == (3 * 37, 8), 'a plain file in the order of classes'


def test_states_of_several_processes(tmp_path):
    params = tmp_path / 'newest.params'

    def save(worker):
        head = Head('arcface', 2, 'float32', group=worker, **SGD).train(3)
        if worker.rank:
            return take_part(tables(head))
        return write_tables(params, tables(head))

    hashes, nothing = together(2, save)
    assert nothing is None
    check_tables(params, hashes)
    expected = Head('arcface', 4, 'float32', **SGD).train(3)
    restored = Head('arcface', 3, 'float32', **SGD)
    restore_tables(params, tables(restored))
    assert difference(rows(expected), rows(restored)) < 1e-6


def test_damaged_states(tmp_path):
    params = tmp_path / 'newest.params'
    head = Head('arcface', 2, 'float32', **SGD)
    hashes = write_tables(params, tables(head))
    path = table_path(params, 'weight')
    with pytest.raises(DataError, match=r'\(40, 8\).*another loss head'):
        restore_tables(params, tables(Head('arcface', 2, 'float32', classes=40, **SGD)))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match='weight.npy is damaged'):
        check_tables(params, hashes)
    path.unlink()
    with pytest.raises(DataError, match='weight.npy is missing'):
        check_tables(params, hashes)
    with pytest.raises(DataError, match='weight.npy is missing'):
        restore_tables(params, tables(head))


def test_a_state_without_updates():
    with pytest.raises(DataError, match='number of updates'):
        Head('arcface', 1).optimizer.restore({'other': mx.nd.zeros(1)}, 0)
